"""What a retry of many would try, chosen and counted before anything is tried.

The choice itself is kept, record by record, as an operation that is *prepared*: what
the page counted is exactly what is tried, whatever the list does meanwhile. It is good
for one hour and one user, and forgotten if nobody asks for it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    OuterRef,
    Subquery,
    Value,
    When,
)
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import Chip, OperationKind, OperationState
from integration.core.chunks import chunks
from integration.models import (
    Connection,
    Operation,
    OperationItem,
    Problem,
    SyncError,
    User,
)
from integration.models.dialect import lock_retries
from integration.models.removal import DELETE_CHUNK, delete_rows
from integration.services import moment
from integration.services.actors import Refused
from integration.services.answers import settled_words
from integration.services.error_chunks import read_chunks
from integration.services.error_filters import ALL, RELEVANT, ErrorFilter
from integration.services.error_sort import Sort
from integration.services.operations import record_operation
from integration.services.retry import (
    CHUNK,
    begin,
    choose,
    held_by_others,
    why_not_retried,
)
from integration.services.sentences import Told, sentence

NO_REASON = gettext_noop("No reason was given.")
_STABLE = Sort("first_seen", descending=False)
"""What fails again while the list is read keeps its place."""
_CHANGED, _HELD, _FREE = "changed", "held", "free"


@dataclass(frozen=True, slots=True)
class Group:
    """Records of one mapping; ``why`` not, if they cannot be tried.

    Without a ``mapping``: errors of the set-up, retried by a check.
    """

    connection: str
    mapping: str
    count: int
    why: Told | None = None


@dataclass(frozen=True, slots=True)
class RetryPreview:
    """What would happen to each of ``total`` records if it were asked for now."""

    total: int
    tried: list[Group]
    checked: list[Group]
    in_vain: list[Group]
    changed: int
    held: list[tuple[Operation, int]]

    @property
    def count(self) -> int:
        """How many are tried."""
        return sum(group.count for group in (*self.tried, *self.checked))

    @property
    def left_out(self) -> int:
        """How many are not."""
        return self.total - self.count


def prepare(filters: ErrorFilter, by: User) -> Operation:
    """Choose every error of this list that is not settled. Raises ``Refused``."""
    if filters.state == Chip.RESOLVED:
        raise Refused(_("What is resolved is not tried again."))
    if filters.state == ALL:
        filters = replace(filters, state=RELEVANT)
    operation = freeze(OperationKind.RETRY, filters, by)
    if operation is None:
        said = _("Nothing matches that could be tried again.")
        raise Refused(_settled_by(filters) or said)
    return operation


def _settled_by(filters: ErrorFilter) -> str:
    """Who settled what failed last, and when, where all of a cause is asked for."""
    whole = _whole_problem(filters)
    if whole is None:
        return ""
    settled = SyncError.objects.visible(Operation.objects.cuts()).filter(
        problem=whole, chip=Chip.RESOLVED
    )
    last = settled.order_by("last_seen", "id").last()
    return settled_words(last) if last else ""


def freeze(kind: OperationKind, filters: ErrorFilter, by: User) -> Operation | None:
    """Every error of this list as the scope of an operation; ``None``: there is none.

    It is good for an hour and one user, whatever the operation is.
    """
    operation = record_operation(
        kind,
        by=by,
        reason=sentence(NO_REASON),
        scope={"query": filters.query()},
        state=OperationState.PREPARED,
        instant=moment.read_clock(),
        problem=_whole_problem(filters),
    )
    rows = 0
    for found in read_chunks(filters, _STABLE, (), list):
        for chunk in chunks(found, CHUNK):
            rows += choose(operation, [row[1] for row in chunk])
    if not rows:
        operation.delete()
        return None
    operation.rows = rows
    operation.save(update_fields=["rows"])
    return operation


def _whole_problem(filters: ErrorFilter) -> Problem | None:
    """The cause, where all of it is meant and not a part."""
    if filters.problem is None or filters.query().keys() - {"problem", "state"}:
        return None
    return Problem.objects.filter(pk=filters.problem).first()


def prepared_for(
    operation_id: int, by: User, kinds: Collection[str] = (OperationKind.RETRY,)
) -> Operation | None:
    """This user's choice, not asked for yet and complete; ``None``: there is none."""
    found = Operation.objects.prepared().filter(
        pk=operation_id, by=by, rows__gt=0, kind__in=kinds
    )
    return found.first()


def preview(operation: Operation) -> RetryPreview:
    """What would become of each record now; two queries and one a mapping."""
    error = SyncError.objects.filter(pk=OuterRef("error_id"))
    in_sight = error.visible(Operation.objects.cuts()).relevant()
    held = held_by_others(operation)
    items = operation.items.annotate(
        fate=Case(
            When(~Exists(in_sight), then=Value(_CHANGED)),
            When(Exists(held), then=Value(_HELD)),
            default=Value(_FREE),
            output_field=CharField(),
        )
    ).order_by()
    counts = items.values_list("connection_id", "mapping_key", "fate")
    found = RetryPreview(operation.rows, [], [], [], 0, _holders(operation))
    names = dict(Connection.objects.values_list("pk", "name"))
    changed = 0
    for key, mapping, fate, n in counts.annotate(n=Count("id")).order_by(
        "connection_id", "mapping_key"
    ):
        if fate == _CHANGED:
            changed += n
        elif fate == _FREE:
            _place(found, Group(names.get(key, ""), mapping, n), key)
    return replace(found, changed=changed)


def _place(found: RetryPreview, group: Group, connection: int) -> None:
    why = why_not_retried(connection, group.mapping) if group.mapping else None
    if why:
        found.in_vain.append(replace(group, why=why))
    else:
        (found.tried if group.mapping else found.checked).append(group)


def _holders(operation: Operation) -> list[tuple[Operation, int]]:
    error = SyncError.objects.filter(pk=OuterRef("error_id"))
    in_sight = error.visible(Operation.objects.cuts()).relevant()
    held = held_by_others(operation).values("operation")[:1]
    rows = (
        operation.items.filter(Exists(in_sight))
        .annotate(holder=Subquery(held))
        .filter(holder__isnull=False)
        .order_by()
        .values_list("holder")
        .annotate(n=Count("id"))
    )
    counts = dict(rows)
    found = Operation.objects.in_bulk(counts)
    return [(found[key], n) for key, n in sorted(counts.items())]


def confirm(operation_id: int, by: User, reason: str = "") -> Operation:
    """Try exactly what the page showed. A second click finds the same operation.

    Up to a thousand records are taken here; more are left to a worker
    (``retry.needs_worker``). Raises ``Refused``.
    """
    operation, is_begun = ask_for([OperationKind.RETRY], operation_id, by, reason)
    if is_begun:
        begin(operation)
        operation.refresh_from_db()
    return operation


@transaction.atomic
def ask_for(
    kinds: Collection[str], operation_id: int, by: User, reason: str, **scope: Any
) -> tuple[Operation, bool]:
    """A prepared operation set running, with more of its ``scope``; whether it was now.

    Raises ``Refused``.
    """
    lock_retries()
    found = Operation.objects.filter(kind__in=kinds, pk=operation_id)
    operation = found.select_for_update(no_key=True).first()
    if operation is None:
        raise Refused(_too_old())
    if operation.by_id != by.pk:
        raise Refused(_("This page was made for another user. Open your own."))
    if operation.state != OperationState.PREPARED:
        return operation, False
    if operation.created_at <= _oldest() or not operation.rows:
        raise Refused(_too_old())
    operation.state = OperationState.RUNNING
    operation.created_at = clock.now()
    operation.scope |= scope
    if reason:
        operation.reason = reason[:500]
        operation.scope.pop("why", None)
    operation.save(update_fields=["state", "created_at", "reason", "scope"])
    return operation, True


def _too_old() -> str:
    return _("This page is older than an hour. Open it again to see what is there.")


def forget_abandoned() -> None:
    """Remove choices that nobody asked for within their hour, in chunks (D12)."""
    past = _oldest() - timedelta(minutes=1)
    for operation in Operation.objects.prepared().filter(created_at__lt=past):
        items = OperationItem.objects.filter(operation=operation).order_by("id")
        size = DELETE_CHUNK[database.vendor]
        while ids := list(items.values_list("id", flat=True)[:size]):
            delete_rows(OperationItem, "id", ids)
        operation.delete()


def _oldest() -> datetime:
    return clock.now() - timedelta(seconds=settings.PREVIEW_TOKEN_SECONDS)
