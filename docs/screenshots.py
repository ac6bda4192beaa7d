"""Make the pictures of the documentation from a running quickstart.

``uv run --group dev python docs/screenshots.py`` starts quickstart on a directory and
ports of its own, signs in with a Chromium of this system (``CHROMIUM`` names another
one than /usr/bin/chromium), and writes ``docs/images``.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")  # noqa: TID251  (no Django here)
LARGEST_BYTES = 200_000
SIGN_IN = re.compile(r"Open\s+(?P<base>http://[^/\s]+)(?P<path>/sign-in/\S+)")
WIDE, NARROW = (1366, 768), (390, 844)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture; ``link`` is followed first: the first link with such an address."""

    name: str
    path: str
    link: str = ""
    language: str = "en"
    theme: str = "light"
    size: tuple[int, int] = WIDE


SHOTS = (
    Shot("overview", "/"),
    Shot("errors-light", "/errors/"),
    Shot("errors-dark", "/errors/", theme="dark"),
    Shot("errors-fr", "/errors/", language="fr-ch"),
    Shot("errors-390", "/errors/", size=NARROW),
    Shot("error", "/errors/?q=website", link=r"^/errors/\d+/"),
    Shot("problems", "/problems/"),
    Shot("cleanup", "/errors/cleanup/?all=1"),
    Shot("couplings", "/couplings/"),
    Shot("jobs", "/jobs/"),
    Shot("mapping", "/mappings/", link=r"^/mappings/\d+/"),
    Shot("connection", "/connections/", link=r"^/connections/\d+/"),
    Shot("operations", "/operations/"),
)


def main() -> None:
    """Write every picture; exit 1 with a sentence when one cannot be made."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        running_quickstart(Path(folder)) as (base, path),
        sync_playwright() as play,
        play.chromium.launch(executable_path=CHROMIUM) as browser,
    ):
        cookies = signed_in(browser, base + path)
        for shot in SHOTS:
            take(browser, cookies, base, shot)


@contextmanager
def running_quickstart(data: Path) -> Iterator[tuple[str, str]]:
    """Its address and the path that signs in; it has ended afterwards."""
    command = [sys.executable, "manage.py", "quickstart", "--data", str(data)]
    process = subprocess.Popen(  # noqa: S603  (our own command)
        [*command, "--port", "0", "--sim-port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield address_of(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def address_of(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Read what it says until it names the sign-in link."""
    for line in process.stdout or ():
        sys.stderr.write(line)
        if found := SIGN_IN.search(line):
            return found["base"], found["path"]
    sys.exit("quickstart ended before its pages could be opened")


def signed_in(browser: Browser, link: str) -> list[dict[str, object]]:
    """The cookies of a session; the link works once."""
    with browser.new_context() as context:
        page = context.new_page()
        answer = page.goto(link)
        if answer is None or not answer.ok:
            sys.exit(f"the sign-in link answered {answer.status if answer else 0}")
        hide = page.locator("form[action$='/demonstration/hide/']")
        if hide.count():
            hide.evaluate("form => form.requestSubmit()")
            page.wait_for_load_state()
        return [dict(cookie) for cookie in context.cookies()]


def take(
    browser: Browser, cookies: list[dict[str, object]], base: str, shot: Shot
) -> None:
    """One picture, in its language, theme and size."""
    width, height = shot.size
    with browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    ) as context:
        context.add_cookies(cookies)  # type: ignore[arg-type]  # as they were given
        page = context.new_page()
        page.goto(base)
        choose(page, "theme", shot.theme)
        choose(page, "language", shot.language)
        answer = page.goto(base + shot.path)
        if answer is None or not answer.ok:
            sys.exit(f"{shot.path} answered {answer.status if answer else 0}")
        if shot.link:
            follow(page, shot)
        save(page, shot.name)


def choose(page: Page, name: str, value: str) -> None:
    """Press the switch of the top bar, unless it is as wished already."""
    button = page.locator(f"button[name='{name}'][value='{value}']")
    if button.count():
        button.first.evaluate("button => button.form.requestSubmit(button)")
        page.wait_for_load_state("networkidle")


def follow(page: Page, shot: Shot) -> None:
    """The first link of the page whose address looks so."""
    links = page.locator("main a[href]")
    hrefs = [link.get_attribute("href") or "" for link in links.all()]
    found = next((href for href in hrefs if re.match(shot.link, href)), None)
    if found is None:
        sys.exit(f"{shot.path} has no link like {shot.link}")
    page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + found)


def save(page: Page, name: str) -> None:
    """Only what is in sight, and small enough to be kept in the repository."""
    page.wait_for_load_state("networkidle")
    picture = page.screenshot(animations="disabled")
    if len(picture) > LARGEST_BYTES:
        sys.exit(f"{name}.png is {len(picture):,} bytes, more than {LARGEST_BYTES:,}")
    (IMAGES / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
