"""Records read again: which of them are decided about, tried and noted."""

import pytest

from integration.models import JobEntry, PendingRecord
from tests.services.engine import Engine


def test_of_a_first_meeting_every_record_has_an_ending(bare: Engine) -> None:
    """Also what the filters leave out, before anything is coupled or pending."""
    bare.accept()
    bare.add_customer("10", "One")
    bare.add_customer("20", "Two", blocked="All")
    bare.add_account("Three")
    bare.add_account("a competitor", customertypecode=1)

    counts = bare.sync()

    ended = {"records_read": 2, "inserted": 1, "filtered_out": 1}
    assert counts["to_business_central"] == ended
    # The number that "Three" was given goes back at once.
    assert counts["to_sales"] == {**ended, "records_read": 3, "modified": 1}


def test_what_failed_at_a_first_meeting_is_not_tried_before_its_time(
    bare: Engine,
) -> None:
    """Nothing is coupled, but this one is known."""
    bare.accept()
    bare.add_customer("10", "One", website="x" * 220)
    bare.sync()
    mark = bare.asked()

    counts = bare.sync("CUSTOMER")

    assert not bare.writes(mark)
    assert counts["to_sales"] == {"records_read": 1, "skipped": 1}


def test_a_conflict_ends_when_the_sales_side_takes_its_edit_back(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    before = sales.values["telephone1"]
    engine.change(bc, city="A")
    engine.change(sales, telephone1="1")
    engine.sync("CUSTOMER")

    engine.change(sales, telephone1=before)
    engine.sync("CUSTOMER")

    assert sales.values["address1_city"] == "A"
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_a_record_given_up_is_tried_from_zero_when_its_partner_changes(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.change(bc, website="x" * 220)
    for _ in range(5):
        engine.sync("CUSTOMER")
        engine.make_due()
    assert PendingRecord.objects.get().skipped_at

    engine.change(sales, description="a note")
    engine.sync("CUSTOMER")

    row = PendingRecord.objects.get()
    assert (row.attempts, row.skipped_at) == (1, None)


def test_a_record_that_rests_is_noted_once(engine: Engine) -> None:
    bc, _ = engine.pair()
    engine.change(bc, website="x" * 220)
    engine.sync("CUSTOMER")
    noted = JobEntry.objects.count()

    counts = engine.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 1, "skipped": 1}
    assert JobEntry.objects.count() == noted


def test_a_clock_that_goes_back_hides_no_change(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.systems.store.move_clock(86_400)
    engine.change(bc, city="Ascona")
    engine.sync("CUSTOMER")
    engine.sync("CUSTOMER")

    engine.systems.store.move_clock(0)
    engine.change(bc, city="Morges")
    engine.sync("CUSTOMER")

    assert sales.values["address1_city"] == "Morges"


def test_a_failing_record_that_is_blocked_is_skipped_with_its_reason(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.change(bc, website="x" * 220)
    engine.sync("CUSTOMER")

    engine.change(bc, blocked="All")
    engine.sync("CUSTOMER")
    counts = engine.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 1, "filtered_out": 1}
    assert len(engine.errors()) == 1
    row = PendingRecord.objects.get()
    assert row.skip_reason == "The filter of the mapping leaves it out."
    engine.change(bc, blocked=" ", website="https://example.com")
    engine.sync("CUSTOMER")
    assert sales.values["websiteurl"] == "https://example.com"
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_a_waiting_record_that_is_blocked_waits_no_more(engine: Engine) -> None:
    bc, _ = engine.pair()
    engine.change(bc, currencyCode="XXX")
    engine.sync("CUSTOMER")
    assert [error.waits_for for error in engine.errors()] == ["XXX"]

    engine.change(bc, blocked="All")
    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert (error.waits_for, error.chip) == ("", "open")
    assert not PendingRecord.objects.exclude(waits_for="").exists()


def test_a_conflict_replaces_what_failed_the_other_way(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(sales, name="x" * 120)
    engine.sync("CUSTOMER")

    engine.change(bc, city="Ascona")
    engine.sync("CUSTOMER")

    assert engine.articles() == ["conflict-both-changed"]
    assert [row.side for row in PendingRecord.objects.all()] == ["business_central"]


@pytest.mark.parametrize("here", [True, False])
def test_a_failing_record_that_is_deleted_is_one_error_told_once(
    engine: Engine, here: bool
) -> None:
    bc, sales = engine.pair()
    gone = bc if here else sales
    engine.change(gone, **({"website": "x" * 220} if here else {"name": "x" * 120}))
    engine.sync("CUSTOMER")

    gone.table.delete(gone.id)
    engine.sync("CUSTOMER", full=True)
    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.problem.article == f"record-deleted-{'bc' if here else 'sales'}"
    assert error.occurrences == 1
    assert PendingRecord.objects.count() == 1


def test_a_change_and_a_deletion_of_its_partner_are_one_ending(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, city="Ascona")
    engine.accounts.delete(sales.id)

    counts = engine.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 1, "failed": 1}
    assert engine.errors()[0].occurrences == 1
