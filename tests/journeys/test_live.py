"""A page renews itself, and what a person asks for meanwhile is what is shown."""

from time import monotonic

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.site import Site

pytestmark = pytest.mark.journey

NEWS = "**/live/*"
WAITING, RESOLVED = "**/errors/?state=waiting", "**/errors/?state=resolved"
COUNT_ANSWERS = """for (const one of document.querySelectorAll("#live, .chip")) {
    one.addEventListener("htmx:afterOnLoad", () => {
        document.body.dataset.answers = Number(document.body.dataset.answers || 0) + 1;
    });
}"""
"""Of what is on the page now, wherever it is when its answer comes."""

RENEW = """htmx.ajax("GET", location.href, {
    source: "#again", target: "#main", select: "#main", swap: "outerHTML",
    headers: { "HX-Trigger": "" },
})"""
"""As the page does itself when a retry has ended."""


class Held:
    """What the page asks for here, answered when it is let go."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.routes: list[Route] = []

        def hold(route: Route) -> None:
            self.routes.append(route)

        page.route(address, hold)

    def is_asked(self, times: int = 1) -> None:
        deadline = monotonic() + 20
        while len(self.routes) < times:
            self.page.evaluate("0")
            assert monotonic() < deadline

    def let_go(self) -> None:
        self.is_asked()
        self.routes.pop().continue_()


def open_list(site: Site, page: Page) -> None:
    site.open(page, "/errors/")
    page.evaluate(COUNT_ANSWERS)


def come_back(page: Page) -> None:
    """To the window, whose page asks for news then."""
    page.evaluate("dispatchEvent(new Event('focus'))")


def choose(page: Page, name: str) -> None:
    page.locator(".chip", has_text=name).click()


def is_chosen(page: Page, name: str, state: str) -> None:
    """The list, its chips and the address all say so."""
    expect(page.locator(".chip[aria-current]")).to_contain_text(name)
    expect(page.locator(f'#live[hx-get*="state={state}"]')).to_have_count(1)
    assert page.url.endswith(f"?state={state}")


def has_answers(page: Page, n: int) -> None:
    expect(page.locator(f'body[data-answers="{n}"]')).to_have_count(1)


def test_news_for_a_page_that_was_renewed_meanwhile_are_nothing(
    site: Site, page: Page
) -> None:
    site.open(page, "/errors/{tried}/")
    page.evaluate(COUNT_ANSWERS)
    page.evaluate("document.querySelector('#main').dataset.is = 'old'")
    news = Held(page, NEWS)
    come_back(page)
    news.is_asked()
    page.evaluate(RENEW)
    expect(page.locator("#main[data-is=old]")).to_have_count(0)

    news.let_go()

    has_answers(page, 1)
    expect(page.locator("#open")).to_have_count(1)
    expect(page.locator("#live")).to_have_count(1)


def test_news_take_nothing_away_that_a_person_asked_for(site: Site, page: Page) -> None:
    open_list(site, page)
    news, waiting = Held(page, NEWS), Held(page, WAITING)
    come_back(page)
    news.is_asked()
    choose(page, "Waiting")
    waiting.is_asked()

    news.let_go()
    has_answers(page, 1)
    waiting.let_go()

    is_chosen(page, "Waiting", "waiting")


def test_news_are_asked_for_again_once_a_person_has_the_answer(
    site: Site, page: Page
) -> None:
    open_list(site, page)
    news, waiting = Held(page, NEWS), Held(page, WAITING)
    choose(page, "Waiting")
    waiting.is_asked()
    come_back(page)

    waiting.let_go()
    is_chosen(page, "Waiting", "waiting")
    expect(page.locator(".htmx-request")).to_have_count(0)
    assert news.routes == []

    come_back(page)
    news.let_go()


@pytest.mark.parametrize("first", ["Waiting", "Resolved"])
def test_what_was_chosen_last_is_shown_whichever_answer_comes_first(
    site: Site, page: Page, first: str
) -> None:
    open_list(site, page)
    held = {"Waiting": Held(page, WAITING), "Resolved": Held(page, RESOLVED)}
    for name, asked in held.items():
        choose(page, name)
        asked.is_asked()

    held.pop(first).let_go()
    has_answers(page, 1)
    for asked in held.values():
        asked.let_go()
    has_answers(page, 2)

    is_chosen(page, "Resolved", "resolved")


def finds_the_euro_in(page: Page, name: str) -> None:
    expect(page.locator(".chip[aria-current]")).to_contain_text(name)
    expect(page.locator(".filterline")).to_contain_text("EUR")
    assert sorted(page.url.partition("?")[2].split("&")) == ["q=EUR", "state=waiting"]


@pytest.mark.parametrize("runs", [False, True])
def test_a_state_keeps_what_was_typed_before_whether_its_search_runs_or_not(
    site: Site, page: Page, *, runs: bool
) -> None:
    open_list(site, page)
    both = Held(page, "**/errors/?*")
    page.get_by_role("searchbox").fill("EUR")
    both.is_asked(int(runs))
    choose(page, "Waiting")
    both.is_asked(2)

    both.let_go()
    both.let_go()

    finds_the_euro_in(page, "Waiting")


def test_what_is_typed_while_a_search_runs_is_searched_for(
    site: Site, page: Page
) -> None:
    open_list(site, page)
    search = page.get_by_role("searchbox")
    first = Held(page, "**/errors/?q=E")
    search.press_sequentially("E")
    first.is_asked()
    search.press_sequentially("UR")

    first.let_go()

    expect(page.locator(".filterline")).to_contain_text("EUR")


def test_causes_are_searched_in_place_and_the_way_back_shows_what_was_before(
    site: Site, page: Page
) -> None:
    site.open(page, "/problems/")
    causes = page.locator(".cause-row")
    before = causes.count()
    assert before > 1
    search = page.locator("#q")

    search.press_sequentially("prvWrite")
    expect(causes).to_have_count(1)
    choose(page, "Open")

    expect(page.locator(".chip[aria-current]")).to_have_count(1)
    expect(page.locator(".filterline")).to_contain_text("state: Open, search “prvWr")
    assert page.url.endswith("/problems/?state=open&q=prvWrite")
    page.go_back()
    expect(page.locator(".chip[aria-current]")).to_have_count(3)
    expect(search).to_have_value("prvWrite")
    page.go_back()
    expect(causes).to_have_count(before)


def test_what_is_typed_among_the_causes_stays_while_they_are_renewed(
    site: Site, page: Page
) -> None:
    site.open(page, "/problems/")
    page.locator("#q").press_sequentially("prv")
    expect(page.locator(".cause-row")).to_have_count(1)
    page.locator("tbody").evaluate("it => { it.dataset.is = 'old'; }")

    come_back(page)

    expect(page.locator("tbody[data-is=old]")).to_have_count(0)
    expect(page.locator("#q")).to_have_value("prv")
    expect(page.locator("#q")).to_be_focused()
    expect(page.locator(".cause-row")).to_have_count(1)


def test_the_list_of_jobs_renews_itself(site: Site, page: Page) -> None:
    site.open(page, "/jobs/")
    page.locator("tbody").evaluate("it => { it.dataset.is = 'old'; }")

    come_back(page)

    expect(page.locator("tbody[data-is=old]")).to_have_count(0)
    expect(page.locator("tbody tr").first).to_be_visible()
