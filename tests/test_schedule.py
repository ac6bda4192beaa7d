"""Beat's one message, whatever the clock does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from celery import current_app
from celery.utils.imports import symbol_by_name
from django.conf import settings

from syncerrors.schedule import Every

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "due"),
    [(0, False), (9, False), (10, True), (3_600, True), (-3_600, True)],
)
def test_it_is_due_after_its_interval_and_after_a_jump(since: int, due: bool) -> None:
    every = Every(timedelta(seconds=10))

    with time_machine.travel(NOON + timedelta(seconds=since), tick=False):
        found = every.is_due(NOON)

    assert found.is_due is due
    assert 0 < found.next <= 10


def test_the_schedule_is_of_that_kind() -> None:
    (entry,) = settings.CELERY_BEAT_SCHEDULE.values()

    assert isinstance(entry["schedule"], Every)


@pytest.mark.parametrize("jump", [0, 1, -1])
def test_beat_sends_it_at_its_interval_whatever_the_clock_does(jump: int) -> None:
    """As the process does it: it looks, sleeps for as long as that says, and looks."""
    scheduler = symbol_by_name(settings.CELERY_BEAT_SCHEDULER)(app=current_app)
    sent: list[str] = []
    scheduler.producer = None
    scheduler.apply_entry = lambda entry, producer: sent.append(entry.name)

    with time_machine.travel(NOON, tick=False) as time:
        wait_for(sent, 2, scheduler, time)
        time.shift(timedelta(days=jump))
        slept = wait_for(sent, 4, scheduler, time)

    assert len(sent) == 4
    assert slept <= 21


def wait_for(
    sent: Sequence[str], count: int, scheduler: Any, time: time_machine.Traveller
) -> float:
    """Look until so many have been sent, for a minute at most; the seconds slept."""
    slept = 0.0
    while len(sent) < count and slept < 60:
        seconds = max(scheduler.tick(), 0.001)
        time.shift(timedelta(seconds=seconds))
        slept += seconds
    return slept
