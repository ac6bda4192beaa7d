"""What workers do, called without a worker."""

import socket
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from celery import Task, current_app
from celery.signals import beat_init
from django.conf import settings as configured
from django.db import transaction
from pytest_django import Settings

from integration import tasks
from integration.models import Connection, Job
from integration.services import cells, doctor
from integration.services.dispatch import due_runs
from tests.factories import make_connection, make_error, make_mapping, make_user
from tests.running import Systems

pytestmark = pytest.mark.django_db
Announced = list[tuple[str, tuple[str | int, ...]]]


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> Announced:
    """Messages that would have gone to the broker."""
    found: Announced = []

    def announce(task: "Task[..., None]", *arguments: str | int) -> bool:
        found.append((str(task.name), arguments))
        return True

    monkeypatch.setattr(tasks, "announce", announce)
    return found


def test_a_tick_announces_what_is_due_once(announced: Announced) -> None:
    mapping = make_mapping()

    tasks.dispatch_due()
    tasks.dispatch_due()

    run_id = str(Job.objects.filter(mapping=mapping).values_list("run", flat=True)[0])
    assert announced == [
        ("integration.tasks.execute_run", (run_id,)),
        ("integration.tasks.check", (mapping.connection_id,)),
    ]


def test_a_tick_announces_the_clean_up_by_schedule_where_there_is_one(
    announced: Announced, settings: Settings
) -> None:
    make_error(state="resolved", last_seen=datetime(2026, 1, 5, tzinfo=UTC))
    with transaction.atomic():
        cells.rebuild()
    clean_up = ("integration.tasks.clean_up", ())
    tasks.dispatch_due()
    assert clean_up not in announced

    settings.RETENTION_DAYS = 30
    tasks.dispatch_due()

    assert announced.count(clean_up) == 1


def test_without_a_broker_nothing_is_lost() -> None:
    make_mapping()

    tasks.dispatch_due()

    assert Job.objects.filter(state="queued").exists()
    assert tasks.announce(tasks.purge) is False


def test_a_broker_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection, and says nothing."""
    before = current_app.conf.broker_url
    options = configured.CELERY_BROKER_TRANSPORT_OPTIONS
    quick = {"socket_timeout": options["socket_timeout"] / 50}
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        current_app.conf.update(
            broker_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
            broker_transport_options=options | quick,
        )
        try:
            sent, line = tasks.announce(tasks.purge), doctor.check_broker()
        finally:
            current_app.conf.update(broker_url=before, broker_transport_options=options)

    assert sent is False
    assert "cannot be reached" in line.sentence


def test_a_message_waits_in_the_broker_as_json_and_asks_for_no_result(
    broker: None,
) -> None:
    assert tasks.announce(tasks.check, 7)

    with (
        current_app.connection_for_read() as connection,
        closing(connection.SimpleQueue("celery")) as queue,
    ):
        message = queue.get(timeout=5)
        message.ack()
    assert message.content_type == "application/json"
    assert message.payload[:2] == [[7], {}]
    assert message.headers["task"] == "integration.tasks.check"
    assert message.headers["ignore_result"]
    assert message.headers["eta"] is None


def test_what_is_due_is_asked_for_when_beat_starts(announced: Announced) -> None:
    beat_init.send(sender=None)

    assert announced == [("integration.tasks.dispatch_due", ())]


def test_what_ended_long_ago_is_announced_and_done(announced: Announced) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    error = make_error(state="resolved", last_seen=long_ago, call_stack="plan.py")

    tasks.dispatch_due()
    tasks.age()

    assert ("integration.tasks.age", ()) in announced
    error.refresh_from_db()
    assert error.call_stack == ""


def test_a_run_that_is_gone_or_done_is_no_harm(systems: Systems) -> None:
    connection = systems.connect(make_user())[0]
    tasks.execute_run(str(uuid4()))
    (run_id,) = due_runs()

    tasks.execute_run(str(run_id))
    tasks.execute_run(str(run_id))

    assert connection.mappings.count() == 2
    assert set(Job.objects.values_list("state", "attempt")) == {("succeeded", 1)}


def test_what_waited_for_a_run_is_announced_at_its_end(
    systems: Systems, announced: Announced
) -> None:
    systems.connect(make_user())
    tasks.dispatch_due()
    waiting = Job.objects.filter(mapping__name="CUSTOMER")
    assert not waiting.exists()
    (currencies,) = (run for name, run in announced if name.endswith("execute_run"))

    tasks.execute_run(str(currencies[0]))
    assert announced[-1] == ("integration.tasks.dispatch_due", ())
    tasks.dispatch_due()

    run_id = str(waiting.values_list("run", flat=True)[0])
    assert ("integration.tasks.execute_run", (run_id,)) in announced


def test_the_daily_check_tells_of_a_connection_and_forgets_a_deleted_one() -> None:
    connection = make_connection()
    endpoint = connection.sales
    endpoint.base_url = "http://192.168.1.1/"
    endpoint.save()

    tasks.check(connection.pk)
    tasks.check(0)

    assert Connection.objects.get().checked_at


def test_a_purge_with_nothing_to_do_is_quiet() -> None:
    tasks.purge()
