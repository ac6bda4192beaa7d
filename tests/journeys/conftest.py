"""A real browser for what only a browser shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.journeys.outside import IN_CI
from tests.journeys.person import ENGLISH
from tests.journeys.site import Site, served

CHROMIUM = Path("/usr/bin/chromium")
"""Debian's package; nothing is downloaded."""
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all journeys; without it they are skipped, but not in CI."""
    if not CHROMIUM.exists():
        if IN_CI:
            pytest.fail(f"{CHROMIUM} is missing; install the package chromium.")
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, headless=True
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def site(browser: Browser) -> Iterator[Site]:
    """Every page with rows in every state."""
    with served("full") as site:
        yield site


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A window in English; its browser complains of nothing."""
    page = site.window(browser, ENGLISH)
    site.complaints.clear()
    yield page
    page.unroute_all()
    assert site.complaints == []
