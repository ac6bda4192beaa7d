"""What was sent and answered goes some time after the end; the entry stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from pytest_django import Settings

from integration.core.failures import Failure, FailureKind
from integration.core.records import System
from integration.models import ErrorPayload, Operation, SyncError
from integration.services import ageing, cells
from integration.services.ageing import age_due, is_ageing_due
from tests.factories import make_error, make_job
from tests.services.test_errors import failed, passed, record

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
LATELY = LONG_AGO + timedelta(seconds=1)
STACK = "core/plan.py: resolve"


def ended(at: datetime = LONG_AGO, **values: Any) -> SyncError:
    """With the payloads of its first and its latest attempt."""
    error = make_error(
        **({"state": "resolved", "last_seen": at, "call_stack": STACK} | values)
    )
    keep(error)
    return error


def keep(error: SyncError) -> None:
    for latest in (False, True):
        error.payloads.create(latest=latest, request="x", recorded_at=error.last_seen)


def chunks_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(ageing, "CHUNK", size)


def test_thirty_days_after_the_end_only_the_entry_stays() -> None:
    old, new = ended(), ended(LATELY)
    before = SyncError.objects.filter(pk=old.pk).values().get()

    assert is_ageing_due(NOW)
    assert age_due(NOW) == 1

    after = SyncError.objects.filter(pk=old.pk).values().get()
    assert after == {**before, "call_stack": "", "payload_days": 30}
    assert set(ErrorPayload.objects.values_list("error", flat=True)) == {new.pk}
    new.refresh_from_db()
    assert (new.call_stack, new.payload_days) == (STACK, None)
    assert not is_ageing_due(NOW)


def test_what_is_still_relevant_keeps_everything() -> None:
    for state in ("open", "ignored"):
        keep(make_error(state=state, last_seen=LONG_AGO, call_stack=STACK))

    assert not is_ageing_due(NOW)
    assert age_due(NOW) == 0
    assert ErrorPayload.objects.count() == 4


def test_an_entry_that_held_nothing_does_not_say_that_something_went() -> None:
    error = make_error(state="resolved", last_seen=LONG_AGO)

    assert age_due(NOW) == 1

    error.refresh_from_db()
    assert error.payload_days == 0
    assert not Operation.objects.exists()
    assert not is_ageing_due(NOW)


def test_the_setting_says_how_long(settings: Settings) -> None:
    settings.PAYLOAD_DAYS = 90
    error = ended()

    assert age_due(NOW) == 0
    assert age_due(NOW + timedelta(days=60)) == 1

    error.refresh_from_db()
    assert error.payload_days == 90


def test_a_day_of_it_is_one_operation_that_says_who_and_why() -> None:
    ended()
    age_due(NOW)
    ended()
    age_due(NOW + timedelta(hours=1))
    ended()
    age_due(NOW + timedelta(days=1))

    found = Operation.objects.order_by("id").values_list("kind", "by_name", "rows")
    assert list(found) == [("age", "Sync Errors", 2), ("age", "Sync Errors", 1)]
    assert "30 days" in Operation.objects.order_by("id")[0].reason


@pytest.mark.parametrize("at", range(3))
def test_killed_between_any_two_chunks_it_goes_on(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [ended() for _ in range(6)]
    chunks_of(monkeypatch, 2)
    slept: list[float] = []

    def killed(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("integration.clock.sleep", killed)
        with pytest.raises(KeyboardInterrupt):
            age_due(NOW)
    done = SyncError.objects.filter(payload_days=30).count()
    assert (done, ErrorPayload.objects.count()) == (2 * at + 2, 12 - 2 * done)
    assert Operation.objects.get().rows == done

    assert age_due(NOW) == len(errors) - done

    assert not ErrorPayload.objects.exists()
    assert Operation.objects.get().rows == len(errors)


@pytest.mark.parametrize("call", ["delete_rows", "_note"])
def test_killed_inside_a_chunk_nothing_of_it_has_happened(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended()
    with monkeypatch.context() as patch:
        patch.setattr(ageing, call, _dies)
        with pytest.raises(DatabaseError):
            age_due(NOW)
    assert ErrorPayload.objects.count() == 2
    assert SyncError.objects.get().call_stack == STACK

    assert age_due(NOW) == 1

    assert not ErrorPayload.objects.exists()


def _dies(*_: Any) -> None:
    raise DatabaseError("gone")


def test_it_stops_when_its_time_is_over_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        ended()
    chunks_of(monkeypatch, 1)

    assert age_due(NOW, max_seconds=0) == 1
    assert is_ageing_due(NOW)
    assert age_due(NOW) == 2


def test_what_comes_back_keeps_what_is_sent_and_answered_from_now_on() -> None:
    job = make_job()
    again = Failure(System.SALES, FailureKind.REFUSED, "long", "x", request="again")
    record(job, failed(failure=again))
    record(job, passed())
    settled_at = SyncError.objects.get().settled_at
    assert settled_at
    later = settled_at + timedelta(days=31)
    age_due(later)
    assert SyncError.objects.get().payload_days == 30

    record(job, failed(failure=again))

    error = SyncError.objects.get()
    assert (error.state, error.payload_days) == ("open", None)
    assert [payload.request for payload in error.payloads.all()] == ["again"]
    assert not is_ageing_due(later + timedelta(days=90))


def test_counts_are_as_before() -> None:
    ended()
    cells.rebuild()
    before = cells.count_rows(SyncError.objects.all())

    age_due(NOW)

    assert cells.count_rows(SyncError.objects.all()) == before


def test_whether_it_is_due_is_one_look_into_an_index() -> None:
    due = SyncError.objects.filter(settled_at__lte=NOW, payload_days__isnull=True)

    assert "error_to_age" in due.order_by("settled_at", "id")[:1].explain()
