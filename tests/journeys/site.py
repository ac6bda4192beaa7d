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
    "error settled": "/errors/{settled}/",
    "error being retried": "/errors/{tried}/",
    "error to answer": "/errors/{conflict}/",
    "answer": "/errors/{conflict}/answer/?take=sales",
    "answer field by field": "/errors/{conflict}/answer/?take=fields",
    "answer: restore": "/errors/{deletion}/answer/?take=restore",
    "answer: remove the coupling": "/errors/{deletion}/answer/?take=uncouple",
    "answer: delete, too": "/errors/{deletion}/answer/?take=delete",
    "problems": "/problems/",
    "problem": "/problems/{problem}/",
    "problem unknown": "/problems/{unknown}/",
    "problem of a storm": "/problems/{storm}/",
    "error of a storm": "/errors/{failed_alike}/",
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
    "mapping in a storm": "/mappings/{stormy}/",
    "mapping being reviewed": "/mappings/{reviewed}/",
    "connections": "/connections/",
    "connection": "/connections/{connection}/",
    "connection paused": "/connections/{paused}/",
    "operations": "/operations/",
    "operation": "/operations/{operation}/",
    "check operation": "/operations/{check}/",
    "retry": "/operations/{retry}/",
    "retry, what failed": "/operations/{retry}/?outcome=failed",
    "retry before it begins": "/errors/retry/{prepared}/",
    "ignoring many before it begins": "/errors/handle/{handled}/",
    "setup": "/setup/",
    "users": "/users/",
    "retention": "/retention/",
    "check": "/check/",
    "explain": "/explain/",
    "alerts": "/alerts/",
    "articles": "/articles/",
    "article": "/articles/dv-missing-privilege/",
    "article taught": "/articles/taught-{taught}/",
    "article to change": "/articles/taught-{taught}/change/",
    "article to teach": "/articles/teach/?problem={unknown}",
    "account": "/account/",
    "not found": "/nothing/",
    "trouble not understood": "/trouble/400/",
    "trouble of a form too old": "/trouble/403/",
    "trouble of ours": "/trouble/500/",
    "trouble with the database": "/trouble/503/",
    "admin": "/admin/",
    "admin errors": "/admin/integration/syncerror/",
    "admin error": "/admin/integration/syncerror/{error}/change/",
    "admin error's history": "/admin/integration/syncerror/{error}/history/",
    "admin couplings": "/admin/integration/coupling/",
    "admin coupling": "/admin/integration/coupling/{coupling}/change/",
    "admin coupling's history": "/admin/integration/coupling/{coupling}/history/",
    "admin jobs": "/admin/integration/job/",
    "admin job": "/admin/integration/job/{job}/change/",
    "admin job's history": "/admin/integration/job/{job}/history/",
    "admin users": "/admin/integration/user/",
    "admin new user": "/admin/integration/user/add/",
    "admin user": "/admin/integration/user/1/change/",
    "admin user's history": "/admin/integration/user/1/history/",
    "admin deletes a user": "/admin/integration/user/2/delete/",
    "admin password of a user": "/admin/integration/user/2/password/",
    "admin own password": "/admin/password_change/",
    "admin own password changed": "/admin/password_change/done/",
    "admin of the product": "/admin/integration/",
}
"""Every page in each of its states, as the administrator of the full scene has it."""
STRANGERS = {"sign in": "/login/", "admin sign in": "/admin/login/"}
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
LONG = [
    *("overview", "errors", "error", "problems", "problem", "cleanup all", "answer"),
    *("couplings", "coupling", "jobs", "mappings", "mapping", "connections"),
    *("connection", "operations", "check", "users", "alerts", "account"),
]
"""Opened once more where companies, records and people have long names."""
ACTS = {
    "a selection": ("/errors/", ["tbody .pick"]),
    "an open menu": ("/errors/", [".m-more summary"]),
    "a selection to ignore": ("/errors/", ["tbody .pick", ".selbar .menu summary"]),
    "a settled error that may come back": (
        "/errors/{settled}/",
        ["#became summary", "#records summary"],
    ),
    "an error to ignore": ("/errors/{error}/", [".actions .menu summary"]),
    "the theme's menu": ("/", [".tool-menu summary"]),
    "a new password": ("/connections/{paused}/", [".fold-block summary"]),
    "open details": (
        "/errors/{error}/",
        [".a-tech summary", ".a-tech .fold .fold summary"],
    ),
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
            page.on(
                "console", lambda told: self.hear(told.type, told.text, told.location)
            )
            page.on("pageerror", lambda error: self.hear("error", str(error)))
            self.windows[name] = page
        return self.windows[name]

    def hear(
        self, kind: str, text: str, place: Mapping[str, Any] | None = None
    ) -> None:
        expected = "status of 40" in text or "/trouble/" in (place or {}).get("url", "")
        if kind in {"error", "warning"} and not expected:
            self.complaints.append(text)

    def open(self, page: Page, path: str) -> None:
        page.set_viewport_size({"width": WIDTHS[0][0], "height": WIDTHS[0][1]})
        page.goto(self.url + path.format(**self.keys), wait_until="load")

    def act(self, page: Page, name: str) -> None:
        """Open what the clicks of an act open."""
        path, clicks = ACTS[name]
        self.open(page, path)
        for target in clicks:
            page.locator(target).first.click()

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
