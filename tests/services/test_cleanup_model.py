"""Clean-up against a model made of plain sets: any order of steps, the same rows."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from integration.choices import Chip
from integration.core.causes import Cause
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind, RecordRef
from integration.core.records import Direction, System
from integration.models import (
    ErrorCell,
    ErrorTotal,
    Job,
    Operation,
    OperationCell,
    Problem,
    SyncError,
)
from integration.services import cells, moment
from integration.services.actors import Refused
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import (
    CleanupRequest,
    Preview,
    preview,
)
from integration.services.error_counts import believed_for, count_chips
from integration.services.error_filters import parse_filter
from integration.services.error_list import read_page
from integration.services.errors import record_outcomes
from integration.services.purge import purge_due
from integration.services.undo import undo
from tests.factories import make_connection, make_job, make_mapping

RECORDS = [f"{mapping}{number}" for mapping in "AB" for number in range(2)]
REFUSED, WAITING = "r", "w"
Key = tuple[str, str]
"""One row: its record and why it failed."""
FILTERS = [{}, {"mapping": "A"}, {"record": "B1"}, {"q": "Customer A1"}, {"q": "NA"}]
NAME = "command line"


@dataclass
class Row:
    last_seen: datetime
    settled_at: datetime | None = None


@dataclass
class World:
    """The model: each operation is the set of rows it hides."""

    jobs: dict[str, Job]
    now: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    rows: dict[Key, Row] = field(default_factory=dict)
    previews: list[tuple[Preview, set[Key], int, set[Key]]] = field(
        default_factory=list
    )
    """With what each showed, how often something had been undone by then, and what had
    been settled ahead of its moment."""
    undone: int = 0
    hidden: dict[int, set[Key]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    """What happened that a step alone does not promise."""

    def of_record(self, record: str) -> dict[Key, Row]:
        return {key: row for key, row in self.rows.items() if key[0] == record}

    def chip(self, key: Key) -> str:
        if self.rows[key].settled_at:
            return Chip.RESOLVED.value
        return (Chip.WAITING if key[1] == WAITING else Chip.OPEN).value

    def visible(self) -> set[Key]:
        return set(self.rows) - set().union(*self.hidden.values())

    def taken(self, shown: Preview, *, relevant: bool) -> set[Key]:
        """Rows inside the previewed scope, as they are now."""
        return {
            key
            for key, row in self.rows.items()
            if row.last_seen <= shown.cutoff
            and in_filter(key, shown.request.filters.query())
            and (relevant or (row.settled_at and row.settled_at <= shown.instant))
        }

    def ahead(self, shown: Preview) -> set[Key]:
        """Settled after that moment: a search may find it by another name."""
        query = shown.request.filters.query()
        return {
            key
            for key, row in self.rows.items()
            if "q" in query
            and in_filter(key, query)
            and row.last_seen <= shown.cutoff
            and row.settled_at
            and row.settled_at > shown.instant
        }


def in_filter(row: Key, query: dict[str, str]) -> bool:
    key = row[0]
    return (
        query.get("mapping", key[0]) == key[0]
        and query.get("record", key) == key
        and query.get("q", "Customer " + key) in {"Customer " + key, "N" + key[0]}
    )


def record(world: World, key: str, cause: str) -> None:
    """It fails; what it failed of before is replaced."""
    failure = Failure(System.SALES, FailureKind.REFUSED, cause, "Refused")
    waits = "CURRENCY:EUR" if cause == WAITING else ""
    ref = RecordRef(key, "N" + key, "Customer " + key)
    kind, way = OutcomeKind.FAILED, Direction.TO_SALES
    with transaction.atomic():
        outcome = Outcome(kind, way, key, bc=ref, failure=failure, waits_for=waits)
        record_outcomes(world.jobs[key[0]], [outcome], cause_of)
    row = SyncError.objects.get(record_key=key, fingerprint=cause * 64)
    for (_, before), other in world.of_record(key).items():
        if before != cause and other.settled_at is None:
            other.settled_at = settled_at(key, before)
    world.rows[key, cause] = Row(row.last_seen)
    world.met["came back"] += (key, cause) not in world.visible()
    for hidden in world.hidden.values():
        hidden.discard((key, cause))


def cause_of(failure: Failure | None, finding: Any) -> Cause:
    assert failure
    return Cause(failure.code * 64, "Refused")


def settle(world: World, key: str) -> None:
    with transaction.atomic():
        outcome = Outcome(OutcomeKind.MODIFIED, Direction.TO_SALES, key)
        record_outcomes(world.jobs[key[0]], [outcome], cause_of)
    for (_, cause), row in world.of_record(key).items():
        if row.settled_at is None:
            kept = world.hidden and (key, cause) in world.visible()
            world.met["settled beside what is hidden"] += bool(kept)
            row.settled_at = settled_at(key, cause)


def settled_at(key: str, cause: str) -> datetime:
    found = SyncError.objects.get(record_key=key, fingerprint=cause * 64)
    assert found.settled_at
    return found.settled_at


def look(world: World, older_than: int | None, query: dict[str, str]) -> None:
    filters, dropped = parse_filter(query)
    shown = preview(CleanupRequest(older_than, filters), NAME)
    assert not dropped
    inside = world.taken(shown, relevant=True) & world.visible()
    finished = world.taken(shown, relevant=False) & world.visible()
    assert (shown.settled, shown.relevant) == (
        len(finished),
        len(inside) - len(finished),
    )
    world.previews.append((shown, inside, world.undone, world.ahead(shown)))


def click(world: World, index: int, *, relevant: bool) -> None:
    if not world.previews:
        return
    place = index % len(world.previews)
    shown, inside, undone, ahead = world.previews.pop(place)
    relevant = relevant and shown.relevant > 0
    if undone < world.undone:
        # What came back into sight was not shown.
        with pytest.raises(Refused, match="since the preview"):
            delete(shown.token, shown.request, NAME)
        return
    if relevant and world.ahead(shown) != ahead:
        with pytest.raises(Refused, match="settled since"):
            confirm(shown, relevant=relevant)
        return
    taken = world.taken(shown, relevant=relevant)
    before = visible()
    if not taken & world.visible():
        with pytest.raises(Refused, match="any more"):
            confirm(shown, relevant=relevant)
        return
    operation = confirm(shown, relevant=relevant)
    gone = before - visible()
    assert gone <= inside
    assert gone == taken & world.visible()
    assert operation.rows == len(gone)
    world.met["hid all" if relevant else "hid what is settled"] += 1
    world.hidden[operation.pk] = taken


def confirm(shown: Preview, *, relevant: bool) -> Operation:
    return delete(
        shown.token,
        shown.request,
        NAME,
        include_relevant=relevant,
        typed=str(shown.relevant),
    )


def clean(
    world: World, older_than: int | None, query: dict[str, str], *, relevant: bool
) -> None:
    """Looked at, and clicked at once."""
    look(world, older_than, query)
    click(world, -1, relevant=relevant)


def select(world: World, key: str) -> None:
    ids = SyncError.objects.filter(record_key=key).values_list("id", flat=True)
    shown = world.visible() & world.of_record(key).keys()
    if not shown:
        with pytest.raises(Refused):
            delete_selected(list(ids), NAME)
        return
    world.hidden[delete_selected(list(ids), NAME).pk] = shown


def take_back(world: World, index: int) -> None:
    if not world.hidden:
        return
    operation_id = sorted(world.hidden)[index % len(world.hidden)]
    before = world.visible()
    del world.hidden[operation_id]
    operation = undo(Operation.objects.get(pk=operation_id), NAME)
    world.undone += 1
    restored = len(world.visible() - before)
    assert operation.result["restored"] == restored
    world.met["took back"] += restored > 0
    with pytest.raises(Refused, match="undid this"):
        undo(operation, NAME)


def purge(world: World, index: int) -> None:
    """The oldest operations first, as their dates make it."""
    if not world.hidden:
        return
    due = sorted(world.hidden)[: index % len(world.hidden) + 1]
    Operation.objects.filter(pk__in=due).update(undo_until=world.now)
    selections = Operation.objects.filter(cutoff__isnull=True)
    kept = {pk for pk in world.hidden if pk not in due} & set(
        selections.values_list("pk", flat=True)
    )
    before = len(world.rows)
    for operation_id in due:
        gone = world.hidden.pop(operation_id)
        selected: set[Key] = set().union(*(world.hidden[pk] for pk in kept))
        for key in gone - selected:
            world.rows.pop(key, None)
            for others in world.hidden.values():
                others.discard(key)
    world.met["purged"] += len(world.rows) < before
    purge_due(world.now)


def visible() -> set[Key]:
    """The rows in sight, in the database."""
    rows = SyncError.objects.visible(Operation.objects.cuts())
    return {(key, f[0]) for key, f in rows.values_list("record_key", "fingerprint")}


def check(world: World) -> None:
    cuts = Operation.objects.cuts()
    assert visible() == world.visible()
    check_lists(world)
    check_counts(world)
    live = cells.count_by_place(SyncError.objects.all(), cuts)
    columns = ("day", *cells.TOTAL_KEYS, "n")
    counted = {row[:-1]: row[-1] for row in ErrorCell.objects.values_list(*columns)}
    in_sight = live.pop(0, cells.Tally())
    assert counted == {tuple(k): n for k, n in in_sight.items()}
    by_operation = OperationCell.objects.values_list("operation_id", *columns)
    assert {row[:-1]: row[-1] for row in by_operation} == {
        (place, *cell): n for place, tally in live.items() for cell, n in tally.items()
    }
    totals: Counter[tuple[Any, ...]] = Counter()
    for cell, n in in_sight.items():
        totals[cell[1:]] += n
    rows = ErrorTotal.objects.values_list(*cells.TOTAL_KEYS, "n")
    assert {row[:-1]: row[-1] for row in rows} == totals


def check_lists(world: World) -> None:
    """The list finds the same in its ranges, under a filter that a cut has and none."""
    settled = {key for key, row in world.rows.items() if row.settled_at}
    states = {"all": set(world.rows), "resolved": settled}
    states["relevant"] = states["all"] - settled
    causes = dict(Problem.objects.values_list("id", "fingerprint"))
    for query in ({}, {"mapping": "A"}):
        for state, keys in states.items():
            filters, _ = parse_filter({**query, "state": state})
            listed = [
                (row["record_key"], causes[row["problem_id"]][0])
                for row in read_page(filters).rows
            ]
            wanted = {key for key in keys & world.visible() if in_filter(key, query)}
            assert (set(listed), len(listed)) == (wanted, len(wanted)), state


def check_counts(world: World) -> None:
    """Chips, with a filter and without, and every problem say the same number."""
    cuts = Operation.objects.cuts()
    for query in ({}, {"mapping": "A"}, {"record": "B1"}):
        filters, _ = parse_filter(query)
        keys = [key for key in world.visible() if in_filter(key, query)]
        chips = count_chips(filters, cuts).chips
        wanted = Counter(world.chip(key) for key in keys)
        assert {chip: n for chip, n in chips.items() if n} == wanted, query
    by_cause: dict[str, Counter[str]] = {}
    for key in world.visible():
        by_cause.setdefault(key[1] * 64, Counter())[world.chip(key)] += 1
    causes = dict(Problem.objects.values_list("id", "fingerprint"))
    counted: dict[str, Counter[str]] = {}
    rows = ErrorTotal.objects.values_list("problem_id", "state", "n")
    for problem, chip, n in rows:
        counted.setdefault(causes[problem], Counter())[chip] += n
    assert counted == by_cause


Steps = list[tuple[tuple[Any, ...], timedelta]]
"""Each a function with what it is given, and the time before it."""


def steps_of(drawn: Random, count: int) -> Steps:
    """So many steps, as often as it takes for a clean-up to have something to hide:
    Hypothesis by itself would draw hardly one that has."""
    return [_step_of(drawn) for _ in range(count)]


def _step_of(drawn: Random) -> tuple[tuple[Any, ...], timedelta]:
    key = drawn.choice(RECORDS)
    looked = drawn.choice([None, None, 1]), drawn.choice([{}, {}, *FILTERS])
    relevant, number = drawn.random() < 0.3, drawn.randrange(6)
    step = drawn.choices(
        [
            (record, key, drawn.choice([REFUSED, WAITING])),
            (settle, key),
            (clean, *looked, relevant),
            (look, *looked),
            (click, number, relevant),
            (select, key),
            (take_back, number),
            (purge, number),
        ],
        [6, 4, 4, 1, 1, 1, 2, 1],
    )
    pauses = [
        timedelta(seconds=1),
        timedelta(0),
        timedelta(days=1),
        timedelta(hours=-1),
    ]
    return step[0], drawn.choices(pauses, [5, 1, 1, 1])[0]


STEPS = st.builds(steps_of, st.randoms(use_true_random=True), st.integers(20, 30))


@contextmanager
def undone() -> Iterator[None]:
    """Everything in the block is rolled back."""
    believed_for.cache_clear()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


SECOND = timedelta(seconds=1)
KEPT_THEN_SETTLED: Steps = [
    ((record, "A0", REFUSED), SECOND),
    ((record, "B0", REFUSED), SECOND),
    ((settle, "B0"), SECOND),
    ((clean, None, {}, False), SECOND),
    ((settle, "A0"), SECOND),
]
"""What a clean-up has kept stays in sight once it is in step."""
SETTLED_THEN_SET_BACK: Steps = [
    ((record, "A1", WAITING), SECOND),
    ((settle, "A1"), SECOND),
    ((clean, None, {"q": "NA"}, True), timedelta(hours=-1)),
]
"""It counts as still relevant, and may go with what is."""
LEAST = dict.fromkeys(
    [
        *("hid all", "hid what is settled", "settled beside what is hidden"),
        *("came back", "took back", "purged"),
    ],
    3,
)
"""How often each has to happen in all, or the steps would prove nothing."""


@pytest.mark.django_db
def test_clean_up_does_what_the_sets_say(monkeypatch: pytest.MonkeyPatch) -> None:
    met: Counter[str] = Counter()

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(steps=STEPS)
    @example(steps=KEPT_THEN_SETTLED)
    @example(steps=SETTLED_THEN_SET_BACK)
    def in_any_order(steps: Steps) -> None:
        with undone():
            connection = make_connection()
            mappings = [make_mapping(name, connection=connection) for name in "AB"]
            jobs = {mapping.name: make_job(mapping) for mapping in mappings}
            world = World(jobs, met=met)
            monkeypatch.setattr(moment, "read_clock", lambda: world.now)
            for (step, *arguments), pause in steps:
                world.now += pause
                if step in {click, clean}:
                    step(world, *arguments[:-1], relevant=arguments[-1])
                else:
                    step(world, *arguments)
                check(world)

    in_any_order()

    assert not {name: met[name] for name, least in LEAST.items() if met[name] < least}
