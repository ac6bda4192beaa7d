"""Operations: every act of a person, or of the schedule, as a row that stays."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import OperationKind, OperationState
from integration.models import Operation, User
from integration.services.actors import Actor, Refused, name_of, user_of
from integration.services.sentences import Told, sentence

MOST_SELECTED = 100
"""Entries of the list that somebody acts on without a preview."""
SELECTED = gettext_noop("Selected in the list.")
_UNFINISHED = {OperationState.PREPARED, OperationState.RUNNING}
_OF_OPERATION = gettext_noop("Of operation {number}.")
_REASON_LENGTH = 500


def record_operation(
    kind: str,
    *,
    by: Actor,
    reason: str | Told,
    scope: Mapping[str, Any] | None = None,
    result: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Operation:
    """Write down who did what, why, to which rows and how it ended.

    ``reason`` is a person's own words, or ours where nobody gave any: never empty.
    ``columns`` are further columns of ``Operation``. A ``key`` makes it idempotent: a
    second call with the same one returns the first operation. ``finished_at`` is now
    unless the ``state`` given says that it goes on.
    """
    now: datetime = clock.now()
    state = columns.pop("state", OperationState.DONE)
    key = columns.pop("key", "") or uuid4().hex
    ours = reason if isinstance(reason, Told) else None
    words = ours.english if ours else str(reason)
    values = {
        "kind": kind,
        "state": state,
        "by": user_of(by),
        "by_name": name_of(by),
        "reason": words.replace("\0", "")[:_REASON_LENGTH],
        "created_at": now,
        "finished_at": None if state in _UNFINISHED else now,
        "scope": {**(scope or {}), **({"why": ours.key} if ours else {})},
        "result": dict(result or {}),
        **columns,
    }
    operation, _ = Operation.objects.get_or_create(key=key, defaults=values)
    return operation


def record_undo(operation: Operation, by: Actor, reason: str = "") -> Operation:
    """That somebody took an operation back, with what came of it; one for each."""
    return record_operation(
        OperationKind.UNDO,
        by=by,
        reason=reason or sentence(_OF_OPERATION, number=str(operation.pk)),
        scope={"operation": operation.pk},
        result=operation.result,
        rows=operation.result["restored"],
        key=f"undo {operation.pk}",
    )


def lock_to_undo(operation_id: int) -> Operation:
    """Its row as it is now, for this transaction. Raises ``Refused``.

    It may have been undone meanwhile, or be a preview, which goes after an hour.
    """
    rows = Operation.objects.select_for_update(no_key=True)
    operation = rows.filter(pk=operation_id).first()
    if operation is None:
        raise Refused(_("There is no such operation."))
    if operation.state == OperationState.PREPARED:
        raise Refused(_("Nothing was done yet: there is nothing to undo."))
    refuse_undone(operation)
    return operation


def refuse_undone(operation: Operation) -> None:
    """Raises ``Refused`` with who has undone it, if somebody has."""
    if operation.state == OperationState.UNDONE:
        said = _("%(name)s undid this on %(moment)s: nothing has changed now.")
        moment = localize(timezone.localtime(operation.undone_at))
        raise Refused(said % {"name": operation.undone_by_name, "moment": moment})


def require_few(ids: Collection[int]) -> None:
    """Raises ``Refused`` where more are selected than a click may act on."""
    if len(set(ids)) > MOST_SELECTED:
        raise Refused(_("Select at most %(n)s entries.") % {"n": MOST_SELECTED})


def find_operation(key: str) -> Operation | None:
    """The operation with this idempotency key, if it was made already."""
    return Operation.objects.filter(key=key).first()


def by_colleagues(reader: User, since: datetime) -> QuerySet[Operation]:
    """What other people did from that moment on; not what happened by itself."""
    others = recent_operations().filter(by__isnull=False).exclude(by=reader)
    return others.filter(created_at__gte=since)


def recent_operations() -> QuerySet[Operation]:
    """For the list page, newest first; page it by id."""
    asked_for = Operation.objects.exclude(state=OperationState.PREPARED)
    return asked_for.select_related("by").order_by("-id")
