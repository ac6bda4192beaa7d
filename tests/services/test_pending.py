"""Pending records: exactly one of three holds, and attempts count one version."""

from datetime import timedelta
from typing import Any

import pytest

from integration import clock
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Trouble
from integration.core.records import System
from integration.core.snapshots import Snapshot
from integration.models import PendingRecord, TableMapping
from integration.services import pending
from integration.services.pending import Tried
from tests.factories import make_mapping

pytestmark = pytest.mark.django_db
BC, SALES = System.BUSINESS_CENTRAL, System.SALES


def tried(mapping: TableMapping, etag: str = "1", **more: Any) -> PendingRecord:
    failure = Failure(SALES, FailureKind.REFUSED, "0x1", "No \0 good")
    one = Tried(BC, "b1", etag, "10000 Ärger", Trouble(failure, **more))
    pending.record_tried(mapping, [one], clock.now())
    return PendingRecord.objects.get(record_id="b1")


def test_attempts_count_one_version() -> None:
    mapping = make_mapping()

    assert [tried(mapping).attempts for _ in range(3)] == [1, 2, 3]
    assert tried(mapping, "2").attempts == 1


def test_after_the_last_try_a_record_is_skipped_with_its_reason() -> None:
    mapping = make_mapping()
    for _ in range(4):
        tried(mapping)

    row = tried(mapping)

    assert row.skipped_at
    assert row.next_attempt_at is None
    assert row.skip_reason == "Gave up after 5 attempts."


@pytest.mark.parametrize(("tries", "hours"), [(1, 3), (3, 3), (4, 13)])
def test_a_clock_that_was_set_back_does_not_put_the_next_try_off(
    tries: int, hours: int
) -> None:
    mapping = make_mapping()
    for _ in range(tries):
        tried(mapping)
    at_once, soon = (clock.now() - timedelta(hours=n) for n in (hours, 0))

    assert list(pending.due(mapping, BC, at_once)) == [["b1"]]
    assert list(pending.due(mapping, BC, soon)) == []


def test_what_waits_has_no_hour() -> None:
    row = tried(make_mapping(), waits_for="CURRENCY:EUR")

    assert row.waits_for == "CURRENCY:EUR"
    assert row.next_attempt_at is None
    assert row.skipped_at is None
    assert row.failure == "No  good"


def test_a_change_of_the_mapping_releases_whatever_waits() -> None:
    mapping = make_mapping()
    tried(mapping, waits_for="CURRENCY:EUR")

    pending.release_all(mapping)

    assert list(pending.due(mapping, BC, clock.now())) == [["b1"]]
    assert PendingRecord.objects.get().attempts == 0


def test_an_arrival_releases_only_those_that_waited_for_it() -> None:
    mapping = make_mapping()
    tried(mapping, waits_for="CURRENCY:EUR")
    assert pending.awaited(mapping) == {"CURRENCY:EUR": {""}}

    pending.release_waiting(mapping, ["CURRENCY:USD"])
    assert not list(pending.due(mapping, BC, clock.now()))
    pending.release_waiting(mapping, ["CURRENCY:EUR"])
    assert list(pending.due(mapping, BC, clock.now())) == [["b1"]]


def test_an_intent_keeps_the_attempts_of_its_record() -> None:
    mapping = make_mapping()
    record = Snapshot("s1", "1", None, {}, "", "Neu")
    failure = Failure(BC, FailureKind.REFUSED, "x", "y")
    one = Tried(SALES, "s1", "1", "Neu", Trouble(failure))
    pending.record_tried(mapping, [one], clock.now())

    pending.save_intents(mapping, [(record, {"since": "…"})])

    row = PendingRecord.objects.get()
    assert (row.attempts, row.intent) == (1, {"since": "…"})
    assert row.next_attempt_at


def test_intents_come_in_chunks() -> None:
    mapping = make_mapping()
    records = [Snapshot(f"{number:03}", "1", None, {}) for number in range(501)]
    pending.save_intents(mapping, [(record, {"values": {}}) for record in records])

    chunks = list(pending.intents(mapping))

    assert [len(chunk) for chunk in chunks] == [500, 1]
    assert {*chunks[0], *chunks[1]} == {record.id for record in records}


def test_only_the_version_that_failed_rests() -> None:
    row = tried(make_mapping())

    assert pending.is_resting(row, Snapshot("b1", "1", None, {}), clock.now())
    assert not pending.is_resting(row, Snapshot("b1", "2", None, {}), clock.now())


def test_what_is_set_aside_comes_back_when_it_is_wanted() -> None:
    currency = make_mapping("CURRENCY")
    customer = make_mapping(connection=currency.connection)
    euro = Snapshot("e1", "1", None, {}, "EUR", "Euro")
    pending.set_aside(currency, [(BC, euro, "Nobody uses it.")])
    tried(customer, waits_for="CURRENCY:EUR")

    pending.release_wanted(currency)

    assert list(pending.due(currency, BC, clock.now())) == [["e1"]]


@pytest.mark.postgresql
def test_tables_that_a_storm_has_just_filled_are_not_compared_each_with_each() -> None:
    tried(make_mapping())

    assert "Anti Join" not in pending.unlisted().explain()
