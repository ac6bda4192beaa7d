"""Standard mappings become rows, and rows become values."""

import pytest

from integration.core.records import Direction, System
from integration.core.values import ValueKind
from integration.models import FieldMapping
from integration.services.mappings import (
    MappingInvalid,
    create_standard_mappings,
    load_table_map,
)
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
