"""How often a mapping runs, changed by a person."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from integration.models import Operation, TableMapping
from integration.services.actors import Refused
from integration.services.dispatch import due_runs
from integration.services.schedules import change_interval
from tests.factories import make_mapping, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = 3_600, 86_400


@pytest.fixture
def hourly() -> Iterator[TableMapping]:
    """It runs every hour; the next time in half of one."""
    with time_machine.travel(NOON, tick=False):
        yield make_mapping(
            reviewed_at=NOON,
            interval_seconds=HOUR,
            next_run_at=NOON + timedelta(minutes=30),
        )


def test_another_interval_holds_at_once_and_is_an_operation(
    hourly: TableMapping,
) -> None:
    anna = make_user(username="anna")

    change_interval(hourly, anna, "Prices change all day.", 300)

    assert len(due_runs()) == 1
    hourly.refresh_from_db()
    assert hourly.next_run_at == NOON + timedelta(minutes=5)
    operation = Operation.objects.get()
    assert (operation.kind, operation.by) == ("set_up", anna)
    assert operation.reason == "Prices change all day."
    assert operation.result["interval_seconds"] == 300
    assert operation.scope["mapping"] == "CUSTOMER"


def test_the_interval_it_has_changes_nothing(hourly: TableMapping) -> None:
    assert change_interval(hourly, "test", "Why not?", HOUR) is None

    assert due_runs() == []
    assert not Operation.objects.exists()


@pytest.mark.parametrize("seconds", [0, 9, 61, 10**9])
def test_an_interval_that_is_not_offered_is_refused(
    hourly: TableMapping, seconds: int
) -> None:
    with pytest.raises(Refused):
        change_interval(hourly, "test", "Why not?", seconds)

    hourly.refresh_from_db()
    assert hourly.interval_seconds == HOUR


def test_only_an_administrator_changes_an_interval(hourly: TableMapping) -> None:
    with pytest.raises(Refused):
        change_interval(hourly, make_user("operator"), "Why not?", DAY)
