"""Removing for good what clean-ups hid, once nobody may take it back (D12)."""

from collections import Counter
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from integration import clock
from integration.choices import OperationState
from integration.models import ErrorPayload, Look, Operation, OperationCell, SyncError
from integration.models.cuts import Cut
from integration.models.dialect import (
    DELETE_CHUNK,
    DELETE_PAUSE_SECONDS,
    delete_rows,
    lock_clock,
)
from integration.models.errors import RELEVANT_CHIPS, SyncErrorQuerySet
from integration.services import cells, moment
from integration.services.alerts import note_removed
from integration.services.cells import Counted, Tally


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
    removed, after = 0, None
    Operation.objects.filter(pk=operation.pk, state=OperationState.IN_FORCE).update(
        state=OperationState.PURGING
    )
    while clock.monotonic() < until:
        rows = _remove_chunk(operation.pk, after)
        if rows:
            removed += len(rows)
            after = rows[-1].last_seen
            clock.sleep(DELETE_PAUSE_SECONDS[connection.vendor])
        elif after is None:
            break
        else:
            after = None
    return removed


def _remove_chunk(operation_id: int, after: datetime | None) -> list[Counted]:
    """One chunk in one transaction, the oldest first, from ``after`` on.

    Rows of the same days share their counters: in the order of their keys a chunk would
    change nearly as many counters as it has rows. The purge is done when there is none
    from the very oldest on: a clock that was set back can put a row before ``after``.
    """
    with transaction.atomic():
        lock_clock(shared=True)
        operation = Operation.objects.select_for_update().get(pk=operation_id)
        if operation.state != OperationState.PURGING:
            return []
        hidden = _hidden_by(operation).order_by("last_seen", "id").select_for_update()
        if after:
            hidden = hidden.filter(last_seen__gte=after)
        rows = cells.read_counted(hidden[: DELETE_CHUNK[connection.vendor]])
        if rows:
            _remove(operation, rows)
        elif after is None:
            _finish(operation)
        return rows


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


def _remove(operation: Operation, rows: list[Counted]) -> None:
    tally: Tally = Counter(row.cell for row in rows)
    cells.add({operation.pk: cells.negative(tally)})
    relevant = {cell.problem_id for cell in tally if cell.state in RELEVANT_CHIPS}
    if relevant:
        note_removed(relevant, moment.read_clock())
    ids = [row.id for row in rows]
    delete_rows(ErrorPayload, "error_id", ids)
    delete_rows(Look, "error_id", ids)
    delete_rows(SyncError, "id", ids)
    operation.result["purged"] = operation.result.get("purged", 0) + len(ids)
    operation.heartbeat_at = clock.now()
    operation.save(update_fields=["result", "heartbeat_at"])


def _finish(operation: Operation) -> None:
    OperationCell.objects.filter(operation=operation).delete()
    operation.state = OperationState.PURGED
    operation.finished_at = clock.now()
    operation.save(update_fields=["state", "finished_at"])
