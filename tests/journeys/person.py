"""A person at the pages: reads one language, clicks, and never reloads.

What the pages say is found by the words of the committed French catalogue; what an
article says stands in the journey's own table.
"""

import gettext
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape

from playwright.sync_api import Locator, Page, expect

from tests.journeys.outside import REPOSITORY

ENGLISH, FRENCH = "en-GB", "fr-CH"
SECONDS = 60
"""So long may it take from a save in a system until our open page says it is healed."""
CHIPS = ("open", "waiting", "ignored")
CHIP = re.compile(r'class="chip" href="\?([^"]*)"[^>]*>[^<]*<b>([^<]*)</b>')
NAVIGATION = re.compile(r'<span class="count"[^>]*>([^<]*)<')
RELEVANT = re.compile(r'href="/errors/\?state=relevant">([^<]*)<')
FIGURE = re.compile(r'^syncerrors_errors\{[^}]*state="(\w+)"[^}]*\} (\S+)$', re.M)

Words = tuple[str, str]
"""What an article says: in English, in French."""


def catalogue(language: str) -> gettext.NullTranslations:
    """The messages of the pages; English ones are their own translation."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    return gettext.translation("django", REPOSITORY / "locale", ["fr_CH"])


def whole(text: str) -> int:
    """The number a text begins with, however it is grouped; 0 without one."""
    found = re.match(r"\s*([\d,.\s\u00a0\u202f’']*)", text)
    return int(re.sub(r"\D", "", found[1] if found else "") or 0)


@dataclass
class Person:
    """Someone who is signed in, and the page they look at. ``clicks`` counts."""

    base: str
    page: Page
    language: str
    clicks: int = 0

    def __post_init__(self) -> None:
        self.words = catalogue(self.language)

    # Words

    def say(self, english: str, context: str = "", **values: object) -> str:
        """How the pages say it in the person's language."""
        if context:
            said = self.words.pgettext(context, english)
        else:
            said = self.words.gettext(english)
        return said % values if values else said

    def count(self, one: str, more: str, n: int) -> str:
        """A sentence with a number, as ``{% blocktranslate count %}`` has it."""
        return self.words.ngettext(one, more, n) % {"count": n, "n": n}

    def of(self, words: Words) -> str:
        """What the article says in the person's language."""
        return words[self.language == FRENCH]

    # Acts

    def start(self) -> None:
        """Type the only address of a journey: the overview's."""
        self.page.goto(f"{self.base}/")
        self.clicks = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1

    def follow(self, name: str, inside: str = "main") -> None:
        """Click the first link called so."""
        self.click(self.page.locator(inside).get_by_role("link", name=name).first)

    def press(self, name: str) -> None:
        """Click the first button called so."""
        self.click(self.page.locator("main").get_by_role("button", name=name).first)

    @contextmanager
    def opened(self, link: Locator) -> Iterator[Page]:
        """Click a link out of our pages; the record's page, closed afterwards."""
        with self.page.expect_popup() as popup:
            self.click(link)
        yield popup.value
        popup.value.close()

    @contextmanager
    def cured(self, words: Words) -> Iterator[Page]:
        """Press the filled button; the page it opens, which is saved afterwards."""
        link = self.page.locator(".actions").get_by_role("link", name=self.of(words))
        with self.opened(link) as record:
            yield record
            self.save(record)

    def save(self, record: Page) -> None:
        """Save what was changed on a record's page of a simulated system."""
        self.click(record.get_by_role("button", name="Save"))
        expect(record.get_by_role("status")).to_have_text("Saved.")

    # What is seen

    def sees(self, *texts: str, seconds: int = SECONDS) -> None:
        """Wait, without a reload, until the open page says all of it."""
        for text in texts:
            place = self.page.get_by_text(text).first
            expect(place).to_be_visible(timeout=seconds * 1000)

    def until(self, is_so: Callable[[], bool], told: object = None) -> None:
        """Wait for a condition. Fails after a minute with what was ``told``."""
        end = time.monotonic() + SECONDS
        while not is_so():
            why = self.page.inner_text("main")[:2000] if told is None else told
            assert time.monotonic() < end, why
            self.page.wait_for_timeout(250)

    def asked(self, path: str) -> str:
        """An address beside the open page, which stays as it is."""
        headers = {"Accept-Language": self.language}
        answer = self.page.request.get(f"{self.base}{path}", headers=headers)
        assert answer.ok, f"{path} answered {answer.status}"
        return unescape(answer.text())

    def figures(self) -> dict[str, tuple[int, ...]]:
        """How many are open, and out of step, by whoever tells it."""
        overview, causes = self.asked("/"), self.asked("/problems/")
        chips = {
            re.sub(r".*state=", "", query) or "open": whole(n)
            for query, n in CHIP.findall(self.asked("/errors/"))
        }
        metrics = dict.fromkeys(CHIPS, 0)
        for state, n in FIGURE.findall(self.asked("/metrics")):
            metrics[state] = metrics.get(state, 0) + int(float(n))
        rows = re.findall(r'class="big"[^>]*>([^<]*)<', causes)
        return {
            "open page": (first(NAVIGATION, self.page.content()),),
            "navigation": (first(NAVIGATION, overview),),
            "chips": (chips.get("open", 0), sum(chips.get(one, 0) for one in CHIPS)),
            "metrics": (metrics["open"], sum(metrics[one] for one in CHIPS)),
            "overview": (first(NAVIGATION, overview), first(RELEVANT, overview)),
            "problems": (first(NAVIGATION, causes), sum(map(whole, rows))),
        }

    def agrees(self) -> None:
        """Navigation, chips, problems, overview and metrics tell the same number.

        A run may end between two questions: then they are asked once more, and a page
        that does not renew itself is loaded again.
        """
        renews = self.page.locator("[data-live], [hx-trigger^=load]")

        def same() -> bool:
            told.update(self.figures())
            if told["open page"] != told["navigation"] and not renews.count():
                self.page.reload()
            return all(one == told["chips"][: len(one)] for one in told.values())

        told: dict[str, tuple[int, ...]] = {}
        self.until(same, told)


def first(pattern: re.Pattern[str], text: str) -> int:
    """The number it finds; 0 where nothing is told, because there is nothing."""
    found = pattern.search(text)
    return whole(found[1]) if found else 0
