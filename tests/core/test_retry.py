"""The table of retries of design §6."""

from datetime import UTC, datetime, timedelta

import pytest

from integration.core.failures import Failure, FailureKind
from integration.core.records import System
from integration.core.retry import decide_retry

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def failure(kind: FailureKind, wait: float | None = None) -> Failure:
    return Failure(System.SALES, kind, "code", "message", retry_after_seconds=wait)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 5), (2, 30), (3, 120), (4, 720)])
def test_an_ordinary_failure_waits_longer_each_time(
    attempts: int, minutes: int
) -> None:
    found = decide_retry(failure(FailureKind.REFUSED), attempts, NOW)

    assert found.next_attempt_at == NOW + timedelta(minutes=minutes)


def test_after_the_last_wait_the_record_is_skipped() -> None:
    found = decide_retry(None, 5, NOW)

    assert found.next_attempt_at is None
    assert found.skip_reason == "Gave up after 5 attempts."


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 30), (2, 60), (5, 480), (9, 3600), (500, 3600)]
)
def test_a_passing_fault_is_tried_without_end(attempts: int, seconds: int) -> None:
    found = decide_retry(failure(FailureKind.TRANSIENT), attempts, NOW)

    assert found.next_attempt_at == NOW + timedelta(seconds=seconds)


def test_the_wait_the_system_asks_for_counts() -> None:
    found = decide_retry(failure(FailureKind.THROTTLED, 7200), 1, NOW)

    assert found.next_attempt_at == NOW + timedelta(hours=2)


def test_what_waits_for_another_record_has_no_hour() -> None:
    found = decide_retry(None, 7, NOW, "CURRENCY:EUR")

    assert found.waits_for == "CURRENCY:EUR"
    assert found.next_attempt_at is None
    assert not found.skip_reason
