"""What an administrator does every week, in how many clicks, in both languages.

The pages with the rows of a scene are enough for it; that something heals within six
clicks of the printed link is measured where something can heal (``test_heal``).
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.person import ENGLISH, FRENCH, Person
from tests.journeys.site import Site

pytestmark = pytest.mark.journey


FRIDAY = ("Friday", "vendredi")
CAUSES = {
    ENGLISH: "Changed on both sides",
    FRENCH: "Le compte a été supprimé dans Sales",
}
"""One for each language: what is tried already is not tried once more."""


@pytest.fixture(params=[ENGLISH, FRENCH])
def person(
    browser: Browser, site: Site, request: pytest.FixtureRequest
) -> Iterator[Person]:
    """Anna on the overview. What is not ours, a record of a real system, is blank."""
    page = site.window(browser, request.param)
    page.context.route(
        lambda url: not url.startswith(site.url), lambda route: route.fulfill(body="")
    )
    person = Person(site.url, page, request.param)
    person.start()
    yield person
    assert site.complaints == []


def test_everything_that_waits_for_the_euro_is_found_in_two(person: Person) -> None:
    page = person.page
    person.follow(person.say("Errors"), "nav")
    page.get_by_role("searchbox").fill("EUR")
    person.click(page.locator(".chip", has_text=person.say("Waiting")))

    badge = person.say("waiting for %(what)s", what="EUR")
    expect(page.locator("tbody tr").first).to_contain_text(badge)
    assert person.clicks == 2


def test_a_failing_record_is_opened_in_business_central_in_one(person: Person) -> None:
    person.follow(person.say("Errors"), "nav")
    person.clicks = 0
    source = person.page.locator(".c-side:not(.c-dest)", has_text="Business Central")

    with person.opened(source.locator("a[target]").first) as record:
        assert "page=21" in record.url
    assert person.clicks == 1


def test_all_of_a_cause_is_retried_in_two(person: Person) -> None:
    person.follow(person.say("Errors"), "nav")
    person.follow(person.say("By cause"))
    person.clicks = 0
    cause = person.page.locator(".cause-row", has_text=CAUSES[person.language])
    person.click(cause.locator(".c-act button"))
    person.click(person.page.locator(".btn-primary"))

    expect(person.page.locator("#result")).to_be_visible()
    assert "/operations/" in person.page.url
    assert person.clicks == 2


def test_what_is_old_and_finished_is_deleted_in_two_and_back_in_one(
    person: Person,
) -> None:
    page = person.page
    person.follow(person.say("Errors"), "nav")
    resolved = page.locator(".chip", has_text=person.say("Resolved")).locator("b")
    before = resolved.inner_text()
    person.clicks = 0
    person.follow(person.say("Delete entries older than 7 days…"))
    person.click(page.locator("main .btn-danger").first)
    expect(page.locator(".result")).to_be_visible()
    assert resolved.inner_text() != before
    assert person.clicks == 2

    person.clicks = 0
    person.click(page.locator(".result button"))

    expect(resolved).to_have_text(before)
    assert person.clicks == 1


def test_who_deleted_what_on_friday_is_read_in_two(person: Person) -> None:
    person.follow(person.say("Set-up"), "nav")
    person.click(
        person.page.get_by_role("link", name=person.say("Operations log")).first
    )

    row = person.page.locator("tbody tr", has_text="Jürg").first
    what = person.say("entries older than %(days)s days", days=7)
    for told in (person.of(FRIDAY), person.say("Delete entries"), what, "12"):
        expect(row).to_contain_text(told)
    assert person.clicks == 2
