"""Removing for good what clean-ups hid, once nobody may take it back (D12)."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q

from integration import clock
from integration.choices import OperationState
from integration.models import ErrorPayload, Look, Operation, OperationCell, SyncError
from integration.models.cuts import Cut
from integration.models.dialect import lock_clock
from integration.models.errors import RELEVANT_CHIPS, SyncErrorQuerySet
from integration.models.removal import (
    DELETE_ORDER,
    Removal,
    chunk_of,
    delete_counted,
    delete_rows,
    in_chunk,
    is_in_the_way,
)
from integration.services import moment
from integration.services.alerts import note_removed

_CELLS = 5_000
"""Cells forgotten per transaction."""
_WAY_SECONDS = 0.05
"""Given to whoever has a row of a chunk, before it is begun again."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What became of one: ``last`` is where it ended, in the order of the database.

    ``since`` is when its locks were taken.
    """

    since: float = 0.0
    goes_on: bool = False
    last: datetime | int | None = None
    rows: int = 0


def purge_due(now: datetime | None = None, *, max_seconds: float = 60.0) -> int:
    """Remove what is past its undo date, for at most ``max_seconds``; returns rows.

    Call it again to go on: where it stood, or was killed, is in the operations. An undo
    between two chunks ends it.
    """
    until = clock.monotonic() + max_seconds
    due = Q(undo_until__lte=now or clock.now()) | Q(state=OperationState.PURGING)
    removed = 0
    for operation in Operation.objects.hiding().filter(due).order_by("id"):
        removed += _purge(operation, until)
    return removed


def _purge(operation: Operation, until: float) -> int:
    """From here on its cells are not kept: an undo counts what is left itself."""
    removed = 0
    after: datetime | int | None = None
    Operation.objects.filter(pk=operation.pk, state=OperationState.IN_FORCE).update(
        state=OperationState.PURGING
    )
    with closing(Removal()) as removal:
        while clock.monotonic() < until:
            try:
                chunk = _remove_chunk(operation.pk, after, removal.size)
            except OperationalError as error:
                if not is_in_the_way(error):
                    raise
                clock.sleep(_WAY_SECONDS)
                continue
            if chunk.goes_on:
                removed += chunk.rows
                after = chunk.last
                removal.rest(chunk.rows, clock.monotonic() - chunk.since)
                while after is None and clock.monotonic() < until:
                    if not _forget_more(operation.pk):
                        break
            elif after is None:
                break
            else:
                after = None
    return removed


def _remove_chunk(operation_id: int, after: datetime | int | None, size: int) -> _Chunk:
    """One chunk in one transaction, in the order of the database, from ``after`` on.

    The purge is done when there is none from the very first on: a clock that was set
    back, or an undo of another clean-up, can put a row before ``after``.
    """
    with transaction.atomic():
        lock_clock(shared=True)
        since = clock.monotonic()
        operation = Operation.objects.select_for_update(no_key=True).get(
            pk=operation_id
        )
        if operation.state != OperationState.PURGING:
            return _Chunk()
        hidden = _hidden_by(operation)
        from_there = {f"{DELETE_ORDER[connection.vendor]}__gte": after}
        left = hidden.filter(**from_there) if after else hidden
        found = chunk_of(left, size)
        if found:
            ids = [key for key, _place in found]
            removed = _remove(operation, hidden, ids)
            return _Chunk(since, True, found[-1][1], removed)
        if after is None:
            return _Chunk(since, _forget_cells(operation))
        return _Chunk()


def _hidden_by(operation: Operation) -> SyncErrorQuerySet:
    """The rows counted under this operation: those of an older one are not its own."""
    if operation.cutoff is None:
        return SyncError.objects.filter(deleted_by=operation)
    cuts: list[Cut] = Operation.objects.cuts()
    rows = SyncError.objects.filter(deleted_by__isnull=True)
    for cut in cuts:
        if cut.id == operation.pk:
            rows = rows.filter(cut.hides())
        elif cut.id < operation.pk:
            rows = rows.filter(cut.shows())
    return rows


def _remove(operation: Operation, hidden: SyncErrorQuerySet, ids: list[int]) -> int:
    """Those of the ids that are still hidden when their row is met, and what they hold.

    The rows go first: what failed again since they were read keeps all it has. Foreign
    keys are checked when the transaction ends.
    """
    gone = delete_counted(hidden.filter(in_chunk("id", ids)), ("problem_id", "chip"))
    alone = ~Exists(SyncError.objects.filter(pk=OuterRef("error_id")))
    for kept in (ErrorPayload.objects, Look.objects):
        kept.filter(in_chunk("error_id", ids), alone).delete()
    relevant = {problem for problem, chip in gone if chip in RELEVANT_CHIPS}
    if relevant:
        note_removed(relevant, moment.read_clock())
    operation.result["purged"] = operation.result.get("purged", 0) + gone.total()
    operation.heartbeat_at = clock.now()
    operation.save(update_fields=["result", "heartbeat_at"])
    return gone.total()


def _forget_cells(operation: Operation) -> bool:
    """Some of what it counted; without any left it is over, and ``False``."""
    if _forget_some(operation):
        return True
    operation.state = OperationState.PURGED
    operation.finished_at = clock.now()
    operation.save(update_fields=["state", "finished_at"])
    return False


def _forget_more(operation_id: int) -> bool:
    """The next of what it counted, as long as there is any, without looking for rows:
    to find that there is none, all that were removed are walked over."""
    with transaction.atomic():
        operation = Operation.objects.select_for_update(no_key=True).get(
            pk=operation_id
        )
        return operation.state == OperationState.PURGING and _forget_some(operation)


def _forget_some(operation: Operation) -> bool:
    cells = OperationCell.objects.filter(operation=operation).values_list("id")
    return bool(delete_rows(OperationCell, "id", [key for (key,) in cells[:_CELLS]]))
