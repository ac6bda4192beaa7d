"""Runs against both simulated systems: what is read, written and recorded."""

from datetime import timedelta
from typing import Any

import pytest

from integration import clock
from integration.core.answers import ConflictRule
from integration.core.records import Direction
from integration.models import (
    Coupling,
    Job,
    PendingRecord,
    SyncError,
    TableMapping,
)
from integration.models.folding import searchable
from integration.services.mappings import change_mapping
from integration.services.runs import RunLost
from integration.services.sync import run_mapping
from tests.services.engine import Engine, Live, Meanwhile

MAPPED = {
    "displayName": "name",
    "addressLine1": "address1_line1",
    "addressLine2": "address1_line2",
    "city": "address1_city",
    "state": "address1_stateorprovince",
    "postalCode": "address1_postalcode",
    "country": "address1_country",
    "phoneNumber": "telephone1",
    "email": "emailaddress1",
    "website": "websiteurl",
    "number": "accountnumber",
}


def in_step(engine: Engine) -> bool:
    """Whether every mapped field of every pair is equal, read from the stores."""
    for coupling in Coupling.objects.filter(mapping=engine.mapping()):
        bc, sales = (
            engine.customers.get(coupling.bc_id),
            engine.accounts.get(coupling.sales_id),
        )
        assert bc
        assert sales
        for here, there in MAPPED.items():
            if (bc.values.get(here) or "") != (sales.values.get(there) or ""):
                return False
    return True


def test_a_first_synchronization_creates_every_customer_as_an_account(
    fresh: Engine,
) -> None:
    fresh.accept()

    counts = fresh.sync()

    assert counts["to_sales"] == {"records_read": 8, "inserted": 8}
    assert len(fresh.accounts) == 8
    assert in_step(fresh)
    assert not SyncError.objects.exists()


def test_a_company_in_step_is_read_and_not_written(engine: Engine) -> None:
    mark = engine.asked()

    counts = engine.sync("CUSTOMER")

    assert not engine.writes(mark)
    assert counts["to_sales"] == {}
    read = [one["path"].partition("?")[0] for one in engine.since(mark)]
    assert [path for path in read if path.endswith("/accounts")] == [read[-1]]
    assert sum(path.endswith("/customers") for path in read) == 1


def test_our_own_writes_do_not_come_back(engine: Engine) -> None:
    bc, _ = engine.pair()
    engine.change(bc, phoneNumber="+41 21 000 00 00")
    engine.sync("CUSTOMER")
    mark = engine.asked()

    counts = engine.sync("CUSTOMER")

    assert not engine.writes(mark)
    assert counts["to_business_central"] == {"records_read": 1, "unchanged": 1}


def test_a_change_here_goes_there_with_only_its_column(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, city="Genève")

    counts = engine.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 1, "modified": 1}
    assert sales.values["address1_city"] == "Genève"


def test_a_change_there_comes_here(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(sales, emailaddress1="neu@example.ch")

    counts = engine.sync("CUSTOMER")

    assert counts["to_business_central"] == {"records_read": 1, "modified": 1}
    assert bc.values["email"] == "neu@example.ch"


def test_a_blank_clears_the_other_side(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(sales, address1_line1=None)

    engine.sync("CUSTOMER")

    assert bc.values["addressLine1"] == ""


def test_a_column_that_is_not_mapped_is_no_change(engine: Engine) -> None:
    _, sales = engine.pair()
    engine.change(sales, description="a note")
    mark = engine.asked()

    counts = engine.sync("CUSTOMER")

    assert counts["to_business_central"] == {"records_read": 1, "unchanged": 1}
    assert not engine.writes(mark)


@pytest.mark.parametrize(
    ("here", "there"),
    [({"city": "A"}, {"address1_city": "B"}), ({"city": "A"}, {"telephone1": "1"})],
    ids=["same field", "other field"],
)
def test_edits_on_both_sides_are_a_conflict(
    engine: Engine, here: dict[str, Any], there: dict[str, Any]
) -> None:
    bc, sales = engine.pair()
    engine.change(bc, **here)
    engine.change(sales, **there)
    mark = engine.asked()

    counts = engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert (error.direction, error.record_key) == ("to_sales", bc.id)
    assert counts["to_sales"] == {"records_read": 1, "failed": 1}
    assert counts["to_business_central"] == {"records_read": 1, "skipped": 1}
    assert not engine.writes(mark)


def test_a_conflict_is_told_once_and_ends_when_both_are_equal(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, city="A")
    engine.change(sales, address1_city="B")
    engine.sync("CUSTOMER")
    engine.sync("CUSTOMER")
    [error] = engine.errors()
    assert error.occurrences == 1

    engine.change(sales, address1_city="A")
    engine.sync("CUSTOMER")

    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_a_conflict_ends_when_one_side_takes_its_edit_back(engine: Engine) -> None:
    bc, sales = engine.pair()
    before = bc.values["city"]
    engine.change(bc, city="A")
    engine.change(sales, telephone1="1")
    engine.sync("CUSTOMER")

    engine.change(bc, city=before)
    engine.sync("CUSTOMER")

    assert not engine.errors()
    assert bc.values["phoneNumber"] == "1"


def test_the_same_edit_on_both_sides_is_no_conflict(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, city="Nyon")
    engine.change(sales, address1_city="Nyon")
    mark = engine.asked()

    counts = engine.sync("CUSTOMER")

    assert not engine.writes(mark)
    assert counts["to_sales"] == {"records_read": 1, "unchanged": 1}
    assert not engine.errors()


def test_a_new_account_becomes_a_customer_and_gets_its_number(engine: Engine) -> None:
    engine.add_account(
        "Zażółć gęślą jaźń", address1_city="Łódź", emailaddress1="a@b.pl"
    )

    counts = engine.sync("CUSTOMER")

    [made] = engine.customers.find("displayName", "Zażółć gęślą jaźń")
    assert made.values["city"] == "Łódź"
    assert counts["to_business_central"]["inserted"] == 1
    assert in_step(engine)
    mark = engine.asked()
    engine.sync("CUSTOMER")
    assert not engine.writes(mark)


def test_a_record_outside_the_filter_is_left_alone(engine: Engine) -> None:
    engine.add_customer("200001", blocked="All")
    engine.add_account("a supplier", customertypecode=11)

    counts = engine.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 1, "filtered_out": 1}
    assert counts["to_business_central"] == {"records_read": 1, "filtered_out": 1}


def test_a_coupled_record_that_leaves_the_filter_is_no_deletion(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, blocked="All", city="Bern")

    counts = engine.sync("CUSTOMER")
    assert counts["to_sales"] == {"records_read": 1, "filtered_out": 1}

    engine.change(bc, blocked=" ")
    engine.sync("CUSTOMER")
    assert sales.values["address1_city"] == "Bern"


def _lose_to_business_central(engine: Engine) -> tuple[Live, Live]:
    """By the mapping's rule Sales is to be overwritten: the number it has, too."""
    bc, sales = engine.pair()
    rule = ConflictRule.BUSINESS_CENTRAL
    engine.connection.mappings.update(update_conflict=rule)
    engine.change(sales, telephone1="777")
    return bc, sales


def test_who_lost_by_a_rule_is_written_over_when_the_winner_could_not_be_at_once(
    engine: Engine,
) -> None:
    bc, sales = _lose_to_business_central(engine)
    engine.change(bc, website="x" * 210)
    engine.sync("CUSTOMER")
    assert sales.values["telephone1"] == "777"

    engine.change(bc, website="short.example")
    engine.sync("CUSTOMER")

    assert sales.values["telephone1"] == bc.values["phoneNumber"] != "777"
    assert in_step(engine)
    assert not engine.errors()


def test_who_lost_by_a_rule_in_a_run_of_the_other_direction_is_written_over_later(
    engine: Engine,
) -> None:
    bc, sales = _lose_to_business_central(engine)
    engine.change(bc, city="Bern")

    engine.sync("CUSTOMER", directions=[Direction.TO_BUSINESS_CENTRAL])
    assert sales.values["telephone1"] == "777"
    engine.sync("CUSTOMER")

    assert sales.values["telephone1"] == bc.values["phoneNumber"] != "777"
    assert in_step(engine)


def test_who_loses_by_a_rule_to_an_edit_beside_the_run_is_written_over_at_once(
    engine: Engine,
) -> None:
    bc, sales = _lose_to_business_central(engine)
    engine.bc = Meanwhile(engine.bc, lambda: engine.change(bc, city="Bern"))

    engine.sync("CUSTOMER")

    assert sales.values["telephone1"] == bc.values["phoneNumber"] != "777"
    assert sales.values["address1_city"] == "Bern"
    assert in_step(engine)


def test_a_refused_record_stops_no_other(engine: Engine) -> None:
    bc, _ = engine.pair()
    other, there = engine.pair("100002")
    engine.change(bc, website="x" * 210)
    engine.change(other, city="Biel")

    counts = engine.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 2, "modified": 1, "failed": 1}
    assert there.values["address1_city"] == "Biel"
    [error] = engine.errors()
    assert error.record_key == bc.id
    assert error.values
    assert error.values["business_central"]["website"] == "x" * 210


def test_a_failed_version_is_not_tried_before_its_time(engine: Engine) -> None:
    bc, _ = engine.pair()
    engine.change(bc, website="x" * 210)
    engine.sync("CUSTOMER")
    mark = engine.asked()

    counts = engine.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 1, "skipped": 1}
    assert not engine.writes(mark)


def test_a_failed_record_heals_when_it_is_corrected(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, website="x" * 210)
    engine.sync("CUSTOMER")

    engine.change(bc, website="short.example")
    engine.sync("CUSTOMER")

    assert sales.values["websiteurl"] == "short.example"
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


@pytest.mark.parametrize("side", ["bc", "sales"])
def test_what_was_renamed_and_healed_is_called_and_found_by_its_new_name(
    engine: Engine, side: str
) -> None:
    bc, sales = engine.pair()
    record, name, other = (
        (bc, "displayName", "website")
        if side == "bc"
        else (sales, "name", "telephone1")
    )
    engine.change(record, **{other: "x" * 201})
    engine.sync("CUSTOMER")
    [error] = engine.errors()

    engine.change(record, **{other: "", name: "New here"})
    engine.sync("CUSTOMER")

    error.refresh_from_db()
    assert error.settled_reason == "resolved"
    assert (error.bc_name, error.sales_name) == ("New here", "New here")
    assert "NEW HERE" in error.record_label
    assert error.bc_number == "100001"
    assert searchable("New here") in error.search_text


@pytest.mark.parametrize("way", [*Direction])
def test_a_conflict_that_ends_is_called_by_its_new_name_whichever_job_finds_it(
    engine: Engine, way: Direction
) -> None:
    bc, sales = engine.pair()
    engine.change(bc, phoneNumber="1")
    engine.change(sales, telephone1="2")
    engine.sync("CUSTOMER")
    [error] = engine.errors()

    engine.change(bc, displayName="New here")
    engine.change(sales, telephone1="1", name="New here")
    engine.sync("CUSTOMER", directions=[way])

    error.refresh_from_db()
    assert error.settled_reason == "resolved"
    assert (error.bc_name, error.sales_name) == ("New here", "New here")
    assert searchable("New here") in error.search_text


def test_a_due_record_is_tried_though_nothing_changed(engine: Engine) -> None:
    bc, _ = engine.pair()
    engine.change(bc, website="x" * 210)
    engine.sync("CUSTOMER")
    engine.make_due()

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.occurrences == 2
    assert PendingRecord.objects.get().attempts == 2


def test_a_run_of_some_records_reads_no_other(engine: Engine) -> None:
    bc, sales = engine.pair()
    other, untouched = engine.pair("100002")
    engine.change(bc, city="A")
    engine.change(other, city="B")

    engine.sync("CUSTOMER", only=[("business_central", bc.id)])

    assert sales.values["address1_city"] == "A"
    assert untouched.values["address1_city"] != "B"
    engine.sync("CUSTOMER")
    assert untouched.values["address1_city"] == "B"


def test_a_rehearsal_counts_and_leaves_nothing_behind(engine: Engine) -> None:
    bc, sales = engine.pair()
    before = dict(sales.values)
    engine.change(bc, city="A")
    engine.add_customer("300001")
    cursor = engine.mapping().bc_cursor
    mark = engine.asked()

    counts = engine.rehearse()

    assert counts["to_sales"] == {"records_read": 2, "modified": 1, "inserted": 1}
    assert not engine.writes(mark)
    assert sales.values == before
    assert engine.mapping().bc_cursor == cursor


def test_a_run_in_one_direction_loses_nothing_of_the_other(engine: Engine) -> None:
    bc, sales = engine.pair()
    other, there = engine.pair("100002")
    engine.change(sales, address1_city="A")
    engine.change(other, city="B")

    engine.sync("CUSTOMER", directions=["to_sales"])

    assert there.values["address1_city"] == "B"
    assert bc.values["city"] != "A"
    engine.sync("CUSTOMER")
    assert bc.values["city"] == "A"


def test_an_expired_delta_link_reads_everything_and_finds_deletions(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.accounts.delete(sales.id)
    mapping = engine.mapping()
    mapping.sales_cursor = mapping.sales_cursor.replace("deltatoken=", "deltatoken=x")
    mapping.save()

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert (error.record_key, error.sales_presence) == (bc.id, "deleted")


def test_an_account_deleted_in_sales_is_an_error_of_its_customer(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.accounts.delete(sales.id)

    counts = engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert (error.direction, error.record_key) == ("to_sales", bc.id)
    assert error.sales_deleted_at
    assert error.problem.article == "record-deleted-sales"
    assert counts["to_sales"] == {"records_read": 1, "failed": 1}
    assert error.values
    assert error.values["business_central"] == error.values["last"]


def test_what_lost_its_partner_is_counted_once_in_a_full_run(engine: Engine) -> None:
    _, sales = engine.pair()
    engine.accounts.delete(sales.id)

    counts = engine.sync("CUSTOMER", full=True)

    assert counts["to_sales"] == {"records_read": 8, "unchanged": 7, "failed": 1}


def test_what_lost_its_partner_is_told_by_the_number_it_has_now(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.accounts.delete(sales.id)
    engine.change(bc, number="777")

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.bc_number == "777"


def test_a_number_that_is_not_carried_over_is_known_all_the_same(
    engine: Engine,
) -> None:
    """Else the link from its coupling would open nothing."""
    bc, sales = engine.pair()
    engine.mapping().fields.filter(bc_field="number").delete()
    engine.change(bc, city="Sion")
    engine.sync("CUSTOMER")
    engine.change(bc, number="777")

    engine.sync("CUSTOMER")

    assert Coupling.objects.get(sales_id=sales.id).bc_number == "777"


def test_a_conflict_is_told_by_the_number_that_the_customer_has_now(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.change(bc, number="777", city="Sion")
    engine.change(sales, address1_city="Sierre")

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.bc_number == "777"


def test_a_customer_deleted_here_is_found_by_a_full_run(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.customers.delete(bc.id)
    engine.sync("CUSTOMER")
    assert not engine.errors()

    engine.sync("CUSTOMER", full=True)

    [error] = engine.errors()
    assert (error.direction, error.record_key) == ("to_business_central", sales.id)
    assert error.bc_presence == "deleted"


def test_a_pair_deleted_on_both_sides_ends(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.accounts.delete(sales.id)
    engine.sync("CUSTOMER")
    engine.customers.delete(bc.id)
    engine.make_due()

    engine.sync("CUSTOMER")

    row = SyncError.objects.get(record_key=bc.id)
    assert row.settled_reason == "both_deleted"
    assert not Coupling.objects.filter(bc_id=bc.id).exists()
    assert not PendingRecord.objects.exists()


def test_a_change_of_a_customer_whose_account_is_gone_stays_one_error(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.accounts.delete(sales.id)
    engine.sync("CUSTOMER")

    engine.change(bc, city="A")
    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.occurrences == 2


def test_a_rehearsal_sees_a_deletion_and_records_nothing(engine: Engine) -> None:
    _, sales = engine.pair()
    engine.accounts.delete(sales.id)

    counts = engine.rehearse()

    assert counts["to_sales"] == {"records_read": 1, "failed": 1}
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_a_rehearsal_ends_a_pair_that_both_sides_have_lost_once(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.customers.delete(bc.id)
    engine.accounts.delete(sales.id)
    TableMapping.objects.update(scanned_at=None)

    planned = engine.rehearse()

    engine.mapping().couplings.get(bc_id=bc.id)
    assert planned == engine.sync("CUSTOMER")


def test_an_account_that_goes_just_before_it_is_written_is_told_as_deleted(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.change(bc, city="A")
    engine.sales = Meanwhile(engine.sales, lambda: engine.accounts.delete(sales.id))

    engine.sync("CUSTOMER")

    assert engine.articles() == ["record-deleted-sales"]


def test_an_account_deleted_and_made_again_goes_on(engine: Engine) -> None:
    bc, sales = engine.pair()
    values = dict(sales.values)
    engine.accounts.delete(sales.id)
    engine.sync("CUSTOMER")

    engine.accounts.insert(values, sales.id)
    engine.sync("CUSTOMER")

    assert not engine.errors()
    engine.change(bc, city="A")
    engine.sync("CUSTOMER")
    again = engine.accounts.get(sales.id)
    assert again
    assert again.values["address1_city"] == "A"


def test_what_changed_long_ago_is_not_read_again_and_again(engine: Engine) -> None:
    bc, _ = engine.pair()
    engine.change(bc, city="A")
    engine.sync("CUSTOMER")
    engine.systems.store.move_clock(360)
    engine.sync("CUSTOMER")  # Something else could have been stamped as early.

    assert not engine.sync("CUSTOMER")["to_sales"]


def test_a_worker_that_lost_its_run_moves_no_cursor(engine: Engine) -> None:
    bc, _ = engine.pair()
    engine.change(bc, city="A")
    cursor = engine.mapping().bc_cursor
    run = engine.claim()
    Job.objects.filter(run=run.id).update(attempt=run.attempt + 1)

    with pytest.raises(RunLost):
        run_mapping(run, engine.bc, engine.sales)

    assert engine.mapping().bc_cursor == cursor


def test_a_blocked_partner_still_gets_what_changed_there(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, blocked="All")
    engine.sync("CUSTOMER")

    engine.change(sales, address1_city="A")
    engine.sync("CUSTOMER")

    assert bc.values["city"] == "A"


def test_a_deletion_met_by_a_run_of_the_other_direction_is_told_by_the_next(
    engine: Engine,
) -> None:
    _, there = engine.pair()
    there.table.delete(there.id)
    engine.sync("CUSTOMER", directions=["to_business_central"])
    assert not engine.errors()

    engine.sync("CUSTOMER")

    assert engine.articles() == ["record-deleted-sales"]


def test_a_deletion_here_met_by_a_run_of_the_other_direction_is_told_by_the_next(
    engine: Engine,
) -> None:
    here, _ = engine.pair()
    here.table.delete(here.id)
    engine.sync("CUSTOMER", directions=["to_sales"], full=True)
    assert not engine.errors()

    engine.sync("CUSTOMER")

    assert engine.articles() == ["record-deleted-bc"]


def test_a_conflict_met_by_a_run_of_the_other_direction_is_told_by_the_next(
    engine: Engine,
) -> None:
    here, there = engine.pair()
    engine.change(here, city="Bern")
    engine.change(there, address1_city="Biel")
    engine.sync("CUSTOMER", directions=["to_business_central"])

    engine.sync("CUSTOMER")

    assert engine.articles() == ["conflict-both-changed"]
    assert (here.values["city"], there.values["address1_city"]) == ("Bern", "Biel")


def test_a_conflict_names_only_what_both_sides_changed(engine: Engine) -> None:
    here, there = engine.pair()
    engine.change(here, city="Bern", phoneNumber="1")
    engine.change(there, address1_city="Biel", websiteurl="there.example.com")

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.problem.params == {"fields": "city"}
    assert error.message.endswith("last in step: city.")


def test_a_conflict_over_different_fields_names_none(engine: Engine) -> None:
    """Each was changed on one side only; the page shows which differ."""
    here, there = engine.pair()
    engine.change(here, city="Bern")
    engine.change(there, websiteurl="there.example.com")

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert (error.problem.article, error.problem.params) == (
        "conflict-both-changed",
        {},
    )
    assert error.problem.title == "Changed on both sides"
    assert error.message.endswith("last in step, each in other fields.")


def test_a_run_in_one_direction_keeps_what_is_pending_in_the_other(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.change(bc, website="x" * 210)
    engine.sync("CUSTOMER")
    engine.change(sales, address1_city=sales.values["address1_city"], description="n")
    engine.make_due()

    engine.sync("CUSTOMER", directions=["to_business_central"])

    assert PendingRecord.objects.filter(record_id=bc.id).exists()


def test_text_that_no_database_keeps_does_not_stop_a_run(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.change(bc, displayName="Nul\0 & whole")

    engine.sync("CUSTOMER")

    assert sales.values["name"] == "Nul\ufffd & whole"


def test_deletions_here_are_looked_for_every_hour(engine: Engine) -> None:
    bc, sales = engine.pair()
    engine.customers.delete(bc.id)
    mapping = engine.mapping()
    before = mapping.scanned_at
    assert before
    engine.sync("CUSTOMER")
    assert not engine.errors()
    mapping.scanned_at = before - timedelta(minutes=61)
    mapping.save()

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.record_key == sales.id
    after = engine.mapping().scanned_at
    assert after
    assert after > before


def test_a_clock_that_was_set_back_does_not_put_the_look_for_deletions_off(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    mapping = engine.mapping()
    mapping.scanned_at = clock.now() + timedelta(hours=5)
    mapping.save()
    engine.customers.delete(bc.id)

    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.record_key == sales.id


def test_what_one_way_left_behind_goes_over_when_the_field_goes_both_ways_again(
    engine: Engine,
) -> None:
    customer, account = engine.pair()
    change_mapping(engine.mapping(), "test", "One.", fields={"city": "to_sales"})
    engine.change(account, address1_city="Vevey")
    engine.sync("CUSTOMER")
    assert customer.values["city"] != "Vevey"

    change_mapping(engine.mapping(), "test", "Both.", fields={"city": "both"})
    engine.sync("CUSTOMER")

    assert customer.values["city"] == "Vevey"
    assert in_step(engine)


@pytest.mark.parametrize("city", ["", "Third"])
@pytest.mark.parametrize("rule", ["one way", "merge"])
def test_what_changes_again_between_the_two_writes_of_a_pair_is_not_lost(
    engine: Engine, rule: str, city: str
) -> None:
    """Back to what it was, or to something else, after Sales has got the first."""
    customer, account = engine.pair()
    engine.change(customer, city="")
    if rule == "one way":
        change_mapping(engine.mapping(), "test", "One.", fields={"city": "to_sales"})
    else:
        engine.connection.mappings.update(update_conflict=ConflictRule.MERGE)
    engine.sync("CUSTOMER")
    engine.change(customer, city="First")
    engine.change(account, telephone1="777")
    bc = engine.bc
    engine.bc = Meanwhile(bc, lambda: engine.change(customer, city=city))

    engine.sync("CUSTOMER")
    engine.bc = bc
    engine.sync("CUSTOMER")

    assert customer.values["city"] == (account.values["address1_city"] or "") == city
    assert customer.values["phoneNumber"] == account.values["telephone1"] == "777"
    assert not engine.errors()
    assert in_step(engine)
