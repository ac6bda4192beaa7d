from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from integration.services import moment

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STEP = timedelta(microseconds=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    now = [NOON]
    monkeypatch.setattr(moment, "read_clock", lambda: now[0])
    return now


@pytest.mark.django_db
def test_what_is_stamped_after_a_preview_is_later_than_its_instant(
    clock: list[datetime],
) -> None:
    taken = moment.instant()

    assert taken == NOON
    assert moment.stamp() == NOON + STEP


@pytest.mark.django_db
def test_a_clock_that_steps_back_stamps_nothing_into_a_preview(
    clock: list[datetime],
) -> None:
    taken = moment.instant()
    clock[0] -= timedelta(hours=1)

    assert moment.stamp() > taken
    assert moment.instant() >= taken


@pytest.mark.django_db
def test_without_a_preview_the_clock_is_taken_as_it_is(clock: list[datetime]) -> None:
    assert moment.stamp() == NOON


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("take", [moment.stamp, moment.instant])
def test_a_moment_is_refused_outside_a_transaction(take: object) -> None:
    assert callable(take)
    with pytest.raises(RuntimeError, match="transaction"):
        take()


@pytest.mark.django_db
def test_the_real_clock_is_aware_and_in_utc() -> None:
    with transaction.atomic():
        read = moment.read_clock()

    assert read.tzinfo is UTC
    assert connection.in_atomic_block
