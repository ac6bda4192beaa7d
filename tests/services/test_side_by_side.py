"""Workers and people side by side on PostgreSQL, each on a connection of its own.

A seed draws what each does; who comes first is the database's affair. Whatever the
order, nothing is taken that its preview did not show, and every number is a live count.
"""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from django.db import transaction

from integration import clock
from integration.choices import Chip, OperationKind, OperationState, Role
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind, RecordRef
from integration.core.records import Direction, System
from integration.models import (
    ErrorCell,
    ErrorTotal,
    Operation,
    OperationCell,
    SyncError,
    TableMapping,
    User,
)
from integration.models.cuts import VISIBLE, Cut
from integration.services import cells
from integration.services.actors import Refused
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.error_counts import count_chips
from integration.services.error_filters import parse_filter
from integration.services.error_list import read_page
from integration.services.errors import record_outcomes, settle_both_deleted
from integration.services.handling import ignore_errors, resolve_errors
from integration.services.purge import purge_due
from integration.services.undo import undo
from tests.factories import make_connection, make_job, make_mapping, make_user
from tests.services.mail_server import in_threads

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
RECORDS = [f"r{number}" for number in range(6)]
FILTERS: list[dict[str, str]] = [{}, {"record": "r1"}, {"q": "Customer r2"}]
HANDLED = [OperationKind.IGNORE, OperationKind.RESOLVE]
COLUMNS = ("day", *cells.TOTAL_KEYS, "n")
SIDE_BY_SIDE, STEPS = 6, 15


@dataclass
class Scene:
    """``kept`` is a mapping that no clean-up takes: all its failures must be there."""

    mapping: TableMapping
    kept: TableMapping
    user: User
    draw: random.Random
    failed: Counter[str] = field(default_factory=Counter)

    def errors(self) -> list[int]:
        """Some of those there are."""
        mine = SyncError.objects.filter(mapping_key=self.mapping.name)
        found = list(mine.values_list("pk", flat=True))
        return self.draw.sample(found, min(3, len(found)))

    def operation(self, **chosen: object) -> Operation | None:
        return Operation.objects.filter(**chosen).order_by("?").first()


def outcome(scene: Scene, key: str) -> Outcome:
    ref = RecordRef(key, f"N{key}", f"Customer {key}")
    if scene.draw.random() < 0.3:
        return Outcome(OutcomeKind.MODIFIED, Direction.TO_SALES, key, bc=ref)
    code = scene.draw.choice(["refused", "too long"])
    failure = Failure(System.SALES, FailureKind.REFUSED, code, f"It is {code}.")
    return Outcome(OutcomeKind.FAILED, Direction.TO_SALES, key, bc=ref, failure=failure)


def record(scene: Scene) -> None:
    keys = scene.draw.sample(RECORDS, 3)
    with transaction.atomic():
        record_outcomes(make_job(scene.mapping), [outcome(scene, key) for key in keys])


def record_kept(scene: Scene) -> None:
    """Two or more may record the same failing record."""
    ended = outcome(scene, scene.draw.choice(RECORDS[:2]))
    with transaction.atomic():
        record_outcomes(make_job(scene.kept), [ended])
    scene.failed[ended.record_key] += ended.kind is OutcomeKind.FAILED


def find_deleted(scene: Scene) -> None:
    settle_both_deleted(scene.mapping, scene.draw.sample(RECORDS, 2))


def clean_up(scene: Scene) -> None:
    query = {"mapping": scene.mapping.name, **scene.draw.choice(FILTERS)}
    request = CleanupRequest(None, parse_filter(query)[0])
    with transaction.atomic():  # until its end nothing is stamped
        shown = preview(request, scene.user)
        cut = Cut(0, shown.instant, shown.cutoff, True, request.filters.scope())
        seen = taken(cut)
    relevant = scene.draw.random() < 0.5
    with transaction.atomic():
        done = delete(
            shown.token,
            request,
            scene.user,
            include_relevant=relevant,
            typed=str(shown.relevant),
        )
        own = next(each for each in Operation.objects.cuts() if each.id == done.pk)
        gone = taken(own)
        assert gone <= seen
        assert len(gone) == done.rows


def taken(cut: Cut) -> set[int]:
    others = [each for each in Operation.objects.cuts() if each.id != cut.id]
    rows = SyncError.objects.visible(others).filter(cut.hides())
    return set(rows.values_list("pk", flat=True))


def select(scene: Scene) -> None:
    delete_selected(scene.errors(), scene.user)


def bring_back(scene: Scene) -> None:
    states = [OperationState.IN_FORCE, OperationState.PURGING]
    found = scene.operation(kind=OperationKind.DELETE, state__in=states)
    if found:
        undo(found, scene.user)


def handle(scene: Scene) -> None:
    if scene.draw.random() < 0.5:
        ignore_errors(scene.errors(), scene.user)
    else:
        resolve_errors(scene.errors(), scene.user)


def unhandle(scene: Scene) -> None:
    found = scene.operation(kind__in=HANDLED, state=OperationState.IN_FORCE)
    if found:
        undo(found, scene.user)


def remove(_scene: Scene) -> None:
    """The oldest first, as their dates make it."""
    now = clock.now()
    oldest = Operation.objects.hiding().order_by("pk").values("pk")[:1]
    Operation.objects.filter(pk__in=oldest).update(undo_until=now)
    purge_due(now, max_seconds=0.1)


WORK: list[Callable[[Scene], None]] = [
    *(record, record, record, record_kept, record_kept, find_deleted),
    *(clean_up, clean_up, select, bring_back, handle, unhandle, remove),
]


def test_side_by_side_nothing_goes_unseen_and_every_number_is_right() -> None:
    connection, user = make_connection(), make_user(Role.ADMINISTRATOR)
    mapping, kept = (make_mapping(each, connection=connection) for each in "AB")
    scenes = [
        Scene(mapping, kept, user, random.Random(seed))  # noqa: S311  # test data
        for seed in range(SIDE_BY_SIDE)
    ]
    left = list(scenes)

    def act() -> None:
        scene = left.pop()
        for _ in range(STEPS):
            with suppress(Refused):
                scene.draw.choice(WORK)(scene)

    in_threads(act, SIDE_BY_SIDE)

    check_rows(sum((scene.failed for scene in scenes), Counter()))
    check_counts()


def check_rows(failed: Counter[str]) -> None:
    """A record is open once at most, and no failure is lost or counted twice."""
    relevant = SyncError.objects.relevant().values_list("mapping_key", "record_key")
    assert len(relevant) == len(set(relevant))
    rows = SyncError.objects.filter(mapping_key="B")
    recorded: Counter[str] = Counter()
    for key, occurrences in rows.values_list("record_key", "occurrences"):
        recorded[key] += occurrences
    assert recorded == +failed


def check_counts() -> None:
    cuts = Operation.objects.cuts()
    live = cells.count_by_place(SyncError.objects.all(), cuts)
    in_sight = live.pop(VISIBLE, cells.Tally())
    counted = {row[:-1]: row[-1] for row in ErrorCell.objects.values_list(*COLUMNS)}
    assert counted == {tuple(cell): n for cell, n in in_sight.items()}
    totals: Counter[tuple[object, ...]] = Counter()
    for cell, n in in_sight.items():
        totals[cell[1:]] += n
    rows = ErrorTotal.objects.values_list(*cells.TOTAL_KEYS, "n")
    assert {row[:-1]: row[-1] for row in rows} == totals
    kept = OperationCell.objects.filter(operation__state=OperationState.IN_FORCE)
    ids = set(Operation.objects.filter(state=OperationState.IN_FORCE).values_list("pk"))
    assert {row[:-1]: row[-1] for row in kept.values_list("operation", *COLUMNS)} == {
        (place, *cell): n
        for place, tally in live.items()
        if (place,) in ids
        for cell, n in tally.items()
    }
    for chip in Chip.values:
        filters, _dropped = parse_filter({"state": chip})
        rows_behind = read_page(filters, size=500).rows
        assert count_chips(filters, cuts).chips.get(chip, 0) == len(rows_behind)
