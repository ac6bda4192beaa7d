"""The bar above every page: how it is read, and who reads it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.person import ENGLISH
from tests.journeys.site import Site

pytestmark = pytest.mark.journey
HERE = "/errors/?state=waiting"


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(
    browser: Browser, site: Site, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """Anna has signed in, for herself: she may sign out."""
    context = browser.new_context(locale=ENGLISH, java_script_enabled=request.param)
    page = context.new_page()
    page.goto(site.url + HERE)
    sign_in(page)
    yield page
    context.close()


def sign_in(page: Page) -> None:
    page.get_by_label("User name").fill("anna")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    page.locator(".tool-menu").last.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()


def test_theme_and_language_are_changed_where_one_is(site: Site, page: Page) -> None:
    page.locator("summary", has_text="Theme").click()
    page.get_by_role("button", name="Dark").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr-ch")
    page.get_by_role("button", name="English").click()
    page.locator("summary", has_text="Theme").click()
    page.get_by_role("button", name="As the system").click()
    expect(page.locator("html[data-theme]")).to_have_count(0)
    assert page.url == site.url + HERE


def test_the_list_that_is_shown_by_then_is_the_one_one_stays_on(
    site: Site, browser: Browser
) -> None:
    """Its address has changed since the page came."""
    page = site.window(browser, ENGLISH)
    site.open(page, "/errors/")
    page.locator(".chip", has_text="Waiting").click()
    expect(page.locator('.chip[aria-current="true"]')).to_contain_text("Waiting")

    page.get_by_role("button", name="Français").click()

    expect(page.locator("html")).to_have_attribute("lang", "fr-ch")
    assert page.url == site.url + HERE
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_stranger_reads_the_page_of_signing_in_in_french(
    browser: Browser, site: Site
) -> None:
    context = browser.new_context(locale=ENGLISH)
    page = context.new_page()
    page.goto(site.url + HERE)
    asked = page.url

    page.get_by_role("button", name="Français").click()

    expect(page.locator("html")).to_have_attribute("lang", "fr-ch")
    assert page.url == asked
    context.close()


def test_signing_out_leads_to_the_page_of_signing_in(site: Site, page: Page) -> None:
    page.locator(".tool-menu").last.locator("summary").click()
    with page.expect_request("**/logout/") as asked:
        page.get_by_role("button", name="Sign out").click()

    assert asked.value.method == "POST"
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_way_back_shows_no_page_of_whoever_signed_out(
    site: Site, page: Page
) -> None:
    page.goto(f"{site.url}/jobs/")
    page.go_back()
    expect(page.locator(".chip[aria-current]")).to_contain_text("Waiting")
    sign_out(page)
    expect(page.get_by_label("Password")).to_be_visible()

    page.go_back()

    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.locator(".entries")).to_have_count(0)


def test_what_was_written_when_the_session_ended_is_there_after_signing_in(
    site: Site, browser: Browser
) -> None:
    context = browser.new_context(locale=ENGLISH)
    page = context.new_page()
    page.goto(f"{site.url}/problems/{site.keys['problem']}/")
    sign_in(page)
    comment = page.locator("#main textarea")
    comment.fill("The bank changed it.")
    context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Add the comment").click()
    expect(page.get_by_text("You were signed out")).to_be_visible()

    sign_in(page)

    expect(comment).to_have_value("The bank changed it.")
    page.reload()
    expect(comment).to_have_value("")
    context.close()
