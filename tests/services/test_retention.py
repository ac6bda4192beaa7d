"""What the schedule deletes once a week, and what it never does."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
import time_machine
from django.db import connection as database
from django.db import transaction
from pytest_django import Settings

from integration import clock, tasks
from integration.models import Operation, SyncError
from integration.services import cells
from integration.services.retention import is_retention_due, retain
from integration.services.undo import undo
from tests.factories import make_error, make_user
from tests.running import database_in_a_file
from tests.services.mail_server import in_threads

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


def test_a_schedule_that_finds_nothing_records_nothing(
    rows: dict[str, SyncError], settings: Settings
) -> None:
    settings.RETENTION_DAYS = 50

    tasks.clean_up()

    assert not is_retention_due()
    assert not Operation.objects.exists()
    settings.RETENTION_DAYS = 30
    operation = retain()
    assert operation
    assert operation.rows == 1


def test_what_is_gone_before_it_is_deleted_leaves_nothing_to_record(
    rows: dict[str, SyncError], settings: Settings
) -> None:
    settings.RETENTION_DAYS = 30
    rows["old"].delete()  # The roll-ups, which say that it is due, hear of it later.

    assert retain() is None
    assert not Operation.objects.exists()


@pytest.fixture
def many_at_once(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """A database that several connections can open."""
    with ExitStack() as stack:
        if database.vendor == "sqlite":
            file = database_in_a_file(tmp_path / "errors.sqlite3", timeout=20)
            stack.enter_context(file)
        yield


def test_two_ticks_at_once_make_one_clean_up(
    many_at_once: None, rows: dict[str, SyncError], settings: Settings
) -> None:
    settings.RETENTION_DAYS = 30
    ready = Barrier(2, timeout=30)

    def tick() -> None:
        ready.wait()
        tasks.clean_up()

    in_threads(tick)

    assert [one.rows for one in Operation.objects.all()] == [1]
    assert listed(rows) == {"young", "open", "ignored"}
