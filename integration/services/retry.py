"""Retry of one error: an operation that holds it until its run has ended."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from integration.choices import OperationKind, OperationState
from integration.core.records import Direction
from integration.models import Operation, SyncError, TableMapping, User
from integration.services.connections import check_connection
from integration.services.operations import record_operation
from integration.services.pauses import reason_of
from integration.services.pending import release
from integration.services.retry_results import end_retry, judge
from integration.services.runs import start_run
from integration.services.sentences import in_words, of_problem


class RetryRefused(Exception):  # noqa: N818  (a sentence for a person)
    """Nothing would be tried now; the message says why."""


def retry_error(error: SyncError, by: User, reason: str = "") -> Operation:
    """Try this record again at once, attempts from zero (design §6).

    A second click finds the same operation. ``run_of`` says what to announce to the
    workers. An error without a record is retried by checking its connection, here and
    now. Raises ``RetryRefused``.
    """
    if error.record_key:
        _refuse_in_vain(error)
    operation = _operation(error, by, reason)
    if operation.state != OperationState.RUNNING or operation.result.get("run"):
        return operation
    if error.record_key:
        _start(operation, error)
    else:
        check_connection(error.connection, by, reason or of_problem(error.problem))
        end_retry(operation, judge(error.pk))
    operation.refresh_from_db()
    return operation


def run_of(operation: Operation) -> UUID | None:
    """The run that carries the retry out; ``None`` while another run is in its way."""
    run = operation.result.get("run")
    return UUID(run) if run and operation.state == OperationState.RUNNING else None


def start_waiting_retries() -> list[UUID]:
    """Start the retries another run was in the way of; what to announce."""
    waiting = Operation.objects.filter(
        kind=OperationKind.RETRY, state=OperationState.RUNNING
    ).exclude(result__has_key="run")
    started = []
    for operation in waiting:
        error = _error_of(operation)
        if error is None:
            end_retry(operation, judge(int(operation.scope["error"])))
            continue
        run_id = _start(operation, error)
        if run_id:
            started.append(run_id)
    return started


def _operation(error: SyncError, by: User, reason: str) -> Operation:
    """The unfinished retry of this error, or a new one; one for two clicks."""
    mine = Operation.objects.filter(kind=OperationKind.RETRY, scope__error=error.pk)
    unfinished = mine.filter(state=OperationState.RUNNING).first()
    if unfinished:
        return unfinished
    title = of_problem(error.problem)
    return record_operation(
        OperationKind.RETRY,
        by=by,
        reason=reason or title,
        scope={"error": error.pk, "title": title.english, "told": title.key},
        state=OperationState.RUNNING,
        key=f"retry {error.pk} {mine.count() + 1}",
        rows=1,
    )


@transaction.atomic
def _start(operation: Operation, error: SyncError) -> UUID | None:
    mapping = _mapping_of(error)
    side = Direction(error.direction).source
    release(mapping, side, error.record_key)
    run_id = start_run(mapping, only=[(side, error.record_key)])
    if run_id:
        operation.result = {**operation.result, "run": str(run_id)}
        operation.save(update_fields=["result"])
    return run_id


def _refuse_in_vain(error: SyncError) -> None:
    connection = error.connection
    if not connection.enabled:
        raise RetryRefused(
            _("The connection “%(name)s” is not enabled.") % {"name": connection}
        )
    if connection.paused_at:
        raise RetryRefused(
            _("The connection “%(name)s” is paused: %(reason)s")
            % {
                "name": connection,
                "reason": reason_of(connection, get_language() or "en"),
            }
        )
    mapping = TableMapping.objects.filter(
        connection=connection, name=error.mapping_key
    ).first()
    if mapping is None:
        raise RetryRefused(
            _("There is no mapping %(name)s any more.") % {"name": error.mapping_key}
        )
    if mapping.reviewed_at is None:
        raise RetryRefused(
            _("The review of %(name)s has not been accepted yet.") % {"name": mapping}
        )
    if mapping.paused_at:
        raise RetryRefused(
            _("%(name)s is paused: %(reason)s")
            % {
                "name": mapping,
                "reason": in_words(mapping.pause_told, mapping.pause_reason),
            }
        )


def _mapping_of(error: SyncError) -> TableMapping:
    return TableMapping.objects.get(
        connection=error.connection_id, name=error.mapping_key
    )


def _error_of(operation: Operation) -> SyncError | None:
    return (
        SyncError.objects.select_related("connection")
        .filter(pk=operation.scope["error"])
        .first()
    )
