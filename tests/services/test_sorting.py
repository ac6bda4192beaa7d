"""Records read again: which of them are decided about, tried and noted."""

from integration.models import JobEntry, PendingRecord
from tests.services.engine import Engine


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
    engine.change(bc, city="Nyon")
    engine.sync("CUSTOMER")
    engine.sync("CUSTOMER")

    engine.systems.store.move_clock(0)
    engine.change(bc, city="Morges")
    engine.sync("CUSTOMER")

    assert sales.values["address1_city"] == "Morges"
