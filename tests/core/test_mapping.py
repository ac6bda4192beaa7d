"""A mapping knows what to ask for, and what leaves each side."""

from dataclasses import replace
from typing import Any

import pytest

from integration.core.mapping import References, hash_of
from integration.core.records import Record, System
from tests.core.tables import CURRENCY, CUSTOMER

EUR = "0a0a0a0a-0000-0000-0000-000000000001"
REFERENCES = {"CURRENCY": References({"EUR": EUR, "CHF": "base"}, {EUR: "EUR"}, "CHF")}


def record(**values: Any) -> Record:
    return Record("1", "e", None, values)


def test_columns_are_asked_for_once_and_virtual_ones_not_at_all() -> None:
    assert CURRENCY.columns(System.BUSINESS_CENTRAL) == (
        "code",
        "symbol",
        "displayName",
    )
    assert "_transactioncurrencyid_value" in CUSTOMER.columns(System.SALES)
    assert "statecode" in CUSTOMER.columns(System.SALES)


def test_a_hash_holds_only_what_leaves_its_side() -> None:
    values = {"number": "C1", "displayName": "A"}
    renumbered = {**values, "number": "C2"}

    assert hash_of(CUSTOMER, System.SALES, values) == hash_of(
        CUSTOMER, System.SALES, renumbered
    )
    assert hash_of(CUSTOMER, System.BUSINESS_CENTRAL, values) != hash_of(
        CUSTOMER, System.BUSINESS_CENTRAL, renumbered
    )


def test_an_unknown_field_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        replace(CUSTOMER).field("nothing")
