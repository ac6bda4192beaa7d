"""What the frame of every page says: how much is open, and whether the engine lives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.db.models import Count, Max, Min, OuterRef, Subquery, Sum

from integration import clock
from integration.choices import Chip, Engine, JobKind, JobState, System
from integration.models import (
    Connection,
    ErrorTotal,
    Job,
    Problem,
    SyncError,
    TableMapping,
)
from integration.models.errors import RELEVANT_CHIPS
from integration.models.statements import Statement
from integration.services.articles import title_of_row
from integration.services.listed_rows import read_rows
from integration.services.pending import unlisted

SILENT_AFTER = timedelta(minutes=15)
LESSON = {"article": "bc-currency-no-exchange-rate", "params__currency": "GBP"}
"""The cause whose cure the demonstration's strip explains."""


@dataclass(frozen=True, slots=True)
class SystemState:
    """One of the two systems in a word, by the connections that run.

    ``answers``, ``refuses``, ``unchecked``, or ``idle``: no connection runs. ``at`` is
    its last success, None when there was none.
    """

    system: System
    state: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A connection that does not run; ``is_paused`` False: it is not enabled."""

    id: int
    name: str
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Resting:
    """How many mappings of running connections are paused; the first of them."""

    n: int
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Shell:
    """The figures of the top bar; ``stopped`` begins with what is paused."""

    open: int
    waiting: int
    ignored: int
    systems: tuple[SystemState, ...]
    stopped: tuple[Stopped, ...]
    resting: Resting | None = None

    @property
    def out_of_step(self) -> int:
        """Everything that is not solved, as the list by cause counts it."""
        return self.open + self.waiting + self.ignored

    @property
    def told(self) -> tuple[Stopped, ...]:
        """What the top bar tells: the pauses, else what waits to be enabled."""
        paused = tuple(one for one in self.stopped if one.is_paused)
        return paused or self.stopped


@dataclass(frozen=True, slots=True)
class EngineLife:
    """The proof that the engine is alive; ``mappings`` counts those that run.

    ``unlisted`` are records not in step that have no entry (``pending.unlisted``).

    ``silent_seconds`` is None while something ran lately, or nothing ever should.
    """

    mappings: int
    last_success: datetime | None
    next_run: datetime | None
    records_read: int
    unlisted: int
    silent_seconds: int | None


def has_lesson() -> bool:
    """Whether the demonstration has, or had, what its strip explains how to heal."""
    return Problem.objects.filter(**LESSON).exists()


class _Connected(NamedTuple):
    """A connection of our engine, with the last check of both its endpoints.

    ``ran_at`` is when any synchronization last came to its end. Of its paused mappings
    the first one is known by name.
    """

    id: int
    name: str
    enabled: bool
    paused_at: datetime | None
    bc_passed: bool | None
    bc_checked_at: datetime | None
    sales_passed: bool | None
    sales_checked_at: datetime | None
    ran_at: datetime | None
    mappings_paused: int | None
    paused_mapping: int | None
    paused_name: str | None


def read_shell(counts: Mapping[str, int] | None = None) -> Shell:
    """Two queries, or one where the page has all ``counts`` by chip already."""
    known = read_relevant() if counts is None else counts
    return _shell_of(tuple(known.items()), _connections().raw())


@lru_cache(maxsize=8)
def _shell_of(
    counted: tuple[tuple[str, int], ...], found: tuple[tuple[Any, ...], ...]
) -> Shell:
    """Kept: it is the same from page to page."""
    counts = dict(counted)
    connections = [_Connected(*row) for row in _connections().converted(found)]
    ran_at = connections[0].ran_at if connections else None
    running = [row for row in connections if row.enabled and not row.paused_at]
    return Shell(
        open=counts.get(Chip.OPEN, 0),
        waiting=counts.get(Chip.WAITING, 0),
        ignored=counts.get(Chip.IGNORED, 0),
        systems=(
            state_of(
                System.BUSINESS_CENTRAL,
                [(row.bc_passed, row.bc_checked_at) for row in running],
                ran_at,
            ),
            state_of(
                System.SALES,
                [(row.sales_passed, row.sales_checked_at) for row in running],
                ran_at,
            ),
        ),
        stopped=stopped(connections),
        resting=resting(running),
    )


def shell_statements(*, has_counts: bool) -> list[Statement]:
    """Of ``read_shell``, to be asked together with others."""
    return [_connections()] if has_counts else [_counts(), _connections()]


def read_relevant() -> dict[str, int]:
    """How many errors are open, waiting or ignored, by chip; one query."""
    return dict(_counts().rows())


@cache
def _counts() -> Statement:
    totals = ErrorTotal.objects.filter(state__in=RELEVANT_CHIPS).order_by()
    return Statement.of(totals.values_list("state").annotate(total=Sum("n")))


@cache
def _connections() -> Statement:
    ends = (
        f"{end}__{name}"
        for end in ("business_central", "sales")
        for name in ("check_passed", "checked_at")
    )
    columns = ("id", "name", "enabled", "paused_at", *ends)
    rows = Connection.objects.filter(engine=Engine.OURS)
    paused = TableMapping.objects.filter(
        connection=OuterRef("pk"), paused_at__isnull=False
    )
    first = paused.order_by("position", "name")
    count = paused.order_by().values("connection").annotate(n=Count("pk"))
    return Statement.of(
        rows.values_list(
            *columns,
            Subquery(_successes()[:1]),
            Subquery(count.values("n")),
            Subquery(first.values("pk")[:1]),
            Subquery(first.values("name")[:1]),
        )
    )


def _successes() -> Any:
    """When synchronizations came to their end, the latest first."""
    rows = Job.objects.filter(state=JobState.SUCCEEDED, kind=JobKind.SYNC)
    return rows.order_by("-id").values("finished_at")


def stopped(connections: Iterable[_Connected]) -> tuple[Stopped, ...]:
    """Those that do not run, in the order of their names; pauses first."""
    found = [
        Stopped(row.id, row.name, is_paused=row.paused_at is not None)
        for row in connections
        if row.paused_at or not row.enabled
    ]
    return tuple(sorted(found, key=lambda one: not one.is_paused))


def resting(running: Iterable[_Connected]) -> Resting | None:
    """The paused mappings; one of a paused connection needs no word of its own."""
    found = [row for row in running if row.paused_mapping]
    if not found:
        return None
    count = sum(row.mappings_paused or 0 for row in found)
    return Resting(count, found[0].paused_mapping or 0, found[0].paused_name or "")


def state_of(
    system: System,
    checks: list[tuple[bool | None, datetime | None]],
    ran_at: datetime | None,
) -> SystemState:
    """The worst of its endpoints' checks, and when one of them last answered."""
    if not checks:
        return SystemState(system, "idle", None)
    answered = [moment for passed, moment in checks if passed and moment]
    if ran_at is not None:
        answered.append(ran_at)
    if any(passed is False for passed, _moment in checks):
        word = "refuses"
    elif answered:
        word = "answers"
    else:
        word = "unchecked"
    return SystemState(system, word, max(answered, default=None))


def read_engine() -> EngineLife:
    """Whether runs happen as they should: three queries."""
    running = TableMapping.objects.running().exclude(reviewed_at=None)
    plan = running.aggregate(
        n=Count("pk"), next=Min("next_run_at"), longest=Max("interval_seconds")
    )
    job = (
        Job.objects.filter(state=JobState.SUCCEEDED, kind=JobKind.SYNC)
        .order_by("-id")
        .first()
    )
    last = job.finished_at if job else None
    return EngineLife(
        mappings=plan["n"],
        last_success=last,
        next_run=plan["next"],
        records_read=job.records_read if job else 0,
        unlisted=unlisted().count(),
        silent_seconds=silence(last, plan["longest"]),
    )


def silence(last: datetime | None, longest_interval: int | None) -> int | None:
    """Seconds since the last success, when no schedule explains so many."""
    if last is None or longest_interval is None:
        return None
    quiet = clock.now() - last
    allowed = max(SILENT_AFTER, timedelta(seconds=3 * longest_interval))
    return int(quiet.total_seconds()) if quiet > allowed else None


def open_setup_errors(connection_id: int, language: str) -> list[dict[str, Any]]:
    """What stands against a connection itself, newest first, with its title."""
    found = SyncError.objects.filter(
        connection=connection_id, mapping_key="", settled_at__isnull=True
    )
    rows = read_rows(found.order_by("-last_seen", "-id"))
    return [{**row, "title": title_of_row(row, language)} for row in rows]
