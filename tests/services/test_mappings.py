"""Standard mappings become rows, and rows become values."""

import pytest

from integration.choices import JobState
from integration.core.records import Direction, System
from integration.core.values import ValueKind
from integration.models import FieldMapping, Job, PendingRecord
from integration.services.mappings import (
    MappingInvalid,
    change_mapping,
    create_standard_mappings,
    load_table_map,
)
from integration.services.runs import RunLost, claim, log_outcomes, start_run
from tests.factories import make_connection

pytestmark = pytest.mark.django_db


def test_the_standard_mappings_come_in_the_order_of_their_dependencies() -> None:
    currency, customer = create_standard_mappings(make_connection(), 60)

    assert (currency.name, customer.name) == ("CURRENCY", "CUSTOMER")
    assert list(customer.depends_on.all()) == [currency]
    assert currency.direction == "to_sales"
    assert customer.direction == "both"
    assert customer.interval_seconds == 60
    assert customer.reviewed_at is None


def test_rows_become_a_value() -> None:
    _, customer = create_standard_mappings(make_connection())

    table = load_table_map(customer)

    assert table.ways == frozenset(Direction)
    assert table.field("country").kind is ValueKind.CODE
    assert table.field("number").ways == {Direction.TO_SALES}
    assert table.field("currencyCode").lookup_table == "transactioncurrencies"
    assert [f.sales for f in table.fields if not f.bc] == ["customertypecode"]
    assert "customertypecode" in table.columns(System.SALES)
    assert "blocked" in table.columns(System.BUSINESS_CENTRAL)


def test_the_code_of_a_currency_is_written_on_creation_only() -> None:
    currency, _ = create_standard_mappings(make_connection())

    table = load_table_map(currency)

    assert table.field("code").create_only
    assert table.field("exchangeRate").is_virtual
    assert table.field("symbol").default_from == "code"


def test_a_lookup_without_its_mapping_is_refused() -> None:
    currency, customer = create_standard_mappings(make_connection())
    currency.delete()

    with pytest.raises(MappingInvalid, match="no such mapping"):
        load_table_map(customer)


def test_a_filter_that_says_nothing_is_refused() -> None:
    _, customer = create_standard_mappings(make_connection())
    customer.bc_filter = [{"field": "blocked", "op": "like", "value": "x"}]

    with pytest.raises(MappingInvalid, match="says nothing"):
        load_table_map(customer)


def test_a_mapping_without_fields_is_refused() -> None:
    _, customer = create_standard_mappings(make_connection())
    FieldMapping.objects.filter(mapping=customer).delete()

    with pytest.raises(MappingInvalid, match="maps no field"):
        load_table_map(customer)


def test_a_field_that_travels_against_its_mapping_is_refused() -> None:
    currency, _ = create_standard_mappings(make_connection())
    currency.fields.filter(bc_field="symbol").update(direction="both")

    with pytest.raises(MappingInvalid, match="symbol travels"):
        load_table_map(currency)


def test_a_changed_mapping_reads_everything_again_and_tries_what_failed() -> None:
    _, customer = create_standard_mappings(make_connection())
    customer.bc_cursor = customer.sales_cursor = "somewhere"
    customer.save()
    PendingRecord.objects.create(
        mapping=customer, side="sales", record_id="1", attempts=4, skip_reason="Gave up"
    )

    operation = change_mapping(
        customer, "Marc", "No cities.", fields={"city": "to_sales"}, only_coupled=True
    )

    assert (customer.bc_cursor, customer.sales_cursor) == ("", "")
    row = PendingRecord.objects.get()
    assert (row.attempts, row.skip_reason) == (0, "")
    assert row.next_attempt_at
    table = load_table_map(customer)
    assert table.only_coupled
    assert table.field("city").ways == {Direction.TO_SALES}
    assert (operation.by_name, operation.reason) == ("Marc", "No cities.")


def test_a_change_that_contradicts_itself_changes_nothing() -> None:
    currency, _ = create_standard_mappings(make_connection())

    with pytest.raises(MappingInvalid, match="symbol travels"):
        change_mapping(currency, "Marc", "Try.", fields={"symbol": "both"})

    assert currency.fields.get(bc_field="symbol").direction == "to_sales"


def test_a_run_on_its_way_starts_anew_with_the_changed_mapping() -> None:
    _, customer = create_standard_mappings(make_connection())
    run_id = start_run(customer)
    assert run_id
    run = claim(run_id, "worker")
    assert run

    change_mapping(customer, "Marc", "All of them.", bc_filter=[])

    with pytest.raises(RunLost):
        log_outcomes(run, [])
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.QUEUED}
