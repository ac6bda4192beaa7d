"""axe finds nothing, the policy blocks nothing, nothing spills (Shows 9).

Each page is loaded once per language and measured in both themes at both widths: the
whole rule set in light, what depends on colour again in dark.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from django.test import Client
from django.urls import Resolver404, resolve
from playwright.sync_api import Browser, Page, expect

from integration.choices import Role
from tests.factories import make_user
from tests.journeys.site import (
    ACTS,
    EMPTY,
    LONG,
    PAGES,
    STRANGERS,
    VIEWERS,
    WIDTHS,
    Site,
    served,
)
from tests.views import test_addresses

pytestmark = pytest.mark.journey

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
BETWEEN = (1241, 1100, 901, 641, 320)
"""Other widths: beside those where the layout changes, and the narrowest."""
COLOURS = ["color-contrast", "link-in-text-block"]
NO_PAGES = {
    *("errors_csv", "errors_xlsx", "error_support", "metrics", "healthz", "readyz"),
    "favicon",
    *("error_live", "errors_live", "operation_csv"),
    *("account_alerts", "problem_for_user"),
    *("sign_in", "admin:jsi18n", "admin:autocomplete", "admin:view_on_site"),
}
"""A browser may ask for them: files, parts, redirections, answers to machines."""


@pytest.fixture(scope="module")
def fresh_site(browser: Browser) -> Iterator[Site]:
    """An installation on which nothing has happened."""
    with served("nobody") as site:
        yield site


@pytest.fixture(scope="module")
def long_site(browser: Browser) -> Iterator[Site]:
    """The rows of every page, with long names."""
    with served("long") as site:
        yield site


THEMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("light", {"runOnly": {"type": "tag", "values": TAGS}}),
    ("dark", {"runOnly": {"type": "rule", "values": COLOURS}}),
)


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    # Fetching style sheets once more, as axe would, is against the policy.
    options = {"resultTypes": ["violations"], "preload": False, **rules}
    found = page.evaluate(f"axe.run(document, {json.dumps(options)})")["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        for node in one["nodes"]
    ]


def twice(page: Page) -> list[str]:
    """The ids that two elements have: a label leads to the first of them only."""
    found = page.evaluate(
        """[...document.querySelectorAll("[id]")]
        .filter((one) => document.getElementById(one.id) !== one)
        .map((one) => one.id)"""
    )
    return [str(one) for one in found]


def spills(page: Page) -> bool:
    return bool(
        page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    )


def hides_columns(page: Page) -> list[str]:
    """The tables of which a telephone shows a part, the rest beside it."""
    found = page.evaluate(
        """[...document.querySelectorAll("main .scroll")]
        .filter((box) => box.scrollWidth > box.clientWidth)
        .map((box) => box.querySelector("caption").textContent)"""
    )
    return [str(one) for one in found]


def overlaps(page: Page) -> list[str]:
    """The texts that lie on their neighbours."""
    found = page.evaluate(
        """[...document.querySelectorAll("main :is(li, tr) > *")]
        .filter((one) => getComputedStyle(one).overflowX === "visible")
        .filter((one) => !one.matches(":has(.menu, .vh)"))
        .filter((one) => one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 2)
        .map((one) => one.textContent.trim())"""
    )
    return [str(one) for one in found]


def examine(site: Site, page: Page) -> list[str]:
    """Everything wrong with what the window shows, at both widths in both themes."""
    page.evaluate(AXE)
    wrong = [f"an id twice: {one}" for one in twice(page)]
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        wrong += [f"{width}: it spills"] * spills(page)
        wrong += [f"{width}: beside the screen: {one}" for one in hides_columns(page)]
        wrong += [f"{width}: overlaps: {one}" for one in overlaps(page)]
        for theme, rules in THEMES:
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            wrong += [f"{width} {theme} {one}" for one in violations(page, rules)]
    wrong += site.complaints
    site.complaints.clear()
    return wrong


@pytest.mark.parametrize("language", ["en-GB", "fr-CH"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_violation(
    browser: Browser, site: Site, name: str, language: str
) -> None:
    page = site.window(browser, language)

    site.open(page, PAGES[name])

    assert examine(site, page) == []


keys = test_addresses.keys


def test_every_page_of_the_project_is_examined(
    keys: dict[str, object],
) -> None:
    administrator = Client(raise_request_exception=False)
    administrator.force_login(make_user(Role.ADMINISTRATOR))
    paths = [*PAGES.values(), *VIEWERS.values(), *STRANGERS.values()]
    known = {name_of(path) for path in paths}

    unknown = {
        name
        for name in set(test_addresses.ROUTES) - known - NO_PAGES - {"admin:None"}
        if answers_a_page(administrator, name, keys)
    }

    assert unknown == set()


def name_of(path: str) -> str:
    """Of the address of a path; "" for one that leads nowhere."""
    try:
        return resolve(re.sub(r"\{\w+\}", "1", path).partition("?")[0]).view_name
    except Resolver404:
        return ""


def answers_a_page(client: Client, name: str, keys: dict[str, object]) -> bool:
    """Whether a browser may ask for it; the admin's refusals are one page."""
    response = client.get(test_addresses.address(name, keys))
    list(response)
    refused = {405, 403, 404} if name.startswith("admin:") else {405}
    return response.status_code not in refused


@pytest.mark.parametrize("language", ["en-GB", "fr-CH"])
@pytest.mark.parametrize("name", STRANGERS)
def test_what_a_stranger_sees_has_no_violation(
    browser: Browser, site: Site, name: str, language: str
) -> None:
    page = site.window(browser, language, user="")

    site.open(page, STRANGERS[name])

    assert examine(site, page) == []


@pytest.mark.parametrize("language", ["en-GB", "fr-CH"])
@pytest.mark.parametrize("name", VIEWERS)
def test_what_a_viewer_sees_has_no_violation(
    browser: Browser, site: Site, name: str, language: str
) -> None:
    page = site.window(browser, language, user="vera")

    site.open(page, VIEWERS[name])

    assert examine(site, page) == []


@pytest.mark.parametrize("language", ["en-GB", "fr-CH"])
@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_page_has_no_violation(
    browser: Browser, fresh_site: Site, name: str, language: str
) -> None:
    page = fresh_site.window(browser, language)

    fresh_site.open(page, PAGES[name])

    assert examine(fresh_site, page) == []


@pytest.mark.parametrize("language", ["en-GB", "fr-CH"])
@pytest.mark.parametrize("name", LONG)
def test_a_page_with_long_names_has_no_violation(
    browser: Browser, long_site: Site, name: str, language: str
) -> None:
    page = long_site.window(browser, language)

    long_site.open(page, PAGES[name])

    assert examine(long_site, page) == []
    for width in BETWEEN:
        page.set_viewport_size({"width": width, "height": 768})
        assert not spills(page), f"{width}: it spills"


@pytest.mark.parametrize("language", ["en-GB", "fr-CH"])
@pytest.mark.parametrize("name", ACTS)
def test_what_a_click_opens_has_no_violation(
    browser: Browser, site: Site, name: str, language: str
) -> None:
    page = site.window(browser, language)

    site.act(page, name)

    assert examine(site, page) == []


@pytest.mark.parametrize("language", ["en-GB", "fr-CH"])
def test_sign_in_has_no_violation_when_refused(
    browser: Browser, site: Site, language: str
) -> None:
    page = site.window(browser, language, user="")
    site.open(page, "/login/")
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", "wrong")
    page.click(".btn-primary")
    page.wait_for_selector(".wrong")

    assert examine(site, page) == []


def test_focus_starts_on_keeping_everything(browser: Browser, site: Site) -> None:
    page = site.window(browser, "en-GB")

    site.open(page, PAGES["cleanup old"])

    assert page.evaluate("document.activeElement.textContent") == "Keep everything"


def test_a_preview_begins_with_what_goes_on_a_telephone_too(
    browser: Browser, site: Site
) -> None:
    page = site.window(browser, "fr-CH")
    page.set_viewport_size({"width": WIDTHS[1][0], "height": WIDTHS[1][1]})

    page.goto(f"{site.url}/errors/cleanup/?all=1")

    expect(page.locator(".a-act a.btn")).to_be_focused()
    for seen in ("h1", "#safe", ".a-act a.btn"):
        expect(page.locator(seen)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("path", ["problems", "cleanup all"])
def test_a_long_title_is_read_to_its_end(
    browser: Browser, site: Site, path: str
) -> None:
    page = site.window(browser, "fr-CH")
    site.open(page, PAGES[path])
    title = page.locator("tbody .title").first

    title.evaluate("(it) => { it.textContent = 'La devise de base '.repeat(5); }")

    assert title.evaluate("(it) => it.scrollWidth <= it.clientWidth")
    assert title.evaluate("(it) => it.getBoundingClientRect().height > 24")
