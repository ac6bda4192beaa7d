"""The pages with the rows of a scene, and windows on them in both languages."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

from playwright.sync_api import Browser, Page

from tests.journeys.outside import REPOSITORY, environment

WIDTHS = ((1366, 768), (390, 844))


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
