"""A run is carried out once and ends in words, whatever happens."""

import errno
import socket
import sqlite3
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from integration.models import (
    Connection,
    Coupling,
    Job,
    SyncError,
    TableMapping,
    User,
)
from integration.services.connections import check_connection, due_checks
from integration.services.execution import execute, rehearse
from integration.services.foreground import run_now
from integration.services.pauses import pause
from integration.services.review import accept
from integration.services.runs import dry_run, start_run
from tests.factories import make_user
from tests.running import Systems

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def connection(systems: Systems, user: User) -> Connection:
    return systems.connect(user)[0]


def mapping_of(connection: Connection, name: str) -> TableMapping:
    return connection.mappings.get(name=name)


def carry_out(mapping: TableMapping, kind: str = "sync") -> list[Job]:
    run_id = start_run(mapping, kind)
    assert run_id
    execute(run_id, "w1")
    return jobs_of(run_id)


def jobs_of(run_id: UUID) -> list[Job]:
    return list(Job.objects.filter(run=run_id).order_by("direction"))


def accepted(connection: Connection, user: User, name: str) -> TableMapping:
    mapping = mapping_of(connection, name)
    carry_out(mapping, "review")
    accept(mapping, user)
    return mapping


def messages(jobs: list[Job]) -> str:
    (message,) = {job.message for job in jobs}
    return message


def test_a_reviewed_mapping_is_synchronized(connection: Connection, user: User) -> None:
    currency = accepted(connection, user, "CURRENCY")

    (job,) = carry_out(currency)

    assert (job.state, job.worker) == ("succeeded", "w1")
    assert job.inserted == Coupling.objects.filter(mapping=currency).count() > 0
    assert job.records_fetched >= job.records_read


def test_a_finished_run_is_not_carried_out_twice(
    connection: Connection, user: User
) -> None:
    currency = accepted(connection, user, "CURRENCY")
    run_id = start_run(currency)
    assert run_id
    assert execute(run_id, "w1")

    assert execute(run_id, "w2") is None


def test_nothing_is_written_before_the_review_is_accepted(
    systems: Systems, connection: Connection
) -> None:
    jobs = carry_out(mapping_of(connection, "CURRENCY"))

    assert [job.state for job in jobs] == ["failed"]
    assert "not been accepted" in messages(jobs)
    assert all(one["method"] == "GET" for one in systems.asked("sales"))


def test_a_paused_connection_runs_nothing(connection: Connection, user: User) -> None:
    pause(connection, user, "year end")

    jobs = carry_out(mapping_of(connection, "CURRENCY"), "review")

    assert "is paused: year end" in messages(jobs)


def test_a_refused_sign_in_pauses_the_connection_with_one_error(
    systems: Systems, connection: Connection, user: User
) -> None:
    currency = accepted(connection, user, "CURRENCY")
    endpoint = connection.business_central
    endpoint.client_id = "11111111-2222-3333-4444-555555555555"
    endpoint.save()

    jobs = carry_out(TableMapping.objects.get(pk=currency.pk))

    connection.refresh_from_db()
    error = SyncError.objects.get()
    assert (error.mapping_key, error.state) == ("", "open")
    assert connection.paused_at
    assert connection.pause_article == error.problem.article
    assert messages(jobs) == error.problem.title


def test_a_closed_port_pauses_the_connection_until_a_check_passes(
    connection: Connection, user: User
) -> None:
    currency = accepted(connection, user, "CURRENCY")
    endpoint = connection.business_central
    address = endpoint.base_url
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint.base_url = f"http://127.0.0.1:{closed.getsockname()[1]}/bc"
        endpoint.save()

        carry_out(currency)
        connection.refresh_from_db()
        assert connection.pause_article == "net-unreachable"
        assert not check_connection(connection).resumed

    endpoint.base_url = address
    endpoint.save()
    Connection.objects.update(checked_at=None)
    assert due_checks() == [connection.pk]
    result = check_connection(Connection.objects.get())

    assert result.resumed
    assert result.connection.paused_at is None
    assert {job.state for job in carry_out(currency)} == {"succeeded"}
    assert not SyncError.objects.filter(settled_at=None).exists()


def test_throttling_parks_the_run_and_gives_the_worker_back(
    systems: Systems, connection: Connection, user: User
) -> None:
    currency = accepted(connection, user, "CURRENCY")
    systems.break_something("bc-throttle", times=10)

    (job,) = carry_out(currency)

    assert job.state == "queued"
    assert job.parked_until
    assert job.message
    assert connection.paused_at is None


def test_a_second_engine_refuses_the_mapping_and_an_end_of_it_settles_the_error(
    systems: Systems, connection: Connection, user: User
) -> None:
    currency = accepted(connection, user, "CURRENCY")
    entries = systems.company("jobQueueEntries")
    entry = entries.insert(
        {
            "objectIdToRun": 5339,
            "recordIdToProcess": "Integration Table Mapping: CURRENCY",
            "status": "In Process",
        }
    )

    refused = carry_out(currency)
    entries.delete(entry.id)
    again = carry_out(currency)

    assert "Business Central synchronizes CURRENCY itself" in messages(refused)
    assert [job.state for job in again] == ["succeeded"]
    assert SyncError.objects.get().state == "resolved"


def test_a_fault_of_our_own_is_a_sentence_on_the_job_and_a_trace_in_the_log(
    connection: Connection,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    currency = accepted(connection, user, "CURRENCY")

    fail = raising(ZeroDivisionError("secret detail"))
    monkeypatch.setattr("integration.services.execution.run_mapping", fail)
    jobs = carry_out(currency)

    assert "fault in Sync Errors itself" in messages(jobs)
    assert "secret detail" not in messages(jobs)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.django_db(transaction=True)  # a broken connection is closed
@pytest.mark.parametrize(
    "error",
    [
        OperationalError("database is locked"),
        sqlite3.OperationalError("database or disk is full"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_what_cannot_be_stored_puts_the_run_off_and_says_why(
    connection: Connection,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    currency = accepted(connection, user, "CURRENCY")

    with monkeypatch.context() as patch:
        patch.setattr("integration.services.execution.run_mapping", raising(error))
        (job,) = carry_out(currency)
    put_off = (job.state, job.parked_until is not None, job.message)
    Job.objects.update(parked_until=None)
    report = run_now(currency, "w2")

    assert put_off[:2] == ("queued", True)
    assert str(error) in put_off[2]
    assert [job.state for job in report.jobs] == ["succeeded"]


def test_a_run_whose_end_cannot_be_stored_is_said_and_taken_up_again(
    connection: Connection,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    settings.TAKE_UP_SECONDS = 0
    currency = accepted(connection, user, "CURRENCY")

    with monkeypatch.context() as patch:
        locked = raising(OperationalError("database is locked"))
        patch.setattr("integration.services.execution.finish", locked)
        first = run_now(currency, "w1")
    run_now(currency, "w2")

    (job,) = jobs_of(first.jobs[0].run)
    assert "goes on by itself" in first.problem
    assert (job.state, job.attempt) == ("succeeded", 2)


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*args: object) -> None:
        raise error

    return fail


def test_ctrl_c_ends_the_run_and_the_process(
    connection: Connection, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    currency = accepted(connection, user, "CURRENCY")
    run_id = start_run(currency)
    assert run_id

    stop = raising(KeyboardInterrupt())
    monkeypatch.setattr("integration.services.execution.run_mapping", stop)
    with pytest.raises(KeyboardInterrupt):
        execute(run_id, "w1")

    assert "Stopped by hand" in messages(jobs_of(run_id))


def test_a_dry_run_sends_no_write_and_counts_what_would_happen(
    systems: Systems, connection: Connection, user: User
) -> None:
    currency = accepted(connection, user, "CURRENCY")
    run = dry_run(currency)

    assert rehearse(run) == ""

    (job,) = run.jobs.values()
    assert job.inserted > 0
    assert all(one["method"] == "GET" for one in systems.asked("sales"))
    assert Job.objects.filter(kind="sync").count() == 0
