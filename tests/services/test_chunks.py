"""Runs of several chunks, of which one is recorded while the next is on its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from django.db import OperationalError
from django.db import connection as database

from integration import clock
from integration.choices import JobState
from integration.connectors.base import WriteResult
from integration.connectors.transport import BEFORE_WRITING
from integration.models import Coupling, Job, PendingRecord, SyncError, TableMapping
from integration.services import creations, sync
from integration.services.execution import execute
from integration.services.runs import restart, start_run
from tests.services.engine import Engine, Through

NEW = 7
PATIENCE_SECONDS = 10

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creations, "CHUNKS", (2, 2))
    monkeypatch.setattr(sync, "CHUNKS", (2, 2))


@contextmanager
def once(start: str, act: Callable[[], object], number: int = 1) -> Iterator[None]:
    """Something happens before the first statement that begins like this, or another
    one."""
    seen: list[str] = []

    def wrapper(run: Any, sql: str, *rest: Any) -> Any:
        if len(seen) < number and sql.startswith(start):
            seen.append(sql)
            if len(seen) == number:
                act()
        return run(sql, *rest)

    with database.execute_wrapper(wrapper):
        yield
    assert len(seen) == number


def carry_out(engine: Engine) -> list[Job]:
    """A run that is taken up as often as it was put off or lost."""
    run_id = start_run(engine.mapping())
    assert run_id
    for _ in range(3):
        Job.objects.filter(run=run_id).update(parked_until=None)
        execute(run_id, "w1")
    return list(Job.objects.filter(run=run_id))


def add_customers(engine: Engine) -> None:
    for number in range(NEW):
        engine.add_customer(f"C{number}")


def change_customers(engine: Engine) -> None:
    for customer in engine.all(engine.customers):
        engine.change(customer, city="Bienne")


def assert_in_step(engine: Engine) -> None:
    """Each once on both sides, with one coupling, and nothing else."""
    customers, accounts = engine.all(engine.customers), engine.all(engine.accounts)
    numbers = sorted(row.values["number"] for row in customers)
    assert sorted(row.values["accountnumber"] for row in accounts) == numbers
    cities = {
        row.values["accountnumber"]: row.values.get("address1_city") for row in accounts
    }
    for row in customers:
        assert (cities[row.values["number"]] or "") == row.values["city"]
    assert Coupling.objects.filter(mapping=engine.mapping()).count() == len(customers)
    assert not SyncError.objects.exists()
    assert not PendingRecord.objects.exists()


def refuse() -> None:
    raise OperationalError("database or disk is full")


IS_PAUSED = (
    'SELECT "integration_tablemapping"."id" AS "pk" FROM "integration_tablemapping" '
    'WHERE ("integration_tablemapping"."paused_at" IS NOT NULL'
)
"""What a run asks between two chunks."""


@pytest.mark.parametrize(
    ("prepare", "records"),
    [
        (add_customers, 'INSERT INTO "integration_coupling"'),
        (change_customers, 'UPDATE "integration_coupling"'),
    ],
)
def test_what_could_not_be_recorded_is_found_done(
    engine: Engine, prepare: Callable[[Engine], None], records: str
) -> None:
    prepare(engine)

    with once(records, refuse):
        jobs = carry_out(engine)

    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    assert {job.attempt for job in jobs} == {2}
    assert_in_step(engine)


@pytest.mark.parametrize("prepare", [add_customers, change_customers])
def test_a_run_that_was_taken_up_between_two_chunks_does_nothing_twice(
    engine: Engine, prepare: Callable[[Engine], None]
) -> None:
    prepare(engine)

    with once(IS_PAUSED, lambda: restart(engine.mapping())):
        jobs = carry_out(engine)

    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    assert {job.attempt for job in jobs} == {2}
    assert_in_step(engine)


def test_nothing_is_sent_after_a_chunk_that_went_wrong_before_it_is_recorded(
    engine: Engine,
) -> None:
    """A storm counts what has been recorded: no chunk may overtake a failed one."""
    add_customers(engine)
    engine.systems.break_something("dv-missing-privilege", record="prvCreateAccount")
    known: list[int] = []

    class Counting(Through):
        """Sales, and how many failures were known whenever a creation was sent."""

        def create_many(self, *asked: Any) -> list[WriteResult]:
            may_go = BEFORE_WRITING.get()

            def count() -> None:
                known.append(SyncError.objects.count())
                database.close()  # that of the thread which makes the call
                may_go()

            BEFORE_WRITING.set(count)
            try:
                return self.connector.create_many(*asked)
            finally:
                BEFORE_WRITING.set(may_go)

    engine.sales = cast("Any", Counting(engine.sales))
    engine.sync("CUSTOMER")

    assert known == [0, 2, 4, 6]


def pause() -> None:
    TableMapping.objects.filter(name="CUSTOMER").update(paused_at=clock.now())


def pause_after(is_done: Callable[[], bool]) -> Callable[[], None]:
    """The next call follows by itself, which may take a moment."""

    def act() -> None:
        deadline = clock.monotonic() + PATIENCE_SECONDS
        while not is_done():
            assert clock.monotonic() < deadline, "waited in vain"
            clock.sleep(0.01)
        pause()

    return act


def resume() -> None:
    TableMapping.objects.filter(name="CUSTOMER").update(paused_at=None)


@pytest.mark.parametrize(("fault", "modified"), [("", 4), ("dv-plugin-aborted", 3)])
def test_what_went_early_is_recorded_although_the_run_ends_before_its_turn(
    engine: Engine, fault: str, modified: int
) -> None:
    """Nobody had paused the mapping when the second chunk followed the first one. What
    was refused of it is told by the run that tries it in its turn."""
    add_customers(engine)
    engine.sync("CUSTOMER")
    change_customers(engine)
    if fault:
        third = Coupling.objects.filter(mapping=engine.mapping()).order_by("pk")[2]
        engine.systems.break_something(fault, record=third.sales_id)

    def is_done() -> bool:
        cities = [
            row.values.get("address1_city") for row in engine.all(engine.accounts)
        ]
        return cities.count("Bienne") == modified

    with once(IS_PAUSED, pause_after(is_done), number=2):
        [job] = [one for one in carry_out(engine) if one.direction == "to_sales"]
    moved = Coupling.objects.filter(values__city="Bienne")

    assert (job.state, job.modified) == (JobState.FAILED, modified)
    assert moved.count() == modified
    assert not SyncError.objects.exists()
    left = len(engine.all(engine.customers)) - modified
    assert PendingRecord.objects.count() == left

    engine.systems.repair()
    resume()
    engine.sync("CUSTOMER")
    assert_in_step(engine)


def test_what_was_created_early_is_recorded_although_the_run_ends_before_its_turn(
    engine: Engine,
) -> None:
    before = len(engine.all(engine.accounts))
    add_customers(engine)

    def made() -> int:
        return len(engine.all(engine.accounts)) - before

    with once(IS_PAUSED, pause_after(lambda: made() == 4), number=2):
        [job] = [one for one in carry_out(engine) if one.direction == "to_sales"]

    assert (job.state, job.inserted, made()) == (JobState.FAILED, 4, 4)
    assert not SyncError.objects.exists()

    resume()
    engine.sync("CUSTOMER")
    assert_in_step(engine)


def test_no_creation_goes_early_where_a_mapping_is_paused_meanwhile(
    engine: Engine,
) -> None:
    before = len(engine.all(engine.accounts))
    add_customers(engine)

    with once(IS_PAUSED, pause):
        [job] = [one for one in carry_out(engine) if one.direction == "to_sales"]

    assert job.inserted == len(engine.all(engine.accounts)) - before == 2


def test_nothing_goes_early_where_a_mapping_is_paused_meanwhile(
    engine: Engine,
) -> None:
    add_customers(engine)
    engine.sync("CUSTOMER")
    change_customers(engine)

    with once(IS_PAUSED, pause):
        [job] = [one for one in carry_out(engine) if one.direction == "to_sales"]

    assert (job.state, job.modified) == (JobState.FAILED, 2)
    resume()
    engine.sync("CUSTOMER")
    assert_in_step(engine)
