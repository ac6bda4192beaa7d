"""Retry: records tried again because somebody wants it, one operation whatever their
number.

Its items are the exact scope. A chunk at a time they are looked at: what is settled,
held by another retry or in vain is said so, the others are *pending*, held by this one.
One run per mapping tries them, mappings that others depend on first. Every step can be
repeated: who is killed is followed by the next tick.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.utils import timezone
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import (
    ItemOutcome,
    JobState,
    OperationKind,
    OperationState,
    SettledReason,
)
from integration.models import (
    Connection,
    Job,
    Operation,
    OperationItem,
    SyncError,
    TableMapping,
    User,
)
from integration.models.bulk import insert_from
from integration.models.dialect import lock_retries
from integration.models.errors import SOURCE_RECORD
from integration.models.jobs import ACTIVE_STATES
from integration.services.actors import Refused, name_of
from integration.services.answers import settled_words
from integration.services.connections import check_connection
from integration.services.may_run import why_not
from integration.services.operations import SELECTED, record_operation, require_few
from integration.services.retry_results import (
    UNFINISHED,
    end_if_over,
    judge_checked,
)
from integration.services.runs import start_run
from integration.services.sentences import Told, in_words, of_problem, sentence

CHUNK = 1_000
"""Records looked at in one transaction; up to as many are taken by the click itself."""
_SETTLED = {
    SettledReason.RESOLVED: gettext_noop("It was resolved before it was tried."),
    SettledReason.REPLACED: gettext_noop(
        "It failed for another cause before it was tried."
    ),
    SettledReason.BOTH_DELETED: gettext_noop(
        "Both records were deleted before it was tried."
    ),
}
BY_HAND = gettext_noop("{name} resolved it before it was tried.")
NO_MAPPING = gettext_noop("There is no mapping {name} any more.")
_COLUMNS = (
    *("operation_id", "error_id", "connection_id", "mapping_key"),
    *("direction", "record_key", "label", "outcome"),
)

Items = QuerySet[OperationItem]


def retry_error(error: SyncError, by: User, reason: str = "") -> Operation:
    """Try this record again at once, attempts from zero (design §6).

    A second click finds the same operation. ``runs_of`` says what to announce to the
    workers. An error without a record is retried by checking its connection, here and
    now. Raises ``Refused``.
    """
    if error.settled_at:
        raise Refused(_since_when(error))
    if error.record_key:
        refused = why_not_retried(error.connection_id, error.mapping_key)
        if refused:
            why = {"why": in_words(refused.key, refused.english)}
            raise Refused(_("Nothing was tried. %(why)s") % why)
    title = of_problem(error.problem)
    scope = {"error": error.pk, "title": title.english, "told": title.key}
    operation = _begin([error.pk], by, reason or title, scope)
    if not error.record_key:
        _check_set_up(operation)
    operation.refresh_from_db()
    return operation


def retry_selected(ids: Collection[int], by: User) -> Operation:
    """The same for rows selected in the list, at most 100. Raises ``Refused``."""
    require_few(ids)
    cuts = Operation.objects.cuts()
    rows = SyncError.objects.visible(cuts).relevant().filter(id__in=ids)
    chosen = list(rows.values_list("id", flat=True))
    if not chosen:
        settled = SyncError.objects.visible(cuts).filter(id__in=ids)
        last = settled.order_by("settled_at").last()
        by_a_person = last and settled_words(last)
        said = _("Nothing that was selected is left to try: it is settled, or deleted.")
        raise Refused(by_a_person or said)
    operation = _begin(chosen, by, sentence(SELECTED), {"selected": len(chosen)})
    operation.refresh_from_db()
    return operation


def choose(operation: Operation, ids: Collection[int]) -> int:
    """Make these errors part of the operation's scope; how many were not yet."""
    label = Case(
        When(mapping_key="", then=F("connection__name")),
        default=SOURCE_RECORD,
        output_field=CharField(),
    )
    rows = SyncError.objects.filter(id__in=ids).values_list(
        Value(operation.pk, BigIntegerField()),
        "id",
        "connection_id",
        "mapping_key",
        "direction",
        "record_key",
        label,
        Value(ItemOutcome.CHOSEN.value, CharField()),
    )
    return insert_from(OperationItem, _COLUMNS, rows)


def begin(operation: Operation) -> None:
    """Take what one chunk holds and start what can run; ``advance`` does the rest."""
    take_chunk(operation)
    start_runs(operation)
    end_if_over(operation.pk)


def advance(operation_id: int) -> list[UUID]:
    """Take all that is left, check connections, start runs; what to announce."""
    operation = Operation.objects.unfinished_retries().filter(pk=operation_id).first()
    if operation is None:
        return []
    while take_chunk(operation):
        pass
    _check_set_up(operation)
    started = start_runs(operation)
    end_if_over(operation.pk)
    return started


def needs_worker(operation: Operation) -> bool:
    """Whether more is to do than starting runs: a worker shall ``advance`` it."""
    set_up = Q(outcome=ItemOutcome.PENDING, mapping_key="")
    left = Q(outcome=ItemOutcome.CHOSEN) | set_up
    return operation.items.filter(left).exists()


def runs_of(operation: Operation) -> list[UUID]:
    """Its runs that no worker has heard of yet."""
    queued = Job.objects.filter(
        operation=operation, state=JobState.QUEUED, enqueued_at=None
    )
    return list(queued.order_by("run").values_list("run", flat=True).distinct())


def start_waiting_retries() -> list[UUID]:
    """Start what another run, or a mapping before it, was in the way of."""
    started = []
    for operation in Operation.objects.unfinished_retries():
        if operation.state == OperationState.CANCELLED:
            _cancel_items(operation)
        started += start_runs(operation)
        end_if_over(operation.pk)
    return started


def forgotten_retries() -> list[int]:
    """Retries whose records nobody takes: their message, or their worker, was lost."""
    now = clock.now()
    stale = now - timedelta(seconds=settings.TAKE_UP_SECONDS)
    silent = Q(heartbeat_at=None) | Q(heartbeat_at__lt=stale) | Q(heartbeat_at__gt=now)
    unfinished = Operation.objects.unfinished_retries()
    rows = unfinished.filter(silent, state=OperationState.RUNNING)
    found = [operation.pk for operation in rows if needs_worker(operation)]
    Operation.objects.filter(pk__in=found).update(heartbeat_at=now)
    return found


def cancel(operation: Operation, by: User) -> None:
    """What was not begun stays as it is. Raises ``Refused`` when all has ended."""
    with transaction.atomic():
        lock_retries()
        unfinished = Operation.objects.unfinished_retries().select_for_update(
            no_key=True
        )
        found = unfinished.filter(pk=operation.pk, state=OperationState.RUNNING).first()
        if found is None:
            raise Refused(_("This retry has ended already."))
        found.state = OperationState.CANCELLED
        found.result |= {
            "cancelled_by": name_of(by),
            "cancelled_at": clock.now().isoformat(),
        }
        found.save(update_fields=["state", "result"])
    _cancel_items(found)
    end_if_over(found.pk)


@transaction.atomic
def take_chunk(operation: Operation) -> bool:
    """Look at the next of its records; ``False`` when none is left."""
    lock_retries()
    running = Operation.objects.filter(pk=operation.pk, state=OperationState.RUNNING)
    if not running.update(heartbeat_at=clock.now()):
        return False
    chosen = operation.items.filter(outcome=ItemOutcome.CHOSEN)
    ids = list(chosen.order_by("id").values_list("id", flat=True)[:CHUNK])
    if not ids:
        return False
    rows = chosen.filter(pk__gte=ids[0], pk__lte=ids[-1])
    _leave_changed(rows)
    _leave_held(rows)
    _leave_in_vain(rows)
    rows.update(outcome=ItemOutcome.PENDING)
    return True


def start_runs(operation: Operation) -> list[UUID]:
    """One run for each mapping whose records can be tried now; what to announce.

    A mapping waits for those it depends on, as long as this retry has records of them,
    and for a run of its own that is on its way.
    """
    pending = operation.items.filter(outcome=ItemOutcome.PENDING).exclude(
        mapping_key=""
    )
    groups = set(
        pending.order_by().values_list("connection_id", "mapping_key").distinct()
    )
    mappings = {}
    for connection, name in sorted(groups):
        found = _mapping_of(connection, name)
        if found:
            mappings[found.pk] = found
        else:
            told = sentence(NO_MAPPING, name=name).key
            gone = pending.filter(connection=connection, mapping_key=name)
            gone.update(outcome=ItemOutcome.NOT_TRIED, told=dict(told))
    busy = set(
        Job.objects.filter(mapping__in=mappings, state__in=ACTIVE_STATES).values_list(
            "mapping", flat=True
        )
    )
    started = []
    for key, mapping in mappings.items():
        needed = {one.pk for one in mapping.depends_on.all()}
        if key not in busy and not needed & mappings.keys():
            run_id = start_run(mapping, only=[], operation=operation)
            started += [run_id] if run_id else []
    return started


def held_by_others(operation: Operation) -> QuerySet[OperationItem]:
    """For a subquery: what other retries hold of the error of an item."""
    pending = OperationItem.objects.filter(
        outcome=ItemOutcome.PENDING, error=OuterRef("error_id")
    )
    return pending.exclude(operation=operation)


def _begin(
    ids: Collection[int], by: User, reason: str | Told, scope: dict[str, object]
) -> Operation:
    """A new operation on these, or the unfinished one that holds them all."""
    with transaction.atomic():
        lock_retries()
        held = OperationItem.objects.filter(
            outcome__in=UNFINISHED,
            error__in=ids,
            operation__in=Operation.objects.unfinished_retries(),
        ).select_related("operation")
        holders = {item.error_id: item.operation for item in held}
        if holders.keys() == set(ids) and len(set(holders.values())) == 1:
            return next(iter(holders.values()))
        operation = record_operation(
            OperationKind.RETRY,
            by=by,
            reason=reason,
            scope=scope,
            state=OperationState.RUNNING,
            rows=len(ids),
        )
        choose(operation, ids)
        begin(operation)
        return operation


def _since_when(error: SyncError) -> str:
    by_a_person = settled_words(error)
    if by_a_person:
        return by_a_person
    moment = localize(timezone.localtime(error.settled_at))
    reason = SettledReason(error.settled_reason).label
    said = _("Settled on %(moment)s (%(reason)s): nothing is left to try.")
    return said % {"moment": moment, "reason": reason}


def _leave_changed(rows: Items) -> None:
    """Settled, or out of the list, since somebody saw them there."""
    error = SyncError.objects.filter(pk=OuterRef("error_id"))
    by_hand = SyncError.objects.filter(
        pk__in=rows.order_by().values("error_id"),
        settled_at__isnull=False,
        handled_by__isnull=False,
    )
    for key, name in list(
        by_hand.order_by().values_list("handled_by", "handled_by__by_name").distinct()
    ):
        rows.filter(Exists(error.filter(handled_by=key))).update(
            outcome=ItemOutcome.CHANGED, told=dict(sentence(BY_HAND, name=name).key)
        )
    for reason, text in _SETTLED.items():
        settled = error.filter(settled_reason=reason)
        rows.filter(Exists(settled)).update(
            outcome=ItemOutcome.CHANGED, told=dict(sentence(text).key)
        )
    in_sight = error.visible(Operation.objects.cuts())
    rows.filter(~Exists(in_sight)).update(outcome=ItemOutcome.GONE)


def _leave_held(rows: Items) -> None:
    held = OperationItem.objects.filter(
        outcome=ItemOutcome.PENDING, error=OuterRef("error_id")
    )
    rows.filter(Exists(held)).update(
        outcome=ItemOutcome.NOT_TRIED, held_by=Subquery(held.values("operation")[:1])
    )


def _leave_in_vain(rows: Items) -> None:
    with_record = rows.exclude(mapping_key="").order_by()
    groups = with_record.values_list("connection_id", "mapping_key").distinct()
    for connection, name in list(groups):
        told = why_not_retried(connection, name)
        if told:
            rows.filter(connection=connection, mapping_key=name).update(
                outcome=ItemOutcome.NOT_TRIED, told=dict(told.key)
            )


def why_not_retried(connection_id: int, name: str) -> Told | None:
    mapping = _mapping_of(connection_id, name)
    return why_not(mapping) if mapping else sentence(NO_MAPPING, name=name)


def _mapping_of(connection_id: int | None, name: str) -> TableMapping | None:
    found = TableMapping.objects.select_related("connection")
    return found.filter(connection=connection_id, name=name).first()


def _check_set_up(operation: Operation) -> None:
    """Errors without a record are tried by a check of their connection, once each."""
    pending = operation.items.filter(outcome=ItemOutcome.PENDING, mapping_key="")
    ids = set(pending.order_by().values_list("connection_id", flat=True).distinct())
    why = operation.scope.get("why")
    reason = Told(operation.reason, why) if why else operation.reason
    for connection in Connection.objects.filter(pk__in=ids):
        check_connection(connection, operation.by, reason, is_try=True)
        with transaction.atomic():
            judge_checked(operation.pk, connection.pk)
    if ids:
        pending.exclude(connection__in=Connection.objects.all()).update(
            outcome=ItemOutcome.GONE
        )
        end_if_over(operation.pk)


def _cancel_items(operation: Operation) -> None:
    left = operation.items.filter(outcome__in=UNFINISHED).order_by("id")
    while ids := list(left.values_list("id", flat=True)[:CHUNK]):
        left.order_by().filter(pk__gte=ids[0], pk__lte=ids[-1]).update(
            outcome=ItemOutcome.CANCELLED
        )
