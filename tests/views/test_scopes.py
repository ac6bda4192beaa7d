"""What is done to many is done to those that were shown, or to fewer; never to others.

Every action on many rows is a line of ``ACTIONS``: how its confirmation is opened, and
which rows that shows. Between what is shown and the click, and between the click and
its Undo, records fail, heal and come back, and a second person acts. Whatever was done
is then read from the tables, not from what the action says of itself.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from integration import clock
from integration.choices import ItemOutcome
from integration.core.outcomes import Outcome
from integration.models import Job, Operation, OperationItem, SyncError, User
from integration.services import moment
from integration.services.errors import record_outcomes
from integration.services.retry import advance
from tests.factories import make_connection, make_job, make_mapping, make_user
from tests.services.test_errors import cause_of, failed, passed

pytestmark = pytest.mark.django_db
SEEDS = range(3)
RECORDS = 30
START = datetime(2026, 11, 8, 8, 0, tzinfo=UTC)
Rows = dict[int, tuple[Any, ...]]


@dataclass(slots=True)
class World:
    """Two mappings whose records fail and heal, and two people."""

    draw: random.Random
    now: list[datetime]
    jobs: list[Job]
    user: User
    me: Client
    other: Client
    held: set[int] = field(default_factory=set)
    """What the other person retries now: nobody else does."""

    def pass_time(self, span: timedelta) -> None:
        self.now[0] += span

    def happen(self, times: int) -> None:
        """Something, so many times."""
        for _n in range(times):
            self.pass_time(timedelta(minutes=self.draw.randrange(1, 90)))
            self.draw.choice(
                (self.fail, self.fail, self.fail, self.heal, self.meddle)
            )()

    def fail(self) -> None:
        key, code = self._key(), self.draw.choice(("long", "plain", "other"))
        waits = self.draw.choice(("", "", "", "CURRENCY:EUR"))
        self._record(failed(key, code, waits_for=waits))

    def heal(self) -> None:
        self._record(passed(self._key()))

    def meddle(self) -> None:
        """The other person does something to a few of those in the list."""
        what = self.draw.choice(("delete", "ignore", "resolve", "retry"))
        ids = listed(self.other, "/errors/?state=relevant")
        few = self.draw.sample(sorted(ids), min(2, len(ids)))
        if few:
            self.other.post(f"/errors/{what}/", {"entry": few})
        if what == "retry":
            self.held.update(few)

    def _key(self) -> str:
        return str(self.draw.randrange(RECORDS))

    def _record(self, outcome: Outcome) -> None:
        with transaction.atomic():
            record_outcomes(self.draw.choice(self.jobs), [outcome], cause_of)


def listed(person: Client, address: str) -> set[int]:
    """Every row of the list behind an address, over all its pages."""
    found: set[int] = set()
    while address:
        page = person.get(address).content.decode()
        found |= {int(key) for key in re.findall(r'name="entry" value="(\d+)"', page)}
        following = re.search(r'<a[^>]*rel="next"[^>]*href="([^"]+)"', page)
        address = f"/errors/{unescape(following[1])}" if following else ""
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """A confirmation: the rows it shows, and where its button sends what."""

    ids: set[int]
    address: str = ""
    form: dict[str, Any] = field(default_factory=dict)


def cleanup(query: str, *, relevant: bool = False) -> Callable[[World], Shown]:
    """The preview: the rows behind each reason, and those that are kept."""

    def show(world: World) -> Shown:
        page = world.me.get(f"/errors/cleanup/?{query}&kept=all").content.decode()
        reasons = re.search(r'<ul class="reasons">(.*?)</ul>', page, re.DOTALL)
        assert reasons
        links = re.findall(r'href="([^"]+)"', reasons[1])
        ids = {key for link in links for key in listed(world.me, unescape(link))}
        if relevant:
            ids |= {int(key) for key in re.findall(r'href="/errors/(\d+)/', page)}
        form = re.search(r'class="a-act" method="post" action="([^"]+)"', page)
        token = re.search(r'name="token" value="([^"]+)"', page)
        assert form
        assert token
        typed = re.search(r'<label class="label" for="typed">Type (\d+)<', page)
        sent = {"token": token[1], "do": "delete"}
        if relevant:
            sent |= {"do": "delete-all", "typed": typed[1] if typed else ""}
        return Shown(ids, unescape(form[1]), sent)

    return show


def selection(what: str, listing: str) -> Callable[[World], Shown]:
    """Some rows of a list; what is selected is what is shown."""

    def show(world: World) -> Shown:
        ids = sorted(listed(world.me, f"/errors/?state={listing}"))
        few = world.draw.sample(ids, len(ids) // 2)
        return Shown(set(few), f"/errors/{what}/", {"entry": few})

    return show


def retry_of_all(query: str) -> Callable[[World], Shown]:
    """The preview of a retry, with the list it was made of."""

    def show(world: World) -> Shown:
        problem = SyncError.objects.relevant().values_list("problem", flat=True).first()
        asked = query.format(problem=problem)
        page = world.me.post(f"/errors/retry/?{asked}", {"do": "all"}, follow=True)
        html = page.content.decode()
        start = re.search(r'action="(/errors/retry/\d+/start/)"', html)
        back = re.search(r'<a class="btn" href="(/errors/[^"]*)">Try nothing', html)
        assert start
        assert back
        return Shown(listed(world.me, unescape(back[1])), start[1])

    return show


ACTIONS: dict[str, Callable[[World], Shown]] = {
    "delete older than 7 days": cleanup("older_than=7"),
    "delete older than 7 days of one mapping": cleanup("older_than=7&mapping=CUSTOMER"),
    "delete older than 7 days with the relevant": cleanup(
        "older_than=7", relevant=True
    ),
    "delete all": cleanup("all=1"),
    "delete all of one direction": cleanup("all=1&direction=to_sales"),
    "delete all of a search with the relevant": cleanup(
        "all=1&q=Refused", relevant=True
    ),
    "delete the selected": selection("delete", "all"),
    "ignore the selected": selection("ignore", "open"),
    "resolve the selected": selection("resolve", "open"),
    "retry the selected": selection("retry", "relevant"),
    "retry all that match": retry_of_all("state=open&mapping=CUSTOMER"),
    "retry a whole cause": retry_of_all("problem={problem}&state=relevant"),
}
NO_UNDO = {name for name in ACTIONS if name.startswith("retry")}


@pytest.fixture(params=SEEDS)
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two weeks of failing and healing."""
    now = [START]
    monkeypatch.setattr(moment, "read_clock", lambda: now[0])
    connection = make_connection()
    mappings = [
        make_mapping(name, connection=connection, reviewed_at=clock.now())
        for name in ("CUSTOMER", "VENDOR")
    ]
    me, other = Client(), Client()
    user = make_user()
    me.force_login(user)
    other.force_login(make_user())
    jobs = [make_job(mapping) for mapping in mappings]
    draw = random.Random(request.param)  # noqa: S311  (test data)
    found = World(draw, now, jobs, user, me, other)
    found.happen(40)
    found.pass_time(timedelta(days=6))
    found.happen(30)
    return found


def rows() -> Rows:
    """Each row as it is, and whether the list shows it."""
    in_sight = SyncError.objects.visible(Operation.objects.cuts())
    seen = set(in_sight.values_list("pk", flat=True))
    columns = ("state", "chip", "settled_at", "ignored_until", "occurrences")
    found = SyncError.objects.values_list("pk", "last_seen", *columns)
    return {key: (key in seen, *values) for key, *values in found}


def changed(before: Rows, after: Rows) -> set[int]:
    return {key for key, row in after.items() if before.get(key) != row}


def done_by(operation: Operation, before: Rows, after: Rows) -> set[int]:
    """What an action did: the rows it changed, or those it is going to try."""
    if operation.kind != "retry":
        return changed(before, after)
    assert changed(before, after) == set()
    tried = OperationItem.objects.filter(
        operation=operation, outcome=ItemOutcome.PENDING
    )
    return set(tried.values_list("error", flat=True))


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_done_is_what_was_shown_whatever_happens_meanwhile(
    world: World, action: str
) -> None:
    shown = ACTIONS[action](world)
    at_sight = rows()

    world.happen(12)
    at_click = rows()
    world.me.post(shown.address, shown.form)
    operation = Operation.objects.filter(by=world.user).latest("id")
    advance(operation.pk)
    after = rows()

    done = done_by(operation, at_click, after)
    touched = changed(at_sight, at_click) | world.held
    assert done <= shown.ids
    assert shown.ids - done <= touched
    if action in NO_UNDO:
        return

    world.happen(12)
    before_undo = rows()
    since = changed(after, before_undo)
    world.me.post(f"/operations/{operation.pk}/undo/")

    end = rows()
    assert changed(before_undo, end) <= done
    for key in done - since:
        assert end[key] == at_click[key]
