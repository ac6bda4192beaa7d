"""What the schedule deletes once a week, and what it never does."""

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from pytest_django import Settings

from integration import clock, tasks
from integration.models import Operation, SyncError
from integration.services import cells
from integration.services.retention import is_retention_due, retain
from integration.services.undo import undo
from tests.factories import make_error, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows() -> dict[str, SyncError]:
    now = clock.now()
    old, young = now - timedelta(days=40), now - timedelta(days=9)
    found = {
        "old": make_error(state="resolved", last_seen=old),
        "young": make_error(state="resolved", last_seen=young),
        "open": make_error(last_seen=old),
        "ignored": make_error(state="ignored", last_seen=old),
    }
    with transaction.atomic():
        cells.rebuild()
    return found


def listed(rows: dict[str, SyncError]) -> set[str]:
    shown = SyncError.objects.visible(Operation.objects.cuts())
    keys = set(shown.values_list("pk", flat=True))
    return {name for name, row in rows.items() if row.pk in keys}


def test_nothing_is_deleted_unless_it_was_asked_for(
    rows: dict[str, SyncError],
) -> None:
    assert not is_retention_due()
    assert retain() is None
    assert listed(rows) == rows.keys()


def test_what_is_finished_and_old_goes_once_a_week_and_can_be_taken_back(
    rows: dict[str, SyncError], settings: Settings
) -> None:
    settings.RETENTION_DAYS = 30
    assert is_retention_due()

    operation = retain()

    assert operation
    assert listed(rows) == {"young", "open", "ignored"}
    assert (operation.by, operation.by_name, operation.rows) == (
        None,
        "Sync Errors",
        1,
    )
    assert operation.reason == (
        "By schedule: entries older than 30 days that are finished."
    )
    assert not is_retention_due()
    assert retain() is None
    assert undo(operation, make_user()).result["restored"] == 1
    assert listed(rows) == rows.keys()

    with time_machine.travel(clock.now() + timedelta(days=7)):
        assert is_retention_due()


def test_a_tick_that_comes_twice_makes_one_clean_up(
    rows: dict[str, SyncError], settings: Settings
) -> None:
    settings.RETENTION_DAYS = 30

    tasks.clean_up()
    tasks.clean_up()

    assert Operation.objects.filter(kind="delete").count() == 1
