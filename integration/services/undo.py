"""Undo: of a clean-up at once, for its rows were never touched; of what was handled."""

from django.db import transaction
from django.utils.translation import gettext as _

from integration import clock
from integration.choices import OperationKind, OperationState
from integration.models import Operation, OperationCell, SyncError
from integration.models.cuts import VISIBLE, Cut
from integration.models.dialect import lock_clock
from integration.services import cells
from integration.services.actors import Actor, Refused, name_of, require_administrator
from integration.services.cells import Placed
from integration.services.handling import HANDLING, undo_handling
from integration.services.operations import lock_to_undo, record_undo
from integration.services.regrouping import call_for_regrouping


def undo(operation: Operation, by: Actor, reason: str = "") -> Operation:
    """Bring back what this clean-up hid and no other one in force still hides.

    ``result`` then says ``restored``, ``still_hidden`` (by another) and ``purged``
    (removed for good before). What was ignored or resolved by hand is as it was before,
    as ``undo_handling`` says. Raises ``Refused``, also when somebody has undone it.
    """
    if operation.kind in HANDLING:
        return undo_handling(operation, by, reason)
    require_administrator(by)
    with transaction.atomic():
        lock_clock(shared=False)
        locked = lock_to_undo(operation.pk)
        _require_undoable(locked)
        undone = _undo(locked, name_of(by))
        record_undo(undone, by, reason)
        call_for_regrouping()
        return undone


def _require_undoable(operation: Operation) -> None:
    if operation.kind != OperationKind.DELETE:
        raise Refused(
            _("Only what was deleted, ignored or resolved by hand can be undone.")
        )
    if operation.state == OperationState.PURGED:
        raise Refused(
            _("These entries were removed for good; they cannot be brought back.")
        )


def _undo(operation: Operation, by_name: str) -> Operation:
    cuts = Operation.objects.cuts()
    # A removal that began does not keep the cells.
    is_counted = operation.state == OperationState.IN_FORCE
    operation.state = OperationState.UNDONE
    operation.undone_at = clock.now()
    operation.undone_by_name = by_name
    operation.save(update_fields=["state", "undone_at", "undone_by_name"])
    hidden = OperationCell.objects.filter(operation=operation)
    others = [cut for cut in cuts if cut.id != operation.pk]
    own = next((cut for cut in cuts if cut.id == operation.pk), None)
    place = _one_place(own, others) if own and is_counted else None
    if place is not None:
        placed = {place: cells.move(hidden, place)}
    else:
        hidden.delete()
        tallies = _counted(own, others) if own else _return_selected(operation, others)
        cells.add(tallies)
        placed = {where: tally.total() for where, tally in tallies.items()}
    restored = placed.get(VISIBLE, 0)
    operation.result |= {
        "restored": restored,
        "still_hidden": sum(placed.values()) - restored,
    }
    operation.save(update_fields=["result"])
    return operation


def _one_place(own: Cut, others: list[Cut]) -> int | None:
    """Where all the rows it hid are counted from now on; ``None``: not in one place."""
    meeting = [cut for cut in others if cut.may_meet(own)]
    if not meeting:
        return VISIBLE
    return meeting[0].id if len(meeting) == 1 and meeting[0].covers(own) else None


def _counted(own: Cut, others: list[Cut]) -> Placed:
    rows = SyncError.objects.filter(own.hides(), deleted_by__isnull=True)
    for older in others:
        if older.id < own.id:
            rows = rows.filter(older.shows())
    return cells.count_by_place(rows, others)


def _return_selected(operation: Operation, others: list[Cut]) -> Placed:
    rows = SyncError.objects.filter(deleted_by=operation)
    ids = list(rows.values_list("id", flat=True))
    rows.update(deleted_by=None)
    return cells.count_by_place(SyncError.objects.filter(id__in=ids), others)
