"""axe finds nothing, the policy blocks nothing, nothing spills (Shows 9).

Each page is loaded once per language and measured in both themes at both widths: the
whole rule set in light, what depends on colour again in dark.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from tests.journeys.outside import REPOSITORY, environment

pytestmark = pytest.mark.journey

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
WIDTHS = ((1366, 768), (390, 844))
PAGES = {
    "overview": "/",
    "errors": "/errors/",
    "errors waiting": "/errors/?state=waiting",
    "errors resolved": "/errors/?state=resolved",
    "errors empty state": "/errors/?state=ignored",
    "errors filtered": "/errors/?mapping=CUSTOMER&who=administrator",
    "errors filtered to nothing": "/errors/?q=nothing+like+this",
    "errors with nonsense": "/errors/?sort=x&who=y",
    "error": "/errors/{error}/",
    "problems": "/problems/",
    "problem": "/problems/{problem}/",
    "problem unknown": "/problems/{unknown}/",
    "cleanup old": "/errors/cleanup/?older_than=7",
    "cleanup all": "/errors/cleanup/?all=1&who=user",
    "couplings": "/couplings/",
    "couplings skipped": "/couplings/?skipped=1",
    "coupling": "/couplings/{coupling}/",
    "jobs": "/jobs/",
    "job": "/jobs/{job}/",
    "mappings": "/mappings/",
    "mapping": "/mappings/{mapping}/",
    "mapping accepted": "/mappings/{accepted}/",
    "connections": "/connections/",
    "connection": "/connections/{connection}/",
    "connection paused": "/connections/{paused}/",
    "operations": "/operations/",
    "operation": "/operations/{operation}/",
    "check operation": "/operations/{check}/",
    "retry": "/operations/{retry}/",
    "retry, what failed": "/operations/{retry}/?outcome=failed",
    "retry before it begins": "/errors/retry/{prepared}/",
    "setup": "/setup/",
    "users": "/users/",
    "retention": "/retention/",
    "check": "/check/",
    "explain": "/explain/",
    "alerts": "/alerts/",
    "articles": "/articles/",
    "article": "/articles/dv-missing-privilege/",
    "account": "/account/",
    "not found": "/nothing/",
    "admin": "/admin/",
    "admin errors": "/admin/integration/syncerror/",
    "admin error": "/admin/integration/syncerror/{error}/change/",
    "admin couplings": "/admin/integration/coupling/",
    "admin users": "/admin/integration/user/",
    "admin new user": "/admin/integration/user/add/",
}
VIEWERS = {
    "check": "/check/",
    "errors": "/errors/",
    "retention": "/retention/",
    "alerts": "/alerts/",
    "not allowed": "/errors/cleanup/?all=1",
    "not allowed in the admin": "/admin/integration/user/",
}
EMPTY = [
    *("overview", "errors", "problems", "couplings", "couplings skipped", "jobs"),
    *("mappings", "connections", "operations", "check", "cleanup all", "alerts"),
]
ACTS = {
    "a selection": ("/errors/", ["tbody .pick"]),
    "an open menu": ("/errors/", [".m-more summary"]),
    "open details": ("/errors/{error}/", [".a-tech summary", ".a-tech .fold summary"]),
    "the relevant as well": ("/errors/cleanup/?all=1", [".fold-block summary"]),
    "a new secret": ("/connections/{connection}/", [".fold-block summary"]),
    "the user's menu": ("/", [".tool-menu:last-of-type summary"]),
}


class Site:
    """The pages on a port, and a window on them for each language."""

    def __init__(self, url: str, keys: Mapping[str, int], sessions: Any) -> None:
        self.url = url
        self.keys = keys
        self.sessions = sessions
        self.complaints: list[str] = []
        self.windows: dict[str, Page] = {}

    def window(self, browser: Browser, language: str, *, user: str = "anna") -> Page:
        """A page that speaks the language, opened once; ``user`` "" is nobody."""
        name = f"{language} {user}"
        if name not in self.windows:
            context = browser.new_context(locale=language, color_scheme="light")
            if user:
                value = self.sessions[user]
                context.add_cookies(
                    [{"name": "sessionid", "value": value, "url": self.url}]
                )
            page = context.new_page()
            page.on("console", lambda message: self.hear(message.type, message.text))
            page.on("pageerror", lambda error: self.hear("error", str(error)))
            self.windows[name] = page
        return self.windows[name]

    def hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and "status of 40" not in text:
            self.complaints.append(text)

    def open(self, page: Page, path: str) -> None:
        page.set_viewport_size({"width": WIDTHS[0][0], "height": WIDTHS[0][1]})
        page.goto(self.url + path.format(**self.keys), wait_until="load")
        page.evaluate(AXE)

    def close(self) -> None:
        for page in self.windows.values():
            page.context.close()


@contextmanager
def served(scene: str) -> Iterator[Site]:
    """The pages of a process of their own; it ends when its input does."""
    command = [sys.executable, "-m", "tests.journeys.pages_server", scene]
    with subprocess.Popen(  # noqa: S603  # our own module
        command,
        cwd=REPOSITORY,
        env=environment(Path()),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        site = Site(told["url"], told["keys"], told["sessions"])
        yield site
        site.close()
        process.communicate()


@pytest.fixture(scope="module")
def site(browser: Browser) -> Iterator[Site]:
    """Every page with rows in every state."""
    with served("full") as site:
        yield site


@pytest.fixture(scope="module")
def fresh_site(browser: Browser) -> Iterator[Site]:
    """An installation on which nothing has happened."""
    with served("nobody") as site:
        yield site


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    # Fetching style sheets once more, as axe would, is against the policy.
    options = {"resultTypes": ["violations"], "preload": False, **rules}
    found = page.evaluate(f"axe.run(document, {json.dumps(options)})")["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        for node in one["nodes"]
    ]


def spills(page: Page) -> bool:
    return bool(
        page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    )


def examine(site: Site, page: Page) -> list[str]:
    """Everything wrong with what the window shows, at both widths in both themes."""
    wrong: list[str] = []
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        wrong += [f"{width}: it spills"] * spills(page)
        for theme, rules in (
            ("light", {"runOnly": {"type": "tag", "values": TAGS}}),
            ("dark", {"runOnly": {"type": "rule", "values": COLOURS}}),
        ):
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
@pytest.mark.parametrize("name", ACTS)
def test_what_a_click_opens_has_no_violation(
    browser: Browser, site: Site, name: str, language: str
) -> None:
    page = site.window(browser, language)
    path, clicks = ACTS[name]

    site.open(page, path)
    for target in clicks:
        page.locator(target).first.click()

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
    page.evaluate(AXE)

    assert examine(site, page) == []


def test_focus_starts_on_keeping_everything(browser: Browser, site: Site) -> None:
    page = site.window(browser, "en-GB")

    site.open(page, PAGES["cleanup old"])

    assert page.evaluate("document.activeElement.textContent") == "Keep everything"
