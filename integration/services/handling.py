"""Errors that a person ignores or resolves by hand, and the way back (design §5).

Only the list changes: the engine goes on trying, and what fails again after it was
resolved comes back by itself. One operation holds who, why and which rows; each row
points to it as long as it stays as the operation left it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import ErrorState, OperationKind, OperationState, SettledReason
from integration.models import Connection, Operation, SyncError
from integration.models.errors import SyncErrorQuerySet
from integration.services.actors import (
    Actor,
    Refused,
    name_of,
    require_operator,
    user_of,
)
from integration.services.cleanup import MOST_SELECTED
from integration.services.operations import record_operation, record_undo
from integration.services.sentences import Told, sentence
from integration.services.settling import (
    Before,
    Writing,
    before,
    ignore,
    reopen,
    settle,
    writing,
)

HANDLING = {OperationKind.IGNORE, OperationKind.RESOLVE}
_CHUNK = 500
_LEFT_AS = {
    OperationKind.IGNORE: ErrorState.IGNORED,
    OperationKind.RESOLVE: ErrorState.RESOLVED,
}


def ignore_errors(
    ids: Collection[int], by: Actor, until: datetime | None = None, reason: str = ""
) -> Operation:
    """Ignore these entries, at most 100, until a moment or (``None``) until they grow.

    They grow when a further record fails for the same cause. Raises ``Refused``.
    """
    if until is not None and until <= clock.now():
        raise Refused(_("Choose a day that is still to come."))
    why = reason or sentence(gettext_noop("Selected in the list."))
    scope = {"until": until.isoformat() if until else "it grows"}
    rows = SyncError.objects.filter(state=ErrorState.OPEN)
    return _handle(
        OperationKind.IGNORE,
        rows.filter(id__in=_few(ids)),
        by,
        why,
        scope,
        lambda _work, chunk, operation: ignore(chunk, until, operation),
    )


def resolve_errors(ids: Collection[int], by: Actor, reason: str = "") -> Operation:
    """Call these entries, at most 100, resolved. Raises ``Refused``."""
    why = reason or sentence(gettext_noop("Selected in the list."))
    return _handle(
        OperationKind.RESOLVE,
        SyncError.objects.relevant().filter(id__in=_few(ids)),
        by,
        why,
        {},
        lambda work, chunk, operation: settle(
            work, chunk, SettledReason.RESOLVED, operation
        ),
    )


def _few(ids: Collection[int]) -> set[int]:
    if len(set(ids)) > MOST_SELECTED:
        raise Refused(_("Select at most %(n)s entries.") % {"n": MOST_SELECTED})
    return set(ids)


@transaction.atomic
def _handle(
    kind: OperationKind,
    rows: SyncErrorQuerySet,
    by: Actor,
    reason: str | Told,
    scope: dict[str, str],
    change: Callable[[Writing, Sequence[Before], Operation], object],
) -> Operation:
    require_operator(by)
    operation = record_operation(
        kind,
        by=user_of(by),
        by_name=name_of(by),
        reason=reason,
        scope=scope,
        state=OperationState.IN_FORCE,
    )
    for work, chunk in _locked(rows.visible(Operation.objects.cuts())):
        change(work, chunk, operation)
        operation.rows += len(chunk)
    if not operation.rows:
        raise Refused(_("None of the selected entries is in the list any more."))
    operation.save(update_fields=["rows"])
    return operation


@transaction.atomic
def undo_handling(operation: Operation, by: Actor, reason: str = "") -> Operation:
    """Open again what is still as this operation left it.

    ``result`` then says ``restored``; what changed since stays as it is. A second undo
    changes nothing. Raises ``Refused``.
    """
    require_operator(by)
    locked = Operation.objects.select_for_update().get(pk=operation.pk)
    if locked.state == OperationState.UNDONE:
        return locked
    restored = 0
    rows = SyncError.objects.filter(state=_LEFT_AS[OperationKind(locked.kind)])
    for _work, chunk in _locked(rows.filter(handled_by=locked)):
        reopen(chunk)
        restored += len(chunk)
    locked.state = OperationState.UNDONE
    locked.undone_at = clock.now()
    locked.undone_by_name = name_of(by)
    locked.result = {"restored": restored, "changed_since": locked.rows - restored}
    locked.save(update_fields=["state", "undone_at", "undone_by_name", "result"])
    record_undo(locked, by, reason)
    return locked


def wake_ignored() -> int:
    """Open again what was ignored until a moment that has come; how many."""
    due = SyncError.objects.filter(
        state=ErrorState.IGNORED, ignored_until__lte=clock.now()
    )
    if not due.exists():
        return 0
    woken = 0
    with transaction.atomic():
        for _work, chunk in _locked(due):
            reopen(chunk)
            woken += len(chunk)
    return woken


def _locked(rows: SyncErrorQuerySet) -> Iterator[tuple[Writing, list[Before]]]:
    """The rows as they stand, by connection, locked as recording locks them.

    The next chunk is read only after the one before has been changed.
    """
    keys = rows.order_by().values_list("connection", flat=True).distinct()
    for connection in Connection.objects.filter(pk__in=list(keys)).order_by("pk"):
        work = writing(connection)
        last = 0
        while chunk := before(
            work, rows.filter(connection=connection, id__gt=last), most=_CHUNK
        ):
            last = chunk[-1]["id"]
            yield work, chunk
