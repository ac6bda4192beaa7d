"""Removing for good what clean-ups hid, once nobody may take it back (D12)."""

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
from integration.services.cells import Tally


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
    removed = last_id = 0
    Operation.objects.filter(pk=operation.pk, state=OperationState.IN_FORCE).update(
        state=OperationState.PURGING
    )
    while clock.monotonic() < until:
        ids = _remove_chunk(operation.pk, last_id)
        if not ids:
            break
        removed += len(ids)
        last_id = ids[-1]
        clock.sleep(DELETE_PAUSE_SECONDS[connection.vendor])
    return removed


def _remove_chunk(operation_id: int, last_id: int) -> list[int]:
    """One chunk in one transaction, by primary key; none left: the purge is done."""
    with transaction.atomic():
        lock_clock(shared=True)
        operation = Operation.objects.select_for_update().get(pk=operation_id)
        if operation.state != OperationState.PURGING:
            return []
        rows = _hidden_by(operation).filter(id__gt=last_id).order_by("id")
        size = DELETE_CHUNK[connection.vendor]
        ids = list(rows.select_for_update().values_list("id", flat=True)[:size])
        if ids:
            _remove(operation, ids)
        else:
            _finish(operation)
        return ids


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


def _remove(operation: Operation, ids: list[int]) -> None:
    tally: Tally = cells.count_rows(SyncError.objects.filter(id__in=ids))
    cells.add({operation.pk: cells.negative(tally)})
    relevant = {cell.problem_id for cell in tally if cell.state in RELEVANT_CHIPS}
    if relevant:
        note_removed(relevant, moment.read_clock())
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
