"""What people feel, in Chromium (design §8): filter, detail, size, layout shift.

    [DATABASE_URL=postgres://…] python -m benchmarks.painting [--rounds 20] [--rows N]

The pages come from a server in this process; nothing is cached between rounds.
"""

import argparse
import gzip
from statistics import quantiles
from typing import Any

from benchmarks import databases  # isort: skip  # it sets Django up

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connection
from django.test import Client
from django.test.testcases import LiveServerThread
from playwright.sync_api import Page, sync_playwright

_CHROMIUM = "/usr/bin/chromium"
_FILTER = """who => new Promise(done => {
  const start = performance.now();
  document.addEventListener('htmx:afterSwap', () =>
    requestAnimationFrame(() => requestAnimationFrame(() =>
      done(performance.now() - start))), {once: true});
  const radio = document.querySelector(`.filters [name=who][value="${who}"]`);
  radio.checked = true;
  radio.dispatchEvent(new Event('change', {bubbles: true}));
})"""
_PAINTED = """() => new Promise(done => {
  new PerformanceObserver(list => {
    const [painted] = list.getEntriesByName('first-contentful-paint');
    if (painted) done(painted.startTime);
  }).observe({type: 'paint', buffered: true});
})"""
_SHIFT = """() => new Promise(done => {
  let shifted = 0;
  new PerformanceObserver(list => list.getEntries().forEach(
    entry => { if (!entry.hadRecentInput) shifted += entry.value; })
  ).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(shifted), 300);
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    databases.use(options.rows)
    client = Client()
    client.force_login(databases.administrator())
    size = len(gzip.compress(client.get("/errors/").content))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    server = LiveServerThread("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    origin = f"http://127.0.0.1:{server.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": origin}]
        )
        found = _look(context.new_page(), origin, options.rounds)
        browser.close()
    server.terminate()
    print(f"{connection.vendor}, {options.rows:,} rows")
    print(f"filter to painted row p75 {found['filter']:.0f} ms")
    print(f"detail painted p75        {found['detail']:.0f} ms")
    print(f"list page compressed      {size / 1000:.1f} kB")
    print(f"layout shift              {found['shift']:.3f}")


def _look(page: Page, origin: str, rounds: int) -> dict[str, float]:
    filters: list[float] = []
    details: list[float] = []
    shift = 0.0
    for turn in range(rounds):
        page.goto(f"{origin}/errors/")
        shift = max(shift, page.evaluate(_SHIFT))
        filters.append(page.evaluate(_FILTER, ("user", "administrator")[turn % 2]))
        links: Any = page.locator("#list a.title")
        page.goto(f"{origin}{links.nth(turn % 20).get_attribute('href')}")
        details.append(page.evaluate(_PAINTED))
    return {
        "filter": quantiles(filters, n=4)[2],
        "detail": quantiles(details, n=4)[2],
        "shift": shift,
    }


if __name__ == "__main__":
    main()
