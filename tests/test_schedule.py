"""Beat's one message, whatever the clock does."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
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
