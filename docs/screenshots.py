"""Make the pictures of the documentation, and one of every page in every guise.

``uv run --group dev python docs/screenshots.py`` starts quickstart on a directory and
ports of its own, signs in with a Chromium of this system (``CHROMIUM`` names another
one than /usr/bin/chromium), and writes ``docs/images``. Then it opens every page that
``tests/journeys`` examines, on the rows of its scene, and writes ``docs/images/pages``:
light and dark, English and French, as an administrator has them, as a viewer and a
stranger do, with what a click opens, with long names in French, which sets the widths,
and before anything is set up. They weigh 7 MB, so that folder is not committed. With
``--pages`` it makes these only, and leaves those of the documentation as they are.
"""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from argparse import ArgumentParser
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin
from zlib import crc32

import httpx2
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.journeys.site import (  # noqa: E402  (after its place is known)
    ACTS,
    EMPTY,
    LONG,
    PAGES,
    STRANGERS,
    VIEWERS,
    Site,
    served,
)

IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")  # noqa: TID251  (no Django here)
PAGES_FOLDER = IMAGES / "pages"
LARGEST_BYTES, LARGEST_FOLDER = 200_000, 7_000_000
SIGHT = {"x": 0, "width": 1366, "height": 768, "scale": 0.7}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUE_COLOUR, PAETH = 2, 4
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
    Shot("error", "/errors/?q=10130", link=r"^/errors/\d+/"),
    Shot("problems", "/problems/"),
    Shot("couplings", "/couplings/"),
    Shot("mapping", "/mappings/", link=r"^/mappings/\d+/"),
    Shot("connection", "/connections/", link=r"^/connections/\d+/"),
    Shot("operations", "/operations/"),
)
AFTER_HEALING = (
    Shot("jobs", "/jobs/"),
    Shot("cleanup", "/errors/cleanup/?all=1"),
)
RATE_OF_GBP = {
    "system": "business_central",
    "entity": "currencyExchangeRates",
    "action": "add",
    "records": [
        {
            "currencyCode": "GBP",
            "startingDate": "2026-01-01",
            "exchangeRateAmount": 100,
            "relationalExchangeRateAmount": 112,
        }
    ],
}


def main() -> None:
    """Write every picture; exit 1 with a sentence when one cannot be made."""
    asked = ArgumentParser(description="Make the pictures of the documentation.")
    asked.add_argument(
        "--pages", action="store_true", help=f"only those in {PAGES_FOLDER}"
    )
    only_pages = asked.parse_args().pages
    IMAGES.mkdir(exist_ok=True)
    with (
        sync_playwright() as play,
        play.chromium.launch(executable_path=CHROMIUM) as browser,
    ):
        if not only_pages:
            take_the_documentation(browser)
        take_every_page(browser)


def take_the_documentation(browser: Browser) -> None:
    """On the simulators' companies, before and after one cause is mended."""
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        running_quickstart(Path(folder)) as (base, path),
    ):
        cookies = signed_in(browser, base + path)
        for shot in SHOTS:
            take(browser, cookies, base, shot)
        heal(Path(folder))
        for shot in AFTER_HEALING:
            take(browser, cookies, base, shot)


def take_every_page(browser: Browser) -> None:
    """Each in both languages and both themes; what is no page any more goes."""
    PAGES_FOLDER.mkdir(exist_ok=True)
    for old in PAGES_FOLDER.glob("*.webp"):
        old.unlink()
    for language in ("en-GB", "fr-CH"):
        with served("full") as site:
            take_pages(site, site.window(browser, language), PAGES)
            strangers = site.window(browser, language, user="")
            take_pages(site, strangers, STRANGERS)
            viewers = site.window(browser, language, user="vera")
            take_pages(site, viewers, VIEWERS, "viewer ")
            for name in ACTS:
                site.act(site.window(browser, language), name)
                take_guises(site.window(browser, language), name)
        with served("nobody") as site:
            empty = {name: PAGES[name] for name in EMPTY}
            take_pages(site, site.window(browser, language), empty, "at first ")
    with served("long") as site:
        long = {name: PAGES[name] for name in LONG}
        take_pages(site, site.window(browser, "fr-CH"), long, "long names ")
    weight = sum(file.stat().st_size for file in PAGES_FOLDER.iterdir())
    if weight > LARGEST_FOLDER:
        sys.exit(f"{PAGES_FOLDER} is {weight:,} bytes, more than {LARGEST_FOLDER:,}")


def take_pages(site: Site, page: Page, paths: dict[str, str], of: str = "") -> None:
    """What a window shows at each of the addresses."""
    for name, path in paths.items():
        site.open(page, path)
        take_guises(page, of + name)


def take_guises(page: Page, name: str) -> None:
    """What the window shows, light and dark."""
    wire = page.context.new_cdp_session(page)
    language = page.evaluate("document.documentElement.lang")[:2]
    title = re.sub(r"[^a-z]+", "-", name)
    # A click may have scrolled.
    seen = {**SIGHT, "y": page.evaluate("scrollY")}
    small = {"format": "webp", "quality": 25, "clip": seen}
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        told = wire.send("Page.captureScreenshot", small)
        file = f"{title}-{language}-{theme}.webp"
        (PAGES_FOLDER / file).write_bytes(b64decode(told["data"]))
    wire.detach()


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


def heal(data: Path) -> None:
    """Give the currency its rate, so that errors are resolved; both mappings run."""
    addresses = json.loads((data / "simulators.json").read_text(encoding="utf-8"))
    control = f"{addresses['control_url']}/records"
    httpx2.post(control, json=RATE_OF_GBP).raise_for_status()
    command = ["manage.py", "sync", "--connection", addresses["company_name"]]
    environment = os.environ | {"SYNCERRORS_DATA_DIR": str(data)}  # noqa: TID251  (no Django here)
    subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=False)  # noqa: S603  (our own command)


def signed_in(browser: Browser, link: str) -> list[dict[str, object]]:
    """The cookies of a session; the link works once."""
    with browser.new_context() as context:
        page = context.new_page()
        answer = page.goto(link)
        if answer is None or not answer.ok:
            sys.exit(f"the sign-in link answered {answer.status if answer else 0}")
        hide = page.locator("button[formaction$='/demonstration/hide/']")
        if hide.count():
            with page.expect_navigation():
                hide.evaluate("button => button.form.requestSubmit(button)")
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
        with page.expect_navigation():
            button.first.evaluate("button => button.form.requestSubmit(button)")


def follow(page: Page, shot: Shot) -> None:
    """The first link of the page whose address looks so."""
    links = page.locator("main a[href]")
    hrefs = [link.get_attribute("href") or "" for link in links.all()]
    found = next((href for href in hrefs if re.match(shot.link, href)), None)
    if found is None:
        sys.exit(f"{shot.path} has no link like {shot.link}")
    page.goto(urljoin(page.url, found))


def save(page: Page, name: str) -> None:
    """Only what is in sight, and small enough to be kept in the repository."""
    page.wait_for_load_state("networkidle")
    picture = smaller(page.screenshot(animations="disabled"))
    if len(picture) > LARGEST_BYTES:
        sys.exit(f"{name}.png is {len(picture):,} bytes, more than {LARGEST_BYTES:,}")
    (IMAGES / f"{name}.png").write_bytes(picture)


def smaller(png: bytes) -> bytes:
    """The same picture without row filters: of text they make a quarter more."""
    chunks = dict(chunks_of(png))
    width, _height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    if (depth, colour) != (8, TRUE_COLOUR):
        return png
    rows = unfiltered(zlib.decompress(chunks[b"IDAT"]), 3 * width)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    kept = ((b"IHDR", chunks[b"IHDR"]), (b"IDAT", data), (b"IEND", b""))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", crc32(kind + body))
        for kind, body in kept
    )


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each part; those of the picture itself joined into one."""
    place, data = len(SIGNATURE), b""
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind = png[place + 4 : place + 8]
        body = png[place + 8 : place + 8 + length]
        place += 12 + length
        if kind == b"IDAT":
            data += body
        else:
            yield kind, body
    yield b"IDAT", data


def unfiltered(data: bytes, length: int) -> Iterator[bytes]:
    """Each row's bytes as they are, three per point (PNG specification, section 9)."""
    above = bytearray(length)
    for start in range(0, len(data), length + 1):
        way = data[start]
        row = bytearray(data[start + 1 : start + 1 + length])
        for place in range(length) if way else ():
            left = row[place - 3] if place >= 3 else 0
            corner = above[place - 3] if place >= 3 else 0
            row[place] = (row[place] + guess(way, left, above[place], corner)) & 255
        yield bytes(row)
        above = row


def guess(way: int, left: int, above: int, corner: int) -> int:
    """What the filter of a row took away: left, above, their mean, or Paeth's."""
    if way == PAETH:
        near = left + above - corner
        return min((left, above, corner), key=lambda value: abs(near - value))
    return (0, left, above, (left + above) // 2)[way]


if __name__ == "__main__":
    main()
