"""Carries out one claimed run and ends it in words, whatever happens."""

import gc
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error as DatabaseFailure
from django.db import InterfaceError, OperationalError
from django.db import connection as database
from django.utils.translation import gettext_noop

from integration.choices import JobKind, JobState, Origin
from integration.connectors.business_central import BusinessCentral
from integration.connectors.errors import (
    ConnectionRefused,
    LostAnswer,
    RemoteError,
    Throttled,
    Transient,
)
from integration.connectors.throttle import BUDGET_SPENT
from integration.core.failures import Failure
from integration.core.outcomes import Finding
from integration.services import outside_jobs
from integration.services.articles import cause_of
from integration.services.endpoints import open_business_central, open_sales
from integration.services.errors import record_setup_error
from integration.services.heartbeat import heartbeat
from integration.services.may_run import why_not
from integration.services.pauses import pause_for, pause_in_storm
from integration.services.review import review_mapping
from integration.services.runs import (
    Run,
    RunLost,
    add_fetched,
    claim,
    finish,
    park,
    release,
)
from integration.services.second_engine import second_engine
from integration.services.sentences import InWords, Told, of_cause, sentence
from integration.services.set_up_errors import settle_after_success
from integration.services.storms import Storm, refuse_storm
from integration.services.sync import run_mapping
from integration.services.unusable import Unusable

logger = logging.getLogger(__name__)

_COLLECTED_AFTER = 50_000
"""Objects made before Python looks for those that hold each other."""
FIRST_WAIT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 900.0
OUR_FAULT = gettext_noop(
    "The run stopped because of a fault in Sync Errors itself; the log of the worker "
    "says more."
)
CANNOT_STORE = gettext_noop(
    "Sync Errors cannot store its own data ({reason}). Nothing is lost: the run goes "
    "on by itself as soon as it can."
)
STOPPED = gettext_noop("Stopped by hand; the next run goes on.")


_NO_STORAGE = (OperationalError, InterfaceError, sqlite3.OperationalError, OSError)
"""A full disk, a locked database or one that is away; also that of the spool."""


class CannotRun(InWords):
    """The run is refused before it reads anything."""


class SecondEngine(Exception):  # noqa: N818  (a state, named as the design names it)
    """Business Central synchronizes the mapping itself; the run is refused."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def execute(run_id: UUID, worker: str) -> Run | None:
    """Carry out the run; ``None`` when it is not to be had (done, or another has it).

    How it ended is on its jobs. Raises nothing but what stops the process.
    """
    run = claim(run_id, worker)
    if run is None:
        return None
    with heartbeat(run), ending(run), collected_seldom():
        _refuse_what_may_not_run(run)
        _work(run)
        refuse_storm(run.mapping, run.tries, at_end=True)
    return run


@contextmanager
def collected_seldom() -> Iterator[None]:
    """A run makes many values and hardly a cycle: looking for them takes a seventh."""
    usual = gc.get_threshold()
    gc.set_threshold(_COLLECTED_AFTER, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def rehearse(run: Run) -> str:
    """A dry run, in this process; why it could not be made, or ""."""
    try:
        _refuse_what_may_not_run(run)
        _work(run)
    except (RemoteError, SecondEngine, InWords) as error:
        return _told(error).english
    return ""


@contextmanager
def ending(run: Run) -> Iterator[None]:
    """Ends the run however the ``with`` block ends.

    It swallows every ordinary exception: a worker lives on, and the log has the trace.
    """
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:  # noqa: BLE001  # what stops the process goes on
        error = raised
    try:
        _end(run, error)
    except DatabaseFailure:
        # Without a heartbeat from here on, it is taken up again.
        logger.exception("run not ended", extra={"run": str(run.id)})
    try:
        if error is not None and not isinstance(error, Exception):
            raise error
    finally:
        del error  # It would keep the frames of the run, and they keep it.


def _end(run: Run, error: BaseException | None) -> None:
    if error is None:
        finish(run, JobState.SUCCEEDED)
        settle_after_success(run.mapping)
    elif isinstance(error, Exception):
        _end_badly(run, error)
    else:
        finish(run, JobState.FAILED, sentence(STOPPED))


def _refuse_what_may_not_run(run: Run) -> None:
    run.mapping.connection.refresh_from_db()
    refused = why_not(run.mapping, run.kind)
    if refused:
        raise CannotRun(refused.key["text"], **refused.key["values"])


def _work(run: Run) -> None:
    """Open both systems, refuse a second engine, review or synchronize."""
    connection = run.mapping.connection
    with (
        closing(open_business_central(connection.business_central)) as bc,
        closing(open_sales(connection.sales)) as sales,
    ):
        _refuse_second_engine(run, bc)
        try:
            carry_out = review_mapping if run.kind == JobKind.REVIEW else run_mapping
            carry_out(run, bc, sales)
        finally:
            if run.dry_run:  # It leaves no job behind that could tell.
                outside_jobs.add_fetched(connection, bc.fetched, sales.fetched)
            else:
                add_fetched(run, bc, sales)


def _refuse_second_engine(run: Run, bc: BusinessCentral) -> None:
    """Promise 12, at every job's start; one call."""
    look = second_engine(bc, [run.mapping.name])
    for finding in look.findings:
        raise SecondEngine(finding)


def _end_badly(run: Run, error: Exception) -> None:
    ids = {"run": str(run.id), "mapping": run.mapping.name}
    if isinstance(error, RunLost):
        logger.warning("run lost", extra=ids)
    elif isinstance(error, SoftTimeLimitExceeded):
        logger.warning("run handed on", extra=ids)
        release(run)
    elif isinstance(error, RemoteError):
        _end_refused(run, error)
    elif isinstance(error, SecondEngine):
        _record(run, None, error.finding)
        finish(run, JobState.FAILED, _told(error))
    elif isinstance(error, Storm):
        pause_in_storm(run.mapping, error.told)
        paused = sentence(gettext_noop("Paused: {reason}"), reason=error.told.key)
        finish(run, JobState.FAILED, paused)
    elif isinstance(error, InWords):
        _end_in_words(run, error)
    elif isinstance(error, _NO_STORAGE):
        _put_off_for_storage(run, error)
    else:
        logger.error("run failed", exc_info=error, extra=ids)
        finish(run, JobState.FAILED, sentence(OUR_FAULT))


def _end_refused(run: Run, error: RemoteError) -> None:
    """Wait, pause or say: what the failure of a whole run leads to."""
    if isinstance(error, Throttled | Transient | LostAnswer):
        park(run, _wait_seconds(run, error.failure), _told(error))
        return
    _record(run, error.failure, None)
    if isinstance(error, ConnectionRefused):
        # One error and a pause instead of ten thousand errors (promise 9).
        pause_for(run.mapping.connection, cause_of(error.failure, None))
    finish(run, JobState.FAILED, _told(error))


def _end_in_words(run: Run, error: InWords) -> None:
    """What we refuse ourselves; where nothing would pass, one error and a pause."""
    if isinstance(error, Unusable):
        _record(run, None, error.finding)
        pause_for(run.mapping.connection, cause_of(None, error.finding))
    finish(run, JobState.FAILED, error.told)


def _put_off_for_storage(run: Run, error: Exception) -> None:
    database.close_if_unusable_or_obsolete()
    logger.error("run put off", exc_info=error, extra={"run": str(run.id)})
    reason = str(error).strip().partition("\n")[0]
    park(run, FIRST_WAIT_SECONDS, sentence(CANNOT_STORE, reason=reason))


def _wait_seconds(run: Run, failure: Failure) -> float:
    """What the system asks for, else longer each time (design §6, table of retries).

    While our own budget is spent there is time to read again what is to be written:
    single calls may spend the last of it.
    """
    if failure.retry_after_seconds is not None:
        early = run.reading_seconds if failure.code == BUDGET_SPENT else 0.0
        return max(0.0, failure.retry_after_seconds - early)
    doubled = FIRST_WAIT_SECONDS * 2.0 ** min(run.attempt - 1, 10)
    return min(doubled, LONGEST_WAIT_SECONDS)


def _record(run: Run, failure: Failure | None, finding: Finding | None) -> None:
    """An error without a record: it concerns the mapping or the connection."""
    connection = run.mapping.connection
    record_setup_error(
        connection, failure=failure, finding=finding, origin=Origin.ENGINE
    )


def _told(error: RemoteError | SecondEngine | InWords) -> Told:
    if isinstance(error, InWords):
        return error.told
    if isinstance(error, SecondEngine):
        return Told(str(error), of_cause(cause_of(None, error.finding)).key)
    return of_cause(cause_of(error.failure, None))
