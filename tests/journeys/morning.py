"""The administrator's morning on a demonstration of its own, in one language."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.journeys import outside
from tests.journeys.person import ENGLISH, FRENCH, SECONDS, Person, Words

FIRST = "Fabrique du Léman SA"
LANGUAGES = [ENGLISH, FRENCH]


@dataclass
class Morning:
    """A demonstration on this machine, and the administrator at its pages."""

    person: Person
    systems: outside.Systems
    data: Path

    def run(self, connection: str = FIRST) -> None:
        """Let a connection synchronize now: before a journey, not in it."""
        outside.manage(self.data, "sync", "--connection", connection)

    def begin(self, cause: Words) -> Person:
        """On the overview, which tells of the cause."""
        person = self.person
        person.start()
        link = person.page.locator("main").get_by_role("link", name=person.of(cause))
        expect(link.first).to_be_visible()
        person.agrees()
        return person

    def to_cause(self, cause: Words) -> Person:
        """From the overview to the page of the cause."""
        person = self.begin(cause)
        person.follow(person.of(cause))
        expect(person.page.locator("h1")).to_have_text(person.of(cause))
        person.agrees()
        return person

    def to_error(self, cause: Words, record: str = "") -> Person:
        """From the overview over the cause to one of its records."""
        person = self.to_cause(cause)
        person.click(person.page.locator(".actions a[href$='&state=relevant']"))
        person.agrees()
        row = person.page.locator("tbody tr", has_text=record).first
        person.click(row.locator("a.title"))
        expect(person.page.locator("h1")).to_have_text(person.of(cause))
        person.agrees()
        return person

    def gone(self, cause: Words) -> None:
        """Nothing fails for this cause any more."""
        person = self.person
        person.until(lambda: person.of(cause) not in person.asked("/problems/"))

    def healed(self) -> None:
        """The open page says so by itself, and every page the same number."""
        resolved = self.person.say("resolved", "state of an error")
        badge = self.person.page.locator(".facts .badge").first
        expect(badge).to_have_text(resolved, timeout=SECONDS * 1000)
        self.person.agrees()


@contextmanager
def a_morning(browser: Browser, language: str, data: Path) -> Iterator[Morning]:
    """The person comes by the printed link."""
    with outside.demonstration(data) as (link, systems):
        context = browser.new_context(locale=language)
        page = context.new_page()
        page.goto(link)
        base = link.partition("/sign-in/")[0]
        assert page.url == f"{base}/", "the link leads to the overview"
        yield Morning(Person(base, page, language), systems, data)
        context.close()
