"""What workers do: reload by id, call one service.

Redelivery is normal (D5): a task may come twice, late, or for something done already.
"""

import logging
import os
import socket
from collections.abc import Iterable
from uuid import UUID

from celery import Task, shared_task
from kombu.exceptions import OperationalError

from integration.choices import OperationState
from integration.models import Connection, Operation
from integration.services.ageing import age_due, is_ageing_due
from integration.services.alert_sending import are_alerts_due, send_due
from integration.services.alerts import tell_what_changed
from integration.services.answering import start_waiting_answers
from integration.services.connections import check_connection, due_checks
from integration.services.dispatch import due_runs, is_purge_due
from integration.services.execution import execute
from integration.services.handling import wake_ignored
from integration.services.handling_of_many import (
    advance_handling,
    forgotten_handling,
)
from integration.services.looking import look_at_due
from integration.services.looks import are_looks_due
from integration.services.purge import purge_due
from integration.services.regrouping import is_regrouping_due, regroup
from integration.services.retention import is_retention_due, retain
from integration.services.retry import (
    advance,
    forgotten_retries,
    needs_worker,
    runs_of,
    start_waiting_retries,
)
from integration.services.retry_preview import forget_abandoned

logger = logging.getLogger(__name__)


@shared_task(name="integration.tasks.dispatch_due")
def dispatch_due() -> None:
    """Claim what is due and announce it; every ten seconds, when beat starts, and at
    the end of each run (D6)."""
    forget_abandoned()
    announce_runs(start_waiting_retries())
    announce_runs(start_waiting_answers())
    announce_runs(due_runs())
    take_up_forgotten()
    for connection_id in due_checks():
        announce(check, connection_id)
    if are_looks_due():
        announce(look)
    if is_purge_due():
        announce(purge)
    if is_retention_due():
        announce(clean_up)
    if is_ageing_due():
        announce(age)
    if is_regrouping_due():
        announce(move_to_taught)
    wake_ignored()
    tell_what_changed()
    if are_alerts_due():
        announce(send_alerts)


def take_up_forgotten() -> None:
    """Operations on many whose message, or worker, was lost."""
    for operation_id in forgotten_retries():
        announce(advance_retry, operation_id)
    for operation_id in forgotten_handling():
        announce(handle_many, operation_id)


@shared_task(name="integration.tasks.execute_run")
def execute_run(run_id: str) -> None:
    """Carry out one run, if it is still to be had; what waited for it goes at once."""
    run = execute(UUID(run_id), f"{socket.gethostname()} {os.getpid()}")
    if not run:
        return
    if run.operation is not None:
        announce_runs(start_waiting_retries())
    announce(dispatch_due)


@shared_task(name="integration.tasks.advance_retry")
def advance_retry(operation_id: int) -> None:
    """Take the records of a retry and start its runs; the next tick goes on."""
    announce_runs(advance(operation_id))


@shared_task(name="integration.tasks.handle_many")
def handle_many(operation_id: int) -> None:
    """Ignore or resolve, in chunks, what somebody chose; the next tick goes on."""
    advance_handling(operation_id)


@shared_task(name="integration.tasks.check")
def check(connection_id: int) -> None:
    """The daily look at a connection's set-up."""
    connection = Connection.objects.filter(pk=connection_id).first()
    if connection:
        check_connection(connection)


@shared_task(name="integration.tasks.look")
def look() -> None:
    """Look at the records of errors again; the next tick goes on."""
    announce_runs(look_at_due())


@shared_task(name="integration.tasks.purge")
def purge() -> None:
    """Remove for good, in chunks, what clean-ups hid; the next tick goes on."""
    purge_due()


@shared_task(name="integration.tasks.clean_up")
def clean_up() -> None:
    """The week's clean-up by schedule, if there is one."""
    retain()


@shared_task(name="integration.tasks.age")
def age() -> None:
    """Remove in chunks what errors that ended long ago hold; the next tick goes on."""
    age_due()


@shared_task(name="integration.tasks.move_to_taught")
def move_to_taught() -> None:
    """Move open errors to what was taught of them; the next tick goes on."""
    regroup()


@shared_task(name="integration.tasks.send_alerts")
def send_alerts() -> None:
    """Send what is due; the next tick goes on."""
    send_due()


def announce_retry(operation: Operation) -> None:
    """Tell the workers what a retry that somebody has just asked for needs."""
    announce_runs(runs_of(operation))
    if needs_worker(operation):
        announce(advance_retry, operation.pk)


def announce_handling(operation: Operation) -> None:
    """Tell a worker of what the click did not handle itself."""
    if operation.state == OperationState.RUNNING:
        announce(handle_many, operation.pk)


def announce_runs(run_ids: Iterable[UUID]) -> None:
    """Tell the workers of these runs."""
    for run_id in run_ids:
        announce(execute_run, str(run_id))


def announce(task: "Task[..., None]", *arguments: str | int) -> bool:
    """Send one message; ``False`` without a broker.

    Nothing is lost then: the row stays in the database, and the next tick that reaches
    a broker announces it again.
    """
    try:
        task.apply_async(args=arguments, retry=False)
    except OperationalError:
        logger.warning("broker not reached", extra={"task": task.name})
        return False
    return True
