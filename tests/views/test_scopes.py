"""What is done to many is done to those that were shown, or to fewer; never to others.

Every action on many rows is a line of ``ACTIONS``: how its confirmation is opened, and
which rows that shows. Between what is shown and the click, between two chunks, and
between the click and its Undo, records fail, heal and come back, and a second person
acts. Whatever was done is then read from the tables, not from what the action says of
itself. Addresses and buttons are counted: a new one has to be among them.
"""

import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.db.models import Count
from django.test import Client
from django.urls import resolve

from integration import clock
from integration.choices import ItemOutcome
from integration.core.outcomes import Outcome
from integration.models import Job, Operation, OperationItem, SyncError, User
from integration.services import handling, handling_of_many, moment, retry
from integration.services.errors import record_outcomes
from tests.factories import make_connection, make_job, make_mapping, make_user
from tests.services.test_errors import cause_of, failed, passed
from tests.views.test_addresses import OURS, address
from tests.views.test_addresses import keys as keys  # a fixture

pytestmark = pytest.mark.django_db
SEEDS = range(3)
RECORDS = 30
FEW = 4
"""Rows handled at a time: something happens before the next."""
START = datetime(2026, 11, 8, 8, 0, tzinfo=UTC)
SOME_DAY = "2099-01-01"


class Row(NamedTuple):
    """A row as it is, whether the list shows it, and who ignored or resolved it."""

    in_sight: bool
    state: str
    chip: str
    settled_at: datetime | None
    ignored_until: datetime | None
    handled_by: int | None
    occurrences: int


Rows = dict[int, Row]


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
    grown: list[int] = field(default_factory=list)
    """The causes a further record failed for, in that order."""

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
        failing = SyncError.objects.relevant()
        before = list(failing.values_list("pk", flat=True))
        self._record(failed(key, code, waits_for=waits))
        self.grown += failing.exclude(pk__in=before).values_list("problem", flat=True)

    def heal(self) -> None:
        self._record(passed(self._key()))

    def meddle(self) -> None:
        """The other person does something to a few of those in the list."""
        what = self.draw.choice(("delete", "ignore", "resolve", "retry"))
        ids = listed(self.other, "/errors/?state=relevant")
        few = self.draw.sample(sorted(ids), min(2, len(ids)))
        if few:
            until = self.draw.choice(("", SOME_DAY))
            self.other.post(f"/errors/{what}/", {"entry": few, "until": until})
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
        form = re.search(r'method="post" action="(/errors/cleanup/[^"]+)"', page)
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


def opening_again(world: World) -> Shown:
    """Some of what was ignored, by anybody."""
    open_ones = sorted(listed(world.other, "/errors/"))
    for until, some in (("", open_ones[::2]), (SOME_DAY, open_ones[1::2])):
        world.other.post("/errors/ignore/", {"entry": some, "until": until})
    return selection("reopen", "ignored")(world)


def all_of(what: str, query: str, until: str = "") -> Callable[[World], Shown]:
    """The preview of an action on a whole list, with the list it was made of.

    What is ignored already is in the list, and the page says that it stays so.
    """

    def show(world: World) -> Shown:
        problem = SyncError.objects.relevant().values_list("problem", flat=True).first()
        asked = query.format(problem=problem)
        page = world.me.post(f"/errors/{what}/?{asked}", {"do": "all"}, follow=True)
        html = page.content.decode()
        start = re.search(r'action="(/errors/\w+/\d+/start/)"', html)
        back = re.search(r'<a class="btn" href="(/errors/[^"]*)">', html)
        number = re.search(r"<h1>\D*(\d+)\D*</h1>", html)
        assert start
        assert back
        assert number
        ids = listed(world.me, unescape(back[1]))
        assert len(ids) == int(number[1])
        if what == "ignore":
            ids -= listed(world.me, "/errors/?state=ignored")
        return Shown(ids, start[1], {"until": until})

    return show


OF_A_SEARCH = "delete all of a search with the relevant"
REFUSED = "were settled since the preview was made"
"""What is in step again is called as it is now, so a search may find it anew."""
WHOLE_CAUSE = "problem={problem}&state=relevant"


ACTIONS: dict[str, Callable[[World], Shown]] = {
    "delete older than 7 days": cleanup("older_than=7"),
    "delete older than 7 days of one mapping": cleanup("older_than=7&mapping=CUSTOMER"),
    "delete older than 7 days with the relevant": cleanup(
        "older_than=7", relevant=True
    ),
    "delete all": cleanup("all=1"),
    "delete all of one direction": cleanup("all=1&direction=to_sales"),
    OF_A_SEARCH: cleanup("all=1&q=Refused", relevant=True),
    "delete the selected": selection("delete", "all"),
    "ignore the selected": selection("ignore", "open"),
    "open the selected again": opening_again,
    "resolve the selected": selection("resolve", "relevant"),
    "retry the selected": selection("retry", "relevant"),
    "retry all that match": all_of("retry", "state=open&mapping=CUSTOMER"),
    "retry a whole cause": all_of("retry", WHOLE_CAUSE),
    "ignore all that match": all_of("ignore", "state=open&mapping=CUSTOMER"),
    "ignore a whole cause until a day": all_of("ignore", WHOLE_CAUSE, SOME_DAY),
    "resolve all that match": all_of("resolve", "state=relevant&mapping=CUSTOMER"),
    "resolve a whole cause": all_of("resolve", WHOLE_CAUSE),
}
NO_UNDO = {name for name in ACTIONS if name.startswith("retry")}


@pytest.fixture(scope="module")
def lived(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[World]:
    """Two weeks of failing and healing by a seed, once for all tests of it."""
    with (
        django_db_blocker.unblock(),
        transaction.atomic(),
        pytest.MonkeyPatch.context() as patch,
    ):
        now = [START]
        patch.setattr(moment, "read_clock", lambda: now[0])
        for module in (handling, handling_of_many, retry):
            patch.setattr(module, "CHUNK", FEW)
        yield live(request.param, now)
        transaction.set_rollback(True)


def live(seed: int, now: list[datetime]) -> World:
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
    draw = random.Random(seed)  # noqa: S311  (test data)
    found = World(draw, now, jobs, user, me, other)
    found.happen(40)
    found.pass_time(timedelta(days=6))
    found.happen(30)
    return found


@pytest.fixture
def world(db: None, lived: World) -> Iterator[World]:
    """The same world, whose further days are those of one test."""
    began = lived.now[0]
    yield replace(
        lived,
        draw=deepcopy(lived.draw),
        jobs=deepcopy(lived.jobs),
        me=another(lived.me),
        other=another(lived.other),
        held=set(lived.held),
        grown=[*lived.grown],
    )
    lived.now[0] = began


def another(client: Client) -> Client:
    """A client with the same session."""
    made = Client()
    made.cookies = deepcopy(client.cookies)
    return made


def rows() -> Rows:
    """Each row as it is, and whether the list shows it."""
    in_sight = SyncError.objects.visible(Operation.objects.cuts())
    seen = set(in_sight.values_list("pk", flat=True))
    found = SyncError.objects.values_list("pk", *Row._fields[1:])
    return {key: Row(key in seen, *values) for key, *values in found}


def twice_open() -> list[tuple[Any, ...]]:
    """Records with more than one row that is still relevant (design §5)."""
    record = ("mapping_key", "direction", "record_key")
    counted = SyncError.objects.relevant().order_by().values_list(*record)
    return list(counted.annotate(n=Count("pk")).filter(n__gt=1))


def changed(before: Rows, after: Rows) -> set[int]:
    return {key for key, row in after.items() if before.get(key) != row}


@dataclass(slots=True)
class Done:
    """What an action did, chunk by chunk, and what others did meanwhile."""

    operation: Operation
    before: Rows = field(default_factory=dict)
    """Each row of its own just before."""
    grown: dict[int, int] = field(default_factory=dict)
    """How many times causes had grown by then."""
    touched: set[int] = field(default_factory=set)
    """What others changed before it was done, or instead."""
    since: set[int] = field(default_factory=set)
    """What others changed after it was done."""

    def note(self, world: World, before: Rows, after: Rows) -> None:
        mine = changed(before, after)
        if self.operation.kind == "retry":
            assert mine == set()
            tried = self.operation.items.filter(outcome=ItemOutcome.PENDING)
            mine = set(tried.values_list("error", flat=True))
        for key in mine - self.before.keys():
            self.before[key] = before[key]
            self.grown[key] = len(world.grown)

    def meanwhile(self, world: World, times: int) -> None:
        before = rows()
        world.happen(times)
        others = changed(before, rows())
        self.touched |= others - self.before.keys()
        self.since |= others & self.before.keys()


def carry_out(world: World, shown: Shown) -> Done | None:
    """By the click, and then by a worker, who takes his time. ``None``: refused."""
    before = rows()
    page = world.me.post(shown.address, shown.form, follow=True).content.decode()
    if REFUSED in page:
        assert rows() == before
        return None
    done = Done(Operation.objects.filter(by=world.user).latest("id"))
    done.note(world, before, rows())
    key = done.operation.pk
    more = OperationItem.objects.filter(operation=key, outcome=ItemOutcome.CHOSEN)
    while more.exists():
        done.meanwhile(world, 3)
        before = rows()
        if done.operation.kind == "retry":
            retry.take_chunk(done.operation)
        else:
            handling_of_many.handle_chunk(key)
        done.note(world, before, rows())
    return done


def failing_otherwise(key: int) -> bool:
    """Whether the record of a row fails for another cause by now."""
    row = SyncError.objects.get(pk=key)
    return (
        SyncError.objects.relevant()
        .filter(mapping_key=row.mapping_key, direction=row.direction)
        .filter(record_key=row.record_key)
        .exclude(pk=key)
        .exists()
    )


def put_back(world: World, done: Done, key: int, now: Row) -> Row:
    """What an undo has to make of a row: what it was, or open if that has ended.

    A record has one open row at most: what it failed for before stays settled.
    """
    was = done.before[key]
    if now.state == "resolved" != was.state and failing_otherwise(key):
        return now._replace(handled_by=None)
    problem, waits = SyncError.objects.values_list("problem", "waits_for").get(pk=key)
    ends = was.state == "ignored" and was.ignored_until is None
    if not ends or problem not in world.grown[done.grown[key] :]:
        return was
    chip = "waiting" if waits else "open"
    return was._replace(state="open", chip=chip, handled_by=None)


@pytest.mark.parametrize("lived", SEEDS, indirect=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_done_is_what_was_shown_whatever_happens_meanwhile(
    world: World, action: str
) -> None:
    shown = ACTIONS[action](world)
    at_sight = rows()

    world.happen(12)
    touched = changed(at_sight, rows())
    done = carry_out(world, shown)
    if done is None:
        assert action == OF_A_SEARCH
        shown, touched = ACTIONS[action](world), set()
        done = carry_out(world, shown)

    assert done
    assert done.before.keys() <= shown.ids
    assert shown.ids - done.before.keys() <= touched | done.touched | world.held
    if action in NO_UNDO:
        return

    done.meanwhile(world, 12)
    before_undo = rows()
    world.me.post(f"/operations/{done.operation.pk}/undo/")

    end = rows()
    assert changed(before_undo, end) <= done.before.keys()
    for key in done.before.keys() - done.since:
        assert end[key] == put_back(world, done, key, before_undo[key])
    assert not twice_open()


ON_ONE_OR_NONE = {
    *("language", "theme", "login", "logout", "account", "account_alerts"),
    *("caught_up", "demonstration", "alerts_test", "explain"),
    *("connection_check", "connection_enable"),
    *("connection_pause", "connection_resume", "connection_secret"),
    *("mapping_accept", "mapping_pause", "mapping_resume", "mapping_rules"),
    "mapping_interval",
    *("mapping_review", "check_all"),
    *("error_watch", "error_retry", "error_answer"),
    *("problem_watch", "problem_assign", "problem_comment"),
    *("article_teach", "article_change", "article_withdraw"),
    *("operation_undo", "operation_cancel"),
}
"""What may be posted and acts on no rows that somebody was shown, or on one."""


class Buttons(HTMLParser):
    """What the buttons of a page post: the name of the address, and what to do."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.action = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given.get("action", "")
        elif tag == "button" and given.get("type") == "submit":
            self.note(given.get("formaction", self.action), given.get("value", ""))

    def note(self, address: str, do: str) -> None:
        if address:
            self.found.add((name_of(address), do))


class Recording(Client):
    """A client that knows what it has posted: the name of the address, what to do."""

    posted: set[tuple[str, str]]

    # Django's client declares each option by name; all of them are passed on.
    def post(self, path: str, data: Any = None, **more: Any) -> Any:  # type: ignore[override]
        self.posted.add((name_of(path), (data or {}).get("do", "")))
        return super().post(path, data, **more)


def name_of(address: str) -> str:
    return resolve(urlsplit(address).path).url_name or ""


@pytest.mark.parametrize("lived", [0], indirect=True)
def test_no_action_on_many_rows_is_forgotten(
    world: World, keys: dict[str, object]
) -> None:
    world.me = Recording()
    world.me.posted = set()
    world.me.force_login(world.user)
    problem = SyncError.objects.relevant().values_list("problem", flat=True)[0]
    pages = ("/errors/", "/problems/", f"/problems/{problem}/")
    buttons = {
        button
        for page in (*pages, "/errors/cleanup/?all=1")
        for button in Buttons(world.me.get(page).content.decode()).found
        if button[0] not in ON_ONE_OR_NONE
    }
    posting = {
        name
        for name in OURS
        if "POST" in world.me.put(address(name, keys)).headers.get("Allow", "")
    }

    for show in ACTIONS.values():
        with transaction.atomic():
            shown = show(world)
            world.me.post(shown.address, shown.form)
            transaction.set_rollback(True)  # the next one finds all of it again

    assert {name for name, _do in world.me.posted} == posting - ON_ONE_OR_NONE
    assert posting >= ON_ONE_OR_NONE
    assert buttons <= world.me.posted
    assert len(buttons) > 6
