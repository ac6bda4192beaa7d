"""A run that is told to wait amid its writes loses, doubles and blames nothing."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from integration import clock
from integration.connectors import business_central, sales
from integration.connectors.base import WriteResult
from integration.connectors.errors import ConnectionRefused, RemoteError, Throttled
from integration.connectors.throttle import REQUESTS
from integration.models import Coupling, Job, PendingRecord, SyncError
from integration.services import endpoints
from integration.services.budgets import SharedThrottle
from integration.services.execution import execute
from integration.services.runs import start_run
from integration.services.shared_memory import SharedMemory
from integration.simulators.faults import Faults
from tests.services.engine import Engine, Through

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    """Waits of seconds take some milliseconds."""
    clock.run_at(200)
    yield
    clock.run_at(1)


class Until(Through):
    """A connector whose system changes its mind at our first write."""

    def __init__(self, connector: Any, change: Callable[[], object]) -> None:
        super().__init__(connector)
        self._change = change

    def create_many(self, *call: Any) -> list[WriteResult]:
        return self._write("create_many", call)

    def update_many(self, *call: Any) -> list[WriteResult]:
        return self._write("update_many", call)

    def _write(self, name: str, call: Any) -> list[WriteResult]:
        self._change()
        self._change = int
        results: list[WriteResult] = getattr(self.connector, name)(*call)
        return results


def stop_after_five(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both systems take five parts in five minutes; a batch holds five."""
    monkeypatch.setattr(business_central, "BATCH_SIZE", 5)
    monkeypatch.setattr(sales, "BATCH_SIZE", 5)
    faults = Faults.of(engine.systems.store)
    limited = {"limits": {"requests": 5}}
    engine.bc = Until(engine.bc, lambda: faults.add(limited))
    engine.sales = Until(engine.sales, lambda: faults.add(limited))


def wait_as_told(engine: Engine) -> None:
    engine.systems.repair()
    clock.sleep(301)


def test_creations_here_go_on_where_they_were_stopped(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = [engine.add_account(f"New {number}") for number in range(8)]
    stop_after_five(engine, monkeypatch)

    with pytest.raises(Throttled):
        engine.sync("CUSTOMER")

    ids = [account.id for account in accounts]
    assert Coupling.objects.filter(sales_id__in=ids).count() == 5
    assert not SyncError.objects.exists()
    rest = PendingRecord.objects.filter(record_id__in=ids)
    assert [(row.intent, row.attempts) for row in rest] == [(None, 0)] * 3

    wait_as_told(engine)
    engine.sync("CUSTOMER")

    assert Coupling.objects.filter(sales_id__in=ids).count() == 8
    assert len(engine.customers) == 16
    assert not PendingRecord.objects.exists()


def test_updates_go_on_where_they_were_stopped(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for customer in engine.all(engine.customers):
        engine.change(customer, city="Morges")
    stop_after_five(engine, monkeypatch)

    with pytest.raises(Throttled):
        engine.sync("CUSTOMER")

    def moved() -> int:
        return len(engine.accounts.find("address1_city", "Morges"))

    assert moved() == 5
    assert not SyncError.objects.exists()
    wait_as_told(engine)
    assert engine.sync("CUSTOMER")["to_sales"] == {
        "records_read": 8,
        "modified": 3,
        "unchanged": 5,
    }
    assert moved() == 8


def test_only_the_side_with_something_left_is_read_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what was written there would come back once more at every stop."""
    for customer in engine.all(engine.customers):
        engine.change(customer, city="Morges")
    stop_after_five(engine, monkeypatch)
    before = engine.mapping()

    with pytest.raises(Throttled):
        engine.sync("CUSTOMER")

    stopped = engine.mapping()
    assert stopped.bc_cursor == before.bc_cursor
    assert stopped.sales_cursor != before.sales_cursor


def test_a_change_there_that_was_not_carried_over_is_read_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = engine.all(engine.accounts)
    for account in accounts:
        engine.change(account, address1_city="Morges")
    stop_after_five(engine, monkeypatch)
    before = engine.mapping()

    with pytest.raises(Throttled):
        engine.sync("CUSTOMER")

    assert engine.mapping().sales_cursor == before.sales_cursor
    assert len(engine.customers.find("city", "Morges")) == 5
    wait_as_told(engine)
    engine.sync("CUSTOMER")
    assert len(engine.customers.find("city", "Morges")) == len(accounts)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("dv-throttle-requests", Throttled), ("dv-admin-only-mode", ConnectionRefused)],
)
def test_what_concerns_everybody_is_no_error_of_a_record(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    error: type[RemoteError],
) -> None:
    monkeypatch.setattr(sales, "BATCH_SIZE", 5)
    for customer in engine.all(engine.customers):
        engine.change(customer, city="Morges")
    batches = iter((int, lambda: engine.systems.break_something(fault)))
    write = sales.Sales._write  # noqa: SLF001  (between two batches)

    def writing(*call: Any) -> list[WriteResult]:
        next(batches, int)()
        return write(*call)

    monkeypatch.setattr(sales.Sales, "_write", writing)

    with pytest.raises(error):
        engine.sync("CUSTOMER")

    assert len(engine.accounts.find("address1_city", "Morges")) == 5
    assert not SyncError.objects.exists()


@pytest.fixture
def throttle(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> SharedThrottle:
    """The budget of both systems."""
    throttle = SharedThrottle(SharedMemory(broker_url), f"test:{uuid4()}", 5)
    monkeypatch.setattr(endpoints, "throttle_of", lambda _endpoint: throttle)
    return throttle


def sync_when_spent(
    engine: Engine, throttle: SharedThrottle, request_seconds: float
) -> Job:
    """All has changed, and batches have just spent the budget."""
    for customer in engine.all(engine.customers):
        engine.change(customer, city="Morges")
    assert throttle.acquire(REQUESTS) == 0
    throttle.release()
    Faults.of(engine.systems.store).add({"latency_ms": request_seconds * 1_000})
    run_id = start_run(engine.mapping())
    assert run_id
    execute(run_id, "test")
    return Job.objects.filter(run=run_id).earliest("id")


def test_what_is_put_off_until_our_budget_is_free_is_read_again_before(
    engine: Engine, throttle: SharedThrottle
) -> None:
    """Else what reading takes would come on top of every wait."""
    clock.run_at(20)

    job = sync_when_spent(engine, throttle, 4)

    free_at = clock.now() + timedelta(seconds=throttle.acquire(5))
    assert not engine.accounts.find("address1_city", "Morges")
    assert job.parked_until
    assert timedelta(seconds=6) < free_at - job.parked_until < timedelta(seconds=60)


def test_a_run_that_read_for_longer_than_it_has_to_wait_is_not_put_off(
    engine: Engine, throttle: SharedThrottle
) -> None:
    """To begin again would take longer."""
    began = clock.now()

    job = sync_when_spent(engine, throttle, 40)

    assert len(engine.accounts.find("address1_city", "Morges")) == 8
    assert (job.state, job.attempt) == ("succeeded", 1)
    assert clock.now() - began > timedelta(seconds=280)
