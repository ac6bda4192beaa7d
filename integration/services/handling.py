"""Errors that a person ignores, opens again or resolves by hand, and the way back.

Only the list changes: the engine goes on trying, and what fails again after it was
resolved comes back by itself. One operation holds who, why and which rows; each row
points to it as long as it stays as the operation left it.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from integration import clock
from integration.choices import (
    ErrorState,
    ItemOutcome,
    OperationKind,
    OperationState,
    SettledReason,
)
from integration.models import Connection, Operation, SyncError
from integration.models.dialect import among, among_ids
from integration.models.errors import SyncErrorQuerySet
from integration.services import moment
from integration.services.actors import Actor, Refused, name_of, require_operator
from integration.services.operations import (
    SELECTED,
    lock_to_undo,
    record_operation,
    record_undo,
    require_few,
)
from integration.services.sentences import Told, of_problem, sentence
from integration.services.settling import (
    Before,
    Writing,
    before,
    ignore,
    reopen,
    settle,
    writing,
)

HANDLING = {OperationKind.IGNORE, OperationKind.REOPEN, OperationKind.RESOLVE}
CHUNK = 1_000
"""Entries handled in one transaction; up to as many by the click itself."""
_CHUNK = 500
_LEFT_AS = {
    OperationKind.IGNORE: ErrorState.IGNORED,
    OperationKind.REOPEN: ErrorState.OPEN,
    OperationKind.RESOLVE: ErrorState.RESOLVED,
}


def ignore_errors(
    ids: Collection[int], by: Actor, until: datetime | None = None, reason: str = ""
) -> Operation:
    """Ignore these entries, at most 100, until a moment or (``None``) until they grow.

    They grow when a further record fails for the same cause. Raises ``Refused``.
    """
    return _handle(OperationKind.IGNORE, ids, by, reason, scope_of(until))


def resolve_errors(ids: Collection[int], by: Actor, reason: str = "") -> Operation:
    """Call these entries, at most 100, resolved. Raises ``Refused``."""
    return _handle(OperationKind.RESOLVE, ids, by, reason, {})


def reopen_errors(ids: Collection[int], by: Actor, reason: str = "") -> Operation:
    """Ignore these entries, at most 100, no longer. Raises ``Refused``."""
    return _handle(OperationKind.REOPEN, ids, by, reason, {})


def scope_of(until: datetime | None) -> dict[str, str]:
    """Until when, as an operation keeps it. Raises ``Refused``."""
    if until is not None and until <= clock.now():
        raise Refused(_("Choose a day that is still to come."))
    return {"until": until.isoformat() if until else "it grows"}


def _until(operation: Operation) -> datetime | None:
    told = operation.scope["until"]
    return None if told == "it grows" else datetime.fromisoformat(told)


def handled_by(operation: Operation) -> SyncErrorQuerySet:
    """What the operation may change, as things stand."""
    if operation.kind == OperationKind.IGNORE:
        rows = SyncError.objects.filter(state=ErrorState.OPEN)
    elif operation.kind == OperationKind.REOPEN:
        rows = SyncError.objects.filter(state=ErrorState.IGNORED)
    else:
        rows = SyncError.objects.relevant()
    return rows.visible(Operation.objects.cuts())


def handle(operation: Operation, ids: Collection[int]) -> set[int]:
    """Do so with these, in the caller's transaction; which of them it could."""
    done: set[int] = set()
    for work, chunk in _locked(
        handled_by(operation).filter(id__in=among_ids(sorted(ids)))
    ):
        if operation.kind == OperationKind.IGNORE:
            ignore(chunk, _until(operation), operation)
        elif operation.kind == OperationKind.REOPEN:
            reopen(chunk, operation)
        else:
            settle(work, chunk, SettledReason.RESOLVED, operation)
        done |= {row["id"] for row in chunk}
    return done


def _why(ids: Collection[int]) -> Told:
    """For want of a reason: one entry by itself is called by its cause."""
    rows = SyncError.objects.filter(pk__in=ids).select_related("problem")
    error = rows.first() if len(ids) == 1 else None
    if error:
        return of_problem(error.problem)
    return sentence(SELECTED)


@transaction.atomic
def _handle(
    kind: OperationKind,
    ids: Collection[int],
    by: Actor,
    reason: str,
    scope: dict[str, str],
) -> Operation:
    require_operator(by)
    require_few(ids)
    ids = set(ids)
    operation = record_operation(
        kind,
        by=by,
        reason=reason or _why(ids),
        scope=scope,
        state=OperationState.IN_FORCE,
        instant=moment.read_clock(),
    )
    operation.rows = len(handle(operation, ids))
    if not operation.rows:
        raise Refused(_("None of the selected entries is in the list any more."))
    if len(ids) > operation.rows:
        operation.result = {"left": len(ids) - operation.rows}
    operation.save(update_fields=["rows", "result"])
    return operation


def undo_handling(operation: Operation, by: Actor, reason: str = "") -> Operation:
    """Put back what is still as this operation left it, in chunks.

    ``result`` then says ``restored``; what changed since stays as it is. One that was
    interrupted goes on. Raises ``Refused``, also when somebody has undone it.
    """
    require_operator(by)
    while _reopen_chunk(operation.pk):
        pass
    return _end_undo(operation.pk, by, reason)


def undos_begun() -> QuerySet[Operation]:
    """What is being put back, or was until somebody was killed, in a fixed order."""
    begun = Operation.objects.filter(
        kind__in=HANDLING, state=OperationState.IN_FORCE, result__has_key="restored"
    )
    return begun.order_by("id")


@transaction.atomic
def _reopen_chunk(operation_id: int) -> bool:
    """``False`` when nothing is as the operation left it any more."""
    locked = lock_to_undo(operation_id)
    if locked.state != OperationState.IN_FORCE:
        raise Refused(_("This goes on still: cancel the rest first."))
    rows = SyncError.objects.filter(
        state=_LEFT_AS[OperationKind(locked.kind)], handled_by=locked
    )
    ids = list(rows.order_by("id").values_list("id", flat=True)[:CHUNK])
    restored = 0
    for _work, chunk in _locked(rows.filter(id__in=among_ids(ids))):
        replaced = _replaced(chunk)
        _call_replaced(replaced)
        back = [row for row in chunk if row["id"] not in replaced]
        _put_back(back, locked.instant or locked.created_at)
        restored += len(back)
    locked.result["restored"] = locked.result.get("restored", 0) + restored
    locked.save(update_fields=["result"])
    return bool(ids)


def _replaced(chunk: Sequence[Before]) -> set[int]:
    """Those whose record fails for another cause now: it would be open twice."""
    keys = ("connection_id", "mapping_key", "direction", "record_key")
    relevant = SyncError.objects.relevant().filter(
        record_key__in=among(sorted({row["record_key"] for row in chunk} - {""}))
    )
    failing = {tuple(key): pk for pk, *key in relevant.values_list("id", *keys)}
    return {
        row["id"]
        for row in chunk
        if failing.get(tuple(row[key] for key in keys), row["id"]) != row["id"]
    }


def _call_replaced(ids: Collection[int]) -> None:
    """They stay resolved, for the reason they would have without a person's hand."""
    SyncError.objects.filter(id__in=among_ids(sorted(ids))).update(
        settled_reason=SettledReason.REPLACED, handled_by=None, ignored_before_by=None
    )


def _put_back(chunk: Sequence[Before], handled_at: datetime) -> None:
    """Open again; or ignored as before, unless what ends that has come meanwhile."""
    earlier = Operation.objects.exclude(state=OperationState.UNDONE).in_bulk(
        {row["ignored_before_by_id"] for row in chunk} - {None}
    )
    groups: dict[tuple[int | None, int, datetime], list[Before]] = {}
    for row in chunk:
        since = row["settled_at"] or handled_at
        key = (row["ignored_before_by_id"], row["problem_id"], since)
        groups.setdefault(key, []).append(row)
    for (by, problem, since), rows in groups.items():
        ignoring = earlier.get(by or 0)
        if ignoring and not _is_over(_until(ignoring), problem, since):
            ignore(rows, _until(ignoring), ignoring)
        else:
            reopen(rows)


def _is_over(until: datetime | None, problem: int, since: datetime) -> bool:
    """Whether what was ignored until then would not be any more."""
    if until:
        return until <= clock.now()
    further = Q(first_seen__gt=since) | Q(reopened_at__gt=since)
    rows = SyncError.objects.filter(further, problem=problem, last_seen__gt=since)
    return rows.exists()


@transaction.atomic
def _end_undo(operation_id: int, by: Actor, reason: str) -> Operation:
    locked = lock_to_undo(operation_id)
    handled = locked.result.get("outcomes", {}).get(ItemOutcome.DONE, locked.rows)
    restored = locked.result["restored"]
    locked.state = OperationState.UNDONE
    locked.undone_at = clock.now()
    locked.undone_by_name = name_of(by)
    locked.result["changed_since"] = handled - restored
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
