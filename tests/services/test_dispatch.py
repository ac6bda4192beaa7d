"""What is due, and what was forgotten."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from integration.choices import JobKind, JobState
from integration.models import Job, TableMapping
from integration.services.dispatch import due_runs
from integration.services.runs import claim, finish, park, start_run
from integration.services.sentences import sentence
from tests.factories import make_connection, make_mapping

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def later(seconds: float) -> time_machine.travel:
    return time_machine.travel(NOON + timedelta(seconds=seconds), tick=False)


def reviewed(name: str = "CUSTOMER", **values: Any) -> TableMapping:
    return make_mapping(name, reviewed_at=NOON, **values)


def names(runs: list[UUID]) -> list[str]:
    jobs = Job.objects.filter(run__in=runs).order_by("mapping__position", "mapping")
    return list(dict.fromkeys(jobs.values_list("mapping__name", flat=True)))


def test_a_due_mapping_is_started_once_and_again_after_its_interval() -> None:
    reviewed(interval_seconds=300)

    first, second = due_runs(), due_runs()
    Job.objects.update(state=JobState.SUCCEEDED)

    assert (len(first), len(second)) == (1, 0)
    with later(299):
        assert due_runs() == []
    with later(301):
        assert len(due_runs()) == 1


@pytest.mark.parametrize(
    "connection",
    [
        {"enabled": False},
        {"paused_at": NOON},
        {"engine": "business_central"},
    ],
)
def test_only_mappings_of_a_running_connection_are_started(
    connection: dict[str, Any],
) -> None:
    reviewed(connection=make_connection(**connection))

    assert due_runs() == []


def test_a_paused_mapping_is_not_started() -> None:
    reviewed(paused_at=NOON)

    assert due_runs() == []


def test_a_mapping_waits_for_what_it_depends_on() -> None:
    connection = make_connection()
    currency = reviewed("CURRENCY", connection=connection, position=0)
    customer = reviewed("CUSTOMER", connection=connection, position=1)
    customer.depends_on.set([currency])

    first = due_runs()
    meanwhile = due_runs()
    Job.objects.update(state=JobState.SUCCEEDED)
    then = due_runs()

    assert (names(first), meanwhile, names(then)) == (["CURRENCY"], [], ["CUSTOMER"])


def test_an_unreviewed_mapping_is_reviewed_once_and_then_waits_for_a_person() -> None:
    make_mapping(interval_seconds=10)

    due_runs()
    assert Job.objects.values_list("kind", flat=True)[0] == JobKind.REVIEW
    Job.objects.update(state=JobState.SUCCEEDED)

    with later(3600):
        assert due_runs() == []


def test_a_review_that_could_not_run_is_tried_again() -> None:
    make_mapping(interval_seconds=10)
    due_runs()
    Job.objects.update(state=JobState.FAILED)

    with later(11):
        assert len(due_runs()) == 1


def test_a_mapping_waiting_for_acceptance_does_not_hold_up_others() -> None:
    connection = make_connection()
    currency = make_mapping("CURRENCY", connection=connection)
    customer = reviewed("CUSTOMER", connection=connection)
    customer.depends_on.set([currency])
    due_runs()
    Job.objects.update(state=JobState.SUCCEEDED)

    with later(3600):
        assert names(due_runs()) == ["CUSTOMER"]


def test_a_queued_run_whose_message_was_lost_is_announced_again() -> None:
    reviewed()
    announced = due_runs()

    with later(59):
        assert due_runs() == []
    with later(61):
        assert due_runs() == announced


def test_a_run_of_a_dead_worker_is_announced_again() -> None:
    reviewed()
    (run_id,) = due_runs()
    claim(run_id, "w1")

    with later(20):
        assert due_runs() == []
    with later(21):
        assert due_runs() == [run_id]
        assert due_runs() == []


@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_jumps_stops_nothing(hours: int) -> None:
    """A mapping that is to run, one whose message is lost, one whose worker is dead."""
    idle, queued, dead = (reviewed(name, interval_seconds=300) for name in "ABC")
    with later(-1):
        running = claim(start_run(dead) or UUID(int=0), "w1")
    lost = start_run(queued)
    due_runs()
    Job.objects.filter(mapping=idle).update(state=JobState.SUCCEEDED)

    with later(hours * 3600):
        found = due_runs()

    assert running
    assert {running.id, lost} < set(found)
    assert names(found) == ["A", "B", "C"]
    with later(hours * 3600):
        assert due_runs() == []
        taken_up = claim(running.id, "w2")
        assert taken_up
        finish(taken_up, JobState.SUCCEEDED)
        for ended in Job.objects.filter(run=running.id):
            assert ended.state == JobState.SUCCEEDED
            assert ended.finished_at == NOON + timedelta(hours=hours)


def test_a_run_that_was_parked_before_the_clock_was_set_back_goes_on() -> None:
    reviewed()
    (run_id,) = due_runs()
    run = claim(run_id, "w1")
    assert run
    park(run, 900, sentence("wait"))

    with later(-2 * 3600):
        assert due_runs() == [run_id]
        assert claim(run_id, "w2")


def test_a_parked_run_is_announced_when_its_time_has_come() -> None:
    reviewed()
    (run_id,) = due_runs()
    run = claim(run_id, "w1")
    assert run
    park(run, 120, sentence("wait"))

    with later(61):
        assert due_runs() == []
    with later(121):
        assert due_runs() == [run_id]


def test_a_finished_run_is_left_alone() -> None:
    run_id = start_run(
        reviewed(next_run_at=NOON + timedelta(hours=2), interval_seconds=7_200)
    )
    assert run_id
    run = claim(run_id, "w1")
    assert run
    finish(run, JobState.SUCCEEDED)

    with later(3600):
        assert due_runs() == []
