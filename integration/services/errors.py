"""Errors: recorded from outcomes, settled by success or by a check."""

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import cache
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Q

from integration.choices import Category, Direction, Origin, Presence, SettledReason
from integration.core.causes import Cause
from integration.core.chunks import chunks
from integration.core.failures import Failure
from integration.core.outcomes import Finding, Outcome, OutcomeKind, RecordRef
from integration.models import Connection, Job, SyncError, TableMapping
from integration.models.bulk import update
from integration.models.cuts import place
from integration.models.dialect import prefix
from integration.models.errors import RELEVANT_CHIPS, SyncErrorQuerySet
from integration.models.statements import Slots, Statement
from integration.services import articles
from integration.services.error_rows import (
    also_called,
    failing_outcome,
    failing_setup,
    record_columns,
)
from integration.services.problems import cause_of_problem
from integration.services.recording import record_failing
from integration.services.settling import (
    Before,
    Writing,
    before,
    end_waiting,
    settle,
    writing,
)

CauseOf = Callable[[Failure | None, Finding | None], Cause]
_CHUNK = 500
_IN_STEP = {
    OutcomeKind.INSERTED,
    OutcomeKind.MODIFIED,
    OutcomeKind.UNCHANGED,
    OutcomeKind.COUPLED,
}
"""Endings after which the record agrees with its partner."""
_NAMES = ("bc_number", "bc_name", "sales_number", "sales_name", "search_text")
"""By which a search finds a row."""


def record_outcomes(
    job: Job, outcomes: Sequence[Outcome], cause_of: CauseOf | None = None
) -> list[Cause]:
    """Record what failed and settle what succeeded, in the caller's transaction.

    Returns the causes of those that failed.

    A failed record gets its row, or its row is seen again; a success settles the open
    rows of the same record and direction, and a conflict of the pair in either.
    """
    _require_transaction()
    failed = [one for one in outcomes if one.kind is OutcomeKind.FAILED]
    in_step = [one for one in outcomes if one.kind in _IN_STEP]
    mapping = job.mapping
    if in_step and not _has_open(mapping):
        in_step = []
    if not failed and not in_step:
        return []
    work = writing(mapping.connection)
    for rows in _open_of(mapping, in_step):
        settled = before(work, rows)
        settle(work, settled, SettledReason.RESOLVED)
        _tell_records(work, settled, in_step)
    # Taught articles are read under the lock of recording: none is missed.
    causes = _causes(work, failed, cause_of or articles.Causes())
    record_failing(
        work,
        [
            failing_outcome(one, cause, mapping.name, job.pk)
            for one, cause in zip(failed, causes, strict=True)
        ],
    )
    return causes


def record_setup_error(
    connection: Connection,
    failure: Failure | None = None,
    finding: Finding | None = None,
    origin: str = Origin.ENGINE,
    *,
    is_look: bool = False,
) -> SyncError:
    """An error without a record; the same cause is the same row.

    ``is_look``: nothing was tried, so what is known to stand does not fail once more.
    """
    with transaction.atomic():
        work = writing(connection)
        cause = articles.cause_of(failure, finding)
        rows = _without_record(connection).filter(fingerprint=cause.fingerprint)
        stands = is_look and rows.relevant().visible(work.cuts).exists()
        if not stands:
            record_failing(work, [failing_setup(cause, failure, finding, origin)])
        return rows.get()


def settle_setup_errors(connection: Connection, fingerprints: Collection[str]) -> int:
    """Settle open errors without a record, of these causes; how many were open."""
    chosen = _without_record(connection).relevant()
    chosen = chosen.filter(fingerprint__in=fingerprints)
    return _settle_if_any(connection, chosen, SettledReason.RESOLVED)


def settle_both_deleted(
    mapping: TableMapping, record_keys: Collection[str], direction: str = ""
) -> int:
    """Settle open errors both of whose records a re-read found deleted (design §5).

    In one direction, or ("") in either.
    """
    found = SyncError.objects.of_mapping(mapping).relevant()
    found = found.filter(record_key__in=record_keys)
    if direction:
        found = found.filter(direction=str(direction))
    ids = list(found.values_list("pk", flat=True))
    chosen = SyncError.objects.of_mapping(mapping).relevant().filter(id__in=ids)
    with transaction.atomic():
        # First, because it takes the lock of recording: who has that waits for rows.
        settled = _settle_if_any(mapping.connection, chosen, SettledReason.BOTH_DELETED)
        if settled:
            SyncError.objects.filter(
                id__in=ids, settled_reason=SettledReason.BOTH_DELETED
            ).update(bc_presence=Presence.DELETED, sales_presence=Presence.DELETED)
        return settled


def settle_replaced(
    mapping: TableMapping, direction: str, record_keys: Collection[str]
) -> None:
    """Settle open errors of records whose partner's error says now what is wrong."""
    for chunk in chunks(list(record_keys), _CHUNK):
        chosen = _open_in(mapping, direction, chunk)
        _settle_if_any(mapping.connection, chosen, SettledReason.REPLACED)


def settle_parted(mapping: TableMapping, record_keys: Collection[str]) -> None:
    """Settle open errors of records that are no pair any more, by a rule or by hand."""
    for chunk in chunks(list(record_keys), _CHUNK):
        for direction in (Direction.TO_SALES, Direction.TO_BUSINESS_CENTRAL):
            chosen = _open_in(mapping, direction, chunk)
            _settle_if_any(mapping.connection, chosen, SettledReason.RESOLVED)


def stop_waiting(
    mapping: TableMapping, direction: str, record_keys: Collection[str]
) -> None:
    """These stay open, and what they waited for does not bring them on any more."""
    for chunk in chunks(list(record_keys), _CHUNK):
        chosen = _open_in(mapping, direction, chunk).exclude(waits_for="")
        with transaction.atomic():
            if chosen.exists():
                end_waiting(before(writing(mapping.connection), chosen))


def open_cause_of(mapping: TableMapping, record_key: str) -> Cause | None:
    """Why this record does not sync now; ``None`` if no open error says so."""
    rows = SyncError.objects.of_mapping(mapping).relevant().select_related("problem")
    row = rows.filter(record_key=record_key).order_by("-last_seen", "-id").first()
    return cause_of_problem(row.problem) if row else None


def _settle_if_any(
    connection: Connection, chosen: SyncErrorQuerySet, reason: SettledReason
) -> int:
    with transaction.atomic():
        if not chosen.exists():
            return 0
        work = writing(connection)
        return settle(work, before(work, chosen), reason)


def _without_record(connection: Connection) -> SyncErrorQuerySet:
    return SyncError.objects.filter(
        connection=connection, mapping_key="", direction="", record_key=""
    )


def _has_open(mapping: TableMapping) -> bool:
    return bool(_open_ones().raw(mapping.connection_id, mapping.name))


@cache
def _open_ones() -> Statement:
    """The first open one of a mapping: asked after every chunk."""
    any_mapping = TableMapping(connection_id=Slots.KEY, name=Slots.TEXT)
    rows = SyncError.objects.in_chip(*RELEVANT_CHIPS).of_mapping(any_mapping)
    slots = (Slots.KEY, Slots.TEXT)
    return Statement.of(rows.order_by().values_list("pk")[:1], slots=slots)


def _open_of(
    mapping: TableMapping, in_step: Iterable[Outcome]
) -> Iterator[SyncErrorQuerySet]:
    """Open rows that these successes settle, a chunk of records at a time."""
    by_direction: dict[str, list[Outcome]] = {}
    for one in in_step:
        by_direction.setdefault(str(one.direction), []).append(one)
    for direction, members in by_direction.items():
        keys = [one.record_key for one in members]
        for chunk in chunks(keys, _CHUNK):
            yield _open_in(mapping, direction, chunk)
        if direction == Direction.TO_BUSINESS_CENTRAL:
            # A conflict is one row, to Sales, by the Business Central id (design §5).
            ids = [one.bc.id for one in members if one.bc.id]
            for chunk in chunks(ids, _CHUNK):
                rows = _open_in(mapping, Direction.TO_SALES, chunk)
                yield rows.filter(problem__category=Category.CONFLICT)


def _tell_records(
    work: Writing, settled: Sequence[Before], in_step: Sequence[Outcome]
) -> None:
    """What has been made or renamed since it failed: its rows say so from now on."""
    # A conflict is one row, to Sales, whichever job finds that it has ended.
    by_bc = {(str(Direction.TO_SALES), one.bc.id): one for one in in_step}
    ended = by_bc | {(str(one.direction), one.record_key): one for one in in_step}
    found = SyncError.objects.filter(pk__in=[row["id"] for row in settled])
    errors = list(found.defer("values", "message", "call_stack"))
    names = {error.pk: [getattr(error, name) for name in _NAMES] for error in errors}
    for side in ("bc", "sales"):
        told = []
        for error in errors:
            one = ended.get((error.direction, error.record_key))
            record = getattr(one, side) if one else RecordRef()
            number = record.number or getattr(error, f"{side}_number")
            now = record_columns(side, record._replace(number=number))
            differs = any(getattr(error, name) != value for name, value in now.items())
            if record.presence == Presence.EXISTS and differs:
                error.search_text = also_called(error.search_text, record)
                told.append([*now.values(), error.search_text, error.pk])
        columns = [*record_columns(side, RecordRef()), "search_text"]
        update(SyncError, columns, told)
    if any("text" in cut.scope for cut in work.cuts):
        _keep_names(work, settled, names)


def _keep_names(
    work: Writing, settled: Sequence[Before], names: Mapping[int, list[Any]]
) -> None:
    """Those of rows that a clean-up takes, or gives back, by what they are called now.

    A row may leave a clean-up's scope, never enter it; and what it hid stays hidden.
    """
    found = SyncError.objects.filter(pk__in=[*names]).annotate(place=place(work.cuts))
    places = dict(found.values_list("pk", "place"))
    moved = [row["id"] for row in settled if places[row["id"]] != row["place"]]
    update(SyncError, _NAMES, [[*names[key], key] for key in moved])


def _open_in(
    mapping: TableMapping, direction: str, keys: Sequence[str]
) -> SyncErrorQuerySet:
    rows = SyncError.objects.of_mapping(mapping).relevant()
    return rows.filter(direction=str(direction), record_key__in=keys)


def _causes(work: Writing, failed: Sequence[Outcome], cause_of: CauseOf) -> list[Cause]:
    """The cause of each; a record that waits has the cause of what it waits for."""
    awaited = {one.waits_for for one in failed if one.waits_for}
    open_causes = {name: _awaited_cause(work.connection, name) for name in awaited}
    return [
        open_causes.get(one.waits_for) or cause_of(one.failure, one.finding)
        for one in failed
    ]


def _awaited_cause(connection: Connection, waits_for: str) -> Cause | None:
    """The open cause of "CURRENCY:EUR"."""
    mapping_key, _, number = waits_for.partition(":")
    rows = (
        SyncError.objects.in_chip(*RELEVANT_CHIPS)
        .filter(prefix("record_label", number))
        .filter(Q(bc_number=number) | Q(sales_number=number))
        .filter(connection=connection, mapping_key=mapping_key)
    )
    row = rows.select_related("problem").order_by("-last_seen", "-id").first()
    return cause_of_problem(row.problem) if row else None


def _require_transaction() -> None:
    if not database.in_atomic_block:
        raise RuntimeError("outcomes are recorded in the transaction of their chunk")
