"""A worker's sign of life, and what it asks after it was asleep."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.db.models import F

from integration import clock
from integration.connectors.transport import BEFORE_WRITING
from integration.models import Job
from integration.services.heartbeat import heartbeat
from integration.services.runs import Run, RunLost, claim, start_run
from tests.factories import make_mapping

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def run(time: time_machine.Traveller) -> Run:
    run_id = start_run(make_mapping(reviewed_at=NOON))
    assert run_id
    run = claim(run_id, "w1")
    assert run
    return run


def taken_up() -> None:
    Job.objects.update(attempt=F("attempt") + 1)


@pytest.mark.parametrize("seconds", [60, -3_600])
def test_who_was_asleep_until_another_took_the_run_up_writes_nothing_more(
    run: Run, time: time_machine.Traveller, seconds: int
) -> None:
    with heartbeat(run):
        may_write = BEFORE_WRITING.get()
        may_write()
        taken_up()
        time.shift(seconds)

        with pytest.raises(RunLost):
            may_write()


def test_who_was_asleep_and_still_has_the_run_goes_on(
    run: Run, time: time_machine.Traveller
) -> None:
    with heartbeat(run):
        time.shift(60)
        BEFORE_WRITING.get()()

    assert Job.objects.get(direction="to_sales").heartbeat_at == clock.now()


def test_nobody_asks_the_database_before_each_call(
    run: Run, time: time_machine.Traveller
) -> None:
    with heartbeat(run):
        taken_up()
        time.shift(5)
        BEFORE_WRITING.get()()


def test_outside_of_a_run_everybody_may_write(run: Run) -> None:
    with heartbeat(run):
        pass
    taken_up()

    BEFORE_WRITING.get()()
