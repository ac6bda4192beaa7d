import pytest

from integration.connectors.throttle import LocalThrottle


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def test_lets_pass_what_the_window_allows_and_then_says_how_long(
    clock: Seconds,
) -> None:
    throttle = LocalThrottle(
        concurrent=9, requests=2, window_seconds=300, monotonic=clock
    )
    assert throttle.acquire() == 0
    clock.now += 100
    assert throttle.acquire() == 0

    assert throttle.acquire() == 200

    clock.now += 200
    assert throttle.acquire() == 0
    assert throttle.acquire() == 100


def test_a_batch_costs_its_parts(clock: Seconds) -> None:
    throttle = LocalThrottle(
        concurrent=9, requests=155, window_seconds=300, monotonic=clock
    )
    throttle.acquire(50)
    clock.now += 10
    throttle.acquire(100)

    assert throttle.acquire(60) == 300


def test_a_cost_above_the_whole_budget_waits_for_an_empty_window(
    clock: Seconds,
) -> None:
    throttle = LocalThrottle(
        concurrent=9, requests=10, window_seconds=300, monotonic=clock
    )

    assert throttle.acquire(50) == 0
    assert throttle.acquire(1) == 300


def test_batches_leave_the_last_of_a_window_to_single_calls(clock: Seconds) -> None:
    throttle = LocalThrottle(
        concurrent=9, requests=120, window_seconds=300, monotonic=clock
    )
    assert throttle.acquire(118) == 0
    assert throttle.acquire(2) == 300

    assert [throttle.acquire(), throttle.acquire()] == [0, 0]
    assert throttle.acquire() == 300


def test_only_so_many_at_a_time(clock: Seconds) -> None:
    throttle = LocalThrottle(concurrent=1, monotonic=clock)
    throttle.acquire()

    assert 0 < throttle.acquire() < 1

    throttle.release()
    assert throttle.acquire() == 0


def test_nobody_goes_while_the_system_asked_to_wait(clock: Seconds) -> None:
    throttle = LocalThrottle(concurrent=5, monotonic=clock)
    throttle.penalize(30)
    throttle.penalize(10)

    assert throttle.acquire() == 30

    clock.now += 30
    assert throttle.acquire() == 0
