"""Recording survives its own failure: what does not fit now is recorded later, once.

As workers do it: a run that could not record is taken up when its time has come.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import connection
from django.db.models import Sum

from integration import clock
from integration.choices import JobState
from integration.models import ErrorTotal, Job, SyncError, TableMapping
from integration.services import creations
from integration.services.dispatch import due_runs
from integration.tasks import execute_run
from tests.factories import make_user
from tests.running import Systems, database_in_a_file, running_systems

FAILURES = 1_000
ROOM = range(20, 2_000, 60)
"""Pages of 4 kB that the disk has left, each time it is full again: less than what
records a chunk, because what a table's own growth takes is not ours to say."""
BUSY_SECONDS = 0.5
"""So long somebody waits for the lock; 20 s outside tests."""
LATER = timedelta(seconds=61)
"""Past what a run is put off for, and what a lost worker or message is waited for."""
HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.fixture
def file(transactional_db: None, tmp_path: Path) -> Iterator[Path]:
    """The database in a file, which other processes can open, instead of in memory."""
    path = tmp_path / "errors.sqlite3"
    with database_in_a_file(path, BUSY_SECONDS):
        yield path


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=True) as traveller:
        yield traveller


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process is about to write, and takes its time."""
    with subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-c", HOLD, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield
        process.kill()


def all_fail_but_one(systems: Systems) -> None:
    """They carry a currency that has no exchange rate."""
    customers, rates = (
        systems.company(name) for name in ("customers", "currencyExchangeRates")
    )
    for row in customers.rows()[1:]:
        customers.update(row, {"currencyCode": "USD"})
    for row in rates.find("currencyCode", "USD"):
        rates.delete(row.id)


def all_are_refused_but_one(systems: Systems) -> None:
    """Their web page has no room in Sales, which says so when it is sent."""
    customers = systems.company("customers")
    for row in customers.rows()[1:]:
        customers.update(row, {"website": "x" * 210})


def accepted(systems: Systems) -> TableMapping:
    """Currencies are in step; of the customers nothing has been read."""
    [connected] = systems.connect(make_user())
    connected.mappings.update(reviewed_at=connected.business_central.checked_at)
    work()
    return connected.mappings.get(name="CUSTOMER")


def work() -> None:
    """What a scheduler announces now, carried out by a worker."""
    for run in due_runs():
        execute_run(str(run))


def work_with_room_for(pages: int) -> None:
    """On a disk that takes so many pages more, whoever writes them."""
    options = connection.settings_dict["OPTIONS"]
    usual = options["init_command"]
    with connection.cursor() as cursor:
        used = cursor.execute("PRAGMA page_count").fetchone()[0]
    options["init_command"] = f"{usual} PRAGMA max_page_count = {used + pages};"
    connection.close()
    work()
    options["init_command"] = usual
    connection.close()


@pytest.mark.usefixtures("file")
def test_a_thousand_failures_on_a_full_disk_are_a_thousand_rows_afterwards(
    time: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creations, "CHUNKS", (200, 200))
    with running_systems(records=FAILURES + 1) as systems:
        all_fail_but_one(systems)
        mapping = accepted(systems)
        rows = SyncError.objects.filter(mapping_key="CUSTOMER")
        jobs = Job.objects.filter(mapping=mapping)
        said: list[str] = []
        for pages in ROOM:
            work_with_room_for(pages)
            said += jobs.filter(state=JobState.QUEUED).values_list("message", flat=True)
            if rows.exists():
                break
            time.shift(LATER)
        recorded = rows.count()
        time.shift(LATER)
        work()

    assert len(said) > 2
    assert all("cannot store its own data" in message for message in said)
    assert "database or disk is full" in said[0]
    assert 0 < recorded < FAILURES
    assert_each_is_recorded_once()


def test_a_thousand_failures_on_a_locked_database_are_a_thousand_rows_afterwards(
    file: Path, time: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes the lock while the answer to a write is on its way, and
    holds it for longer than anybody waits."""
    monkeypatch.setattr(creations, "CHUNKS", (FAILURES, FAILURES))
    with (
        ExitStack() as other,
        running_systems(
            records=FAILURES + 1,
            end=lambda target: other.enter_context(locked(file)),
        ) as systems,
    ):
        all_are_refused_but_one(systems)
        mapping = accepted(systems)
        systems.kill("worker", writes=True)
        work()
        jobs = Job.objects.filter(mapping=mapping)
        left = set(jobs.values_list("state", "attempt"))
        recorded = SyncError.objects.filter(mapping_key="CUSTOMER").count()
        other.close()
        time.shift(LATER)
        work()

    assert left == {(JobState.RUNNING, 1)}
    assert recorded == 0
    # The only one that passes had passed before; of this attempt all failed alike.
    assert "1,000 of 1,000 tries failed" in jobs.get(failed=FAILURES).message
    assert set(jobs.values_list("state", "attempt")) == {(JobState.FAILED, 2)}
    assert_each_is_recorded_once()


def assert_each_is_recorded_once() -> None:
    rows = SyncError.objects.filter(mapping_key="CUSTOMER")
    assert rows.values("record_key").distinct().count() == rows.count() == FAILURES
    assert set(rows.values_list("occurrences", flat=True)) == {1}
    totals = ErrorTotal.objects.filter(mapping_key="CUSTOMER")
    assert totals.aggregate(n=Sum("n"))["n"] == FAILURES
