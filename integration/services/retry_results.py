"""What became of the records of a retry: judged as they are tried, and at its end."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import (
    ItemOutcome,
    JobState,
    OperationState,
    SettledReason,
)
from integration.core.chunks import chunks
from integration.core.outcomes import Outcome, OutcomeKind
from integration.core.records import Direction
from integration.models import Job, Operation, OperationItem, SyncError, TableMapping
from integration.models.jobs import ACTIVE_STATES
from integration.services.sentences import InWords, Told, sentence

_CHUNK = 500
_OPEN_ENDED = (ItemOutcome.PENDING, ItemOutcome.CANCELLED)
"""What a try may still decide: a record was on its way when somebody cancelled."""
UNFINISHED = (ItemOutcome.CHOSEN, ItemOutcome.PENDING)
_JUDGED = (
    *("connection_id", "mapping_key", "direction", "record_key", "bc_id", "sales_id"),
    *("problem_id", "settled_at", "settled_reason"),
)
LEFT_ASIDE = gettext_noop(
    "The mapping leaves it aside now: nothing was sent, and it stays as it was."
)
CANCELLED = gettext_noop("The retry was cancelled; what was not tried stays as it was.")

Items = QuerySet[OperationItem]


class Cancelled(InWords):
    """The retry that a run carries out was cancelled; nothing more is tried."""


def holding(error: SyncError) -> Operation | None:
    """The unfinished retry that holds this error."""
    item = OperationItem.objects.filter(outcome=ItemOutcome.PENDING, error=error)
    found = item.select_related("operation").first()
    return found.operation if found else None


def refuse_cancelled(operation: int) -> None:
    """Raises ``Cancelled`` when somebody cancelled this retry."""
    mine = Operation.objects.filter(pk=operation, state=OperationState.CANCELLED)
    if mine.exists():
        raise Cancelled(CANCELLED)


def keys_to_try(
    operation: int, mapping: TableMapping, way: Direction
) -> Iterator[list[str]]:
    """Ids of the source records still to be tried in this direction, in chunks."""
    rows = items_of(operation, mapping).filter(
        outcome=ItemOutcome.PENDING, direction=way.value
    )
    last = ""
    while keys := list(
        rows.filter(record_key__gt=last)
        .order_by("record_key")
        .values_list("record_key", flat=True)
        .distinct()[:_CHUNK]
    ):
        last = keys[-1]
        yield keys


def items_of(operation: int, mapping: TableMapping) -> Items:
    """The records of a retry that this mapping synchronizes."""
    return OperationItem.objects.filter(
        operation=operation,
        connection=mapping.connection_id,
        mapping_key=mapping.name,
    )


def judge_tried(
    operation: int, mapping: TableMapping, outcomes: Sequence[Outcome]
) -> None:
    """Write down what this chunk decided, in the transaction that recorded it."""
    keys = {
        key
        for one in outcomes
        for key in (one.record_key, one.bc.id, one.sales.id)
        if key
    }
    failed = {
        (str(one.direction), one.record_key)
        for one in outcomes
        if one.kind is OutcomeKind.FAILED
    }
    open_ended = items_of(operation, mapping).filter(outcome__in=_OPEN_ENDED)
    for chunk in chunks(sorted(keys), _CHUNK):
        _judge(open_ended.filter(record_key__in=chunk), failed)


def judge_checked(operation: int, connection: int) -> None:
    """The same for errors without a record, after their connection was checked."""
    items = OperationItem.objects.filter(
        operation=operation,
        connection=connection,
        mapping_key="",
        outcome=ItemOutcome.PENDING,
    )
    _judge(items, {("", "")})


def finish_retry(
    operation: int, mapping: TableMapping, state: JobState, message: Told | None
) -> None:
    """End what a run leaves undecided, and the retry if nothing else is left of it."""
    pending = items_of(operation, mapping).filter(outcome=ItemOutcome.PENDING)
    still_open = SyncError.objects.filter(pk=OuterRef("error_id"), settled_at=None)
    _judge(pending.filter(~Exists(still_open)), set())
    told = message if state == JobState.FAILED and message else sentence(LEFT_ASIDE)
    is_cancelled = Operation.objects.filter(
        pk=operation, state=OperationState.CANCELLED
    ).exists()
    if is_cancelled:
        pending.update(outcome=ItemOutcome.CANCELLED)
    else:
        pending.update(outcome=ItemOutcome.NOT_TRIED, told=dict(told.key))
    end_if_over(operation)


def end_if_over(operation: int) -> None:
    """Write the result once every record has ended and no run is at it any more."""
    items = OperationItem.objects.filter(operation=operation)
    if items.filter(outcome__in=UNFINISHED).exists():
        return
    if Job.objects.filter(operation=operation, state__in=ACTIVE_STATES).exists():
        return
    mine = Operation.objects.unfinished_retries().filter(pk=operation).first()
    if mine is None:
        return
    counts = outcome_counts(operation)
    well = {ItemOutcome.HEALED, ItemOutcome.GONE, ItemOutcome.CHANGED}
    mine.result |= {"outcomes": counts}
    mine.finished_at = clock.now()
    if mine.state != OperationState.CANCELLED:
        is_well = bool(well & counts.keys())
        mine.state = OperationState.DONE if is_well else OperationState.FAILED
    mine.save(update_fields=["state", "result", "finished_at"])


def outcome_counts(operation: int) -> dict[str, int]:
    """How many records of a retry there are of each outcome; one query."""
    rows = OperationItem.objects.filter(operation=operation).order_by()
    return dict(rows.values_list("outcome").annotate(n=Count("id")))


def _judge(items: Items, failed: Collection[tuple[str, str]]) -> None:
    """Decide these by their errors as they stand now.

    A settled one is healed, or failed if the record fails for another cause now. An
    open one has failed if it is among ``failed`` (direction, record key), else nothing
    is decided.
    """
    found = list(
        items.values("id", "error_id", "direction", "record_key").order_by("id")
    )
    for chunk in chunks(found, _CHUNK):
        _judge_chunk(chunk, failed)


def _judge_chunk(
    chunk: Sequence[Mapping[str, Any]], failed: Collection[tuple[str, str]]
) -> None:
    errors = SyncError.objects.only(*_JUDGED).in_bulk(
        [item["error_id"] for item in chunk]
    )
    ended: dict[tuple[str, int | None], list[int]] = {}
    for item in chunk:
        error = errors.get(item["error_id"])
        is_failed = (item["direction"], item["record_key"]) in failed
        decided = _decide(error, is_failed=is_failed)
        if decided:
            ended.setdefault(decided, []).append(item["id"])
    for (outcome, problem), ids in ended.items():
        OperationItem.objects.filter(pk__in=ids).update(
            outcome=outcome, problem_id=problem, told=None
        )


def _decide(
    error: SyncError | None, *, is_failed: bool
) -> tuple[str, int | None] | None:
    if error is None:
        return ItemOutcome.GONE.value, None
    if error.settled_at is None:
        return (ItemOutcome.FAILED.value, error.problem_id) if is_failed else None
    failing_now = replacement_of(error)
    if failing_now:
        return ItemOutcome.FAILED.value, failing_now.problem_id
    return ItemOutcome.HEALED.value, None


def replacement_of(error: SyncError) -> SyncError | None:
    """The open error of the same record, or of its partner, with another cause."""
    if error.settled_reason != SettledReason.REPLACED:
        return None
    own = Q(direction=error.direction, record_key=error.record_key)
    partner = Q(record_key__in={error.bc_id, error.sales_id} - {""})
    return (
        SyncError.objects.filter(
            own | partner,
            connection=error.connection_id,
            mapping_key=error.mapping_key,
            settled_at=None,
        )
        .order_by("-last_seen")
        .first()
    )
