"""Budgets that two processes share through a real Valkey."""

from uuid import uuid4

import pytest

from integration import clock
from integration.connectors.throttle import REQUESTS
from integration.services import budgets, shared_memory
from integration.services.budgets import SharedThrottle, Standing
from integration.services.shared_memory import SharedMemory

Memories = tuple[SharedMemory, SharedMemory]
Workers = tuple[SharedThrottle, SharedThrottle]


def workers_on(memories: Memories, concurrent: int = 9) -> Workers:
    one, other = memories
    name = f"test:{uuid4()}"
    return SharedThrottle(one, name, concurrent), SharedThrottle(
        other, name, concurrent
    )


@pytest.fixture
def workers(memories: Memories) -> Workers:
    return workers_on(memories)


def wait_until_granted(worker: SharedThrottle, cost: int = 1) -> None:
    give_up = clock.monotonic() + 10
    while wait := worker.acquire(cost):
        assert clock.monotonic() < give_up
        clock.sleep(min(wait, 0.02))


def test_only_so_many_calls_run_at_once_whoever_makes_them(memories: Memories) -> None:
    one, other = workers_on(memories, concurrent=2)
    assert one.acquire() == 0
    assert other.acquire() == 0

    assert 0 < one.acquire() < 1
    assert 0 < other.acquire() < 1

    one.release()
    assert other.acquire() == 0


def test_the_call_of_a_killed_worker_runs_only_for_a_while(
    memories: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "_LEASE_SECONDS", 0.2)
    killed, other = workers_on(memories, concurrent=1)
    assert killed.acquire() == 0
    assert other.acquire() > 0

    wait_until_granted(other)


def test_parts_are_counted_together_and_the_wait_is_worth_it(workers: Workers) -> None:
    one, other = workers
    assert one.acquire(REQUESTS - 1_000) == 0
    assert other.acquire(800) == 0

    for worker in workers:
        assert 298 < worker.acquire(200) < 302


def test_batches_leave_the_last_of_a_window_to_single_calls(workers: Workers) -> None:
    one, other = workers
    assert one.acquire(REQUESTS - 101) == 0
    assert other.acquire(2) > 298

    assert other.acquire() == 0


def test_what_was_spent_is_free_again_when_the_window_has_passed(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "WINDOW_SECONDS", 0.2)
    monkeypatch.setattr(budgets, "_GRAIN_SECONDS", 0.01)
    one, other = workers
    assert one.acquire(REQUESTS) == 0
    assert 0 < other.acquire(2) < 1

    wait_until_granted(other, 2)


def test_a_cost_above_the_whole_budget_goes_alone(workers: Workers) -> None:
    one, other = workers

    assert one.acquire(REQUESTS * 2) == 0
    assert other.acquire(2) > 0


def test_what_a_system_asks_one_worker_to_wait_all_wait(workers: Workers) -> None:
    one, _ = workers
    one.penalize(30)
    one.penalize(10)

    for worker in workers:
        assert 29 < worker.acquire() <= 30
        assert worker.is_closed()


def test_without_a_broker_each_is_stricter(nobody: SharedMemory) -> None:
    one, other = workers_on((nobody, nobody), concurrent=4)

    for worker in (one, other):
        assert [worker.acquire(), worker.acquire()] == [0, 0]
        assert worker.acquire() > 0
        worker.release()
        assert worker.acquire(REQUESTS // 2 - 1) > 5
        assert not worker.is_closed()
        worker.penalize(30)
        assert worker.acquire() > 29
        assert worker.is_closed()


def test_what_was_spent_alone_binds_only_until_the_broker_is_asked_again(
    nobody: SharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "_ALONE_SECONDS", 0.3)
    worker = SharedThrottle(nobody, "alone", 4)
    assert worker.acquire(REQUESTS // 2) == 0

    assert 0 < worker.acquire(2) <= 0.3

    worker.penalize(30)
    assert worker.acquire(2) > 29


def test_a_broker_that_goes_away_amid_a_call_does_no_harm(
    memories: Memories, nobody: SharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, _ = memories
    worker = SharedThrottle(memory, f"test:{uuid4()}", 2)
    assert worker.acquire() == 0
    monkeypatch.setattr(memory, "ask", nobody.ask)

    worker.release()

    assert worker.acquire() == 0
    worker.release()


def test_a_clock_in_a_hurry_makes_the_window_shorter(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "rate", lambda: 6_000.0)
    one, other = workers
    assert one.acquire(REQUESTS) == 0
    assert 0 < other.acquire(2) < 320

    wait_until_granted(other, 2)


def test_anybody_may_see_how_the_budget_stands(workers: Workers) -> None:
    one, other = workers
    assert other.standing() == Standing(0, 0)
    assert one.acquire(cost=412) == 0
    one.penalize(30)

    standing = other.standing()

    assert standing
    assert standing.spent == 412
    assert 25 < standing.closed <= 30


def test_without_a_broker_nobody_knows_how_it_stands(nobody: SharedMemory) -> None:
    assert SharedThrottle(nobody, "alone", 4).standing() is None


def test_a_clock_that_was_set_back_leaves_nothing_spent_or_closed(
    memories: Memories,
) -> None:
    """What a broker holds whose clock was two hours ahead."""
    memory, _ = memories
    name = f"test:{uuid4()}"
    worker = SharedThrottle(memory, name, 1)
    ahead = int(clock.now().timestamp()) + 7_200
    memory.ask(lambda redis: redis.hset(f"{name}:spent", str(ahead), REQUESTS))
    memory.ask(lambda redis: redis.zadd(f"{name}:running", {"w": ahead * 1_000}))
    memory.ask(lambda redis: redis.set(f"{name}:closed", ahead * 1_000, ex=7_230))

    assert worker.standing() == Standing(0, 0)
    assert not worker.is_closed()
    assert worker.acquire() == 0
    worker.penalize(30)
    assert 29 < worker.acquire() <= 30
