"""Recording survives its own failure: what does not fit now is recorded later, once."""

import sqlite3
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models import Sum
from pytest_django.fixtures import Settings

from integration.core.records import Direction
from integration.models import ErrorTotal, Job, SyncError, TableMapping
from integration.services.creations import CHUNK
from integration.services.foreground import RunReport, run_now
from tests.factories import make_user
from tests.running import Systems, running_systems

FAILURES = 1_000
ROOM = range(20, 2_000, 60)
"""Pages of 4 kB that the disk has left, each time it is full again: less than what
records a chunk, because what a table's own growth takes is not ours to say."""

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own limit"),
]


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
    [connected] = systems.connect(make_user())
    now = connected.business_central.checked_at
    connected.mappings.update(reviewed_at=now)
    run_now(connected.mappings.get(name="CURRENCY"), "worker")
    return connected.mappings.get(name="CUSTOMER")


@pytest.fixture
def no_free_pages(transactional_db: None) -> Iterator[None]:
    """Earlier tests leave pages behind that a full disk would still offer."""
    with connection.cursor() as cursor:
        free = cursor.execute("PRAGMA freelist_count").fetchone()[0]
        cursor.execute(f"CREATE TABLE filler AS SELECT zeroblob({free * 4096}) AS body")
        yield
        cursor.execute("DROP TABLE filler")


def sync_with_room_for(mapping: TableMapping, pages: int) -> RunReport:
    """A run on a disk that takes so many pages more."""
    Job.objects.filter(mapping=mapping).update(parked_until=None)
    with connection.cursor() as cursor:
        used = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {used + pages}")
        try:
            return run_now(mapping, "worker")
        finally:
            cursor.execute("PRAGMA max_page_count = 4294967294")


@pytest.mark.usefixtures("no_free_pages")
def test_a_thousand_failures_on_a_full_disk_are_a_thousand_rows_afterwards(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHUNK, Direction.TO_SALES, 200)
    settings.HEARTBEAT_SECONDS = 600  # no second connection in this process
    with running_systems(records=FAILURES + 1) as systems:
        all_fail_but_one(systems)
        mapping = accepted(systems)

        rows = SyncError.objects.filter(mapping_key="CUSTOMER")
        full = []
        for pages in ROOM:
            full.append(sync_with_room_for(mapping, pages))
            if rows.exists():
                break
        recorded = rows.count()
        last = sync_with_room_for(mapping, 100_000)

    assert len(full) > 1
    assert all("cannot store its own data" in report.problem for report in full)
    assert "database or disk is full" in full[0].problem
    assert 0 < recorded < FAILURES
    assert last.problem == ""
    assert_each_is_recorded_once()


def test_a_thousand_failures_on_a_locked_database_are_a_thousand_rows_afterwards(
    settings: Settings,
) -> None:
    """Another program takes the lock while the answer to a write is on its way."""
    settings.HEARTBEAT_SECONDS, settings.TAKE_UP_SECONDS = 600, 0
    name = connection.settings_dict["NAME"]
    other = sqlite3.connect(
        name, uri=True, check_same_thread=False, isolation_level=None
    )
    with running_systems(
        records=FAILURES + 1, end=lambda target: other.execute("BEGIN IMMEDIATE")
    ) as systems:
        all_are_refused_but_one(systems)
        mapping = accepted(systems)
        systems.kill("worker", writes=True)

        locked = run_now(mapping, "w1")
        recorded = SyncError.objects.filter(mapping_key="CUSTOMER").count()
        other.execute("ROLLBACK")
        last = run_now(mapping, "w2")
    other.close()

    assert "goes on by itself" in locked.problem
    assert recorded == 0
    # The only one that passes had passed before; of this run all failed alike.
    assert "1,000 of 1,000 tries failed" in last.problem
    assert_each_is_recorded_once()


def assert_each_is_recorded_once() -> None:
    rows = SyncError.objects.filter(mapping_key="CUSTOMER")
    assert rows.values("record_key").distinct().count() == rows.count() == FAILURES
    assert set(rows.values_list("occurrences", flat=True)) == {1}
    totals = ErrorTotal.objects.filter(mapping_key="CUSTOMER")
    assert totals.aggregate(n=Sum("n"))["n"] == FAILURES
