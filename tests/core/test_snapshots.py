"""A record of either side becomes the same values."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from integration.core.mapping import Condition, References, TableMap
from integration.core.plan import creation
from integration.core.records import Direction, Record, System
from integration.core.snapshots import Snapshot, as_sent, passing, snapshots
from tests.core.tables import CURRENCY, CUSTOMER, TO_BC

EUR = "0a0a0a0a-0000-0000-0000-000000000001"
REFERENCES = {"CURRENCY": References({"EUR": EUR, "CHF": "base"}, {EUR: "EUR"}, "CHF")}


def record(**values: Any) -> Record:
    return Record("1", "e", None, values)


def snapshot(
    table: TableMap, system: System, one: Record, known: dict[str, References]
) -> Snapshot:
    [found] = snapshots(table, system, [one], known)
    return found


def test_both_sides_of_a_pair_in_step_give_the_same_values() -> None:
    here = record(number="C1", displayName="Ä", postalCode="8000", currencyCode="EUR")
    there = record(
        accountnumber="C1",
        name="Ä",
        address1_postalcode="8000",
        emailaddress1=None,
        _transactioncurrencyid_value=EUR.upper(),
    )

    one = snapshot(CUSTOMER, System.BUSINESS_CENTRAL, here, REFERENCES)
    other = snapshot(CUSTOMER, System.SALES, there, REFERENCES)

    assert one.values == other.values
    assert (one.number, one.name) == (other.number, other.name) == ("C1", "Ä")


@pytest.mark.parametrize("system", list(System))
def test_a_record_stands_the_same_among_others(system: System) -> None:
    """What is looked at as a column says of each what it would say alone."""
    named = dict.fromkeys(CUSTOMER.columns(system), "")
    rows = [
        record(**named),
        record(**dict.fromkeys(named)),
        record(**{name: f" {name[:9]}ß " for name in named}),
        record(**{name: ["a list"] for name in named}),
        record(blocked="All", statecode=1, customertypecode=3),
        record(blocked="_x0020_", statecode=0, customertypecode=3),
        record(),
    ]

    found = snapshots(CUSTOMER, system, rows, REFERENCES)

    assert found == [snapshot(CUSTOMER, system, one, REFERENCES) for one in rows]
    assert len({one.check for one in found}) > 2
    assert snapshots(CUSTOMER, system, [], REFERENCES) == []


def test_a_blank_currency_is_the_local_one() -> None:
    found = snapshot(CUSTOMER, System.SALES, record(), REFERENCES)

    assert found.values["currencyCode"] == "CHF"


def test_a_currency_nobody_knows_equals_only_itself() -> None:
    values = {"_transactioncurrencyid_value": "ffff"}

    found = snapshot(CUSTOMER, System.SALES, record(**values), REFERENCES)

    assert found.values["currencyCode"] == "FFFF"


def test_a_computed_value_that_is_not_there_is_left_out() -> None:
    row = record(code="EUR")

    found = snapshot(CURRENCY, System.BUSINESS_CENTRAL, row, {})

    assert found.values == {"code": "EUR", "symbol": "EUR"}


def test_a_computed_value_is_read_from_its_column_there() -> None:
    row = record(isocurrencycode="EUR", exchangerate=Decimal("0.95"))

    found = snapshot(CURRENCY, System.SALES, row, {})

    assert found.values["exchangeRate"] == "0.95"


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        (Condition("blocked", "eq", ""), "_x0020_", True),
        (Condition("blocked", "eq", ""), " ", True),
        (Condition("blocked", "eq", ""), "All", False),
        (Condition("blocked", "ne", "All"), "Ship", True),
        (Condition("blocked", "in", ["", "Ship"]), "Ship", True),
        (Condition("blocked", "in", ["", "Ship"]), "All", False),
    ],
)
def test_a_filter_judges_blanks_in_every_form(
    condition: Condition, value: str, holds: bool
) -> None:
    assert passing((condition,), [{"blocked": value}]) == [holds]


@pytest.mark.parametrize(
    "read",
    [
        {"number": "c1", "displayName": " Näf ", "postalCode": "8001 ", "email": "a@b"},
        {"number": "C2", "displayName": "Näf", "currencyCode": "eur"},
        {"number": "C3", "displayName": "_x0020_", "currencyCode": "CHF"},
        {},
    ],
)
@pytest.mark.parametrize("ways", [frozenset(Direction), TO_BC])
def test_what_was_sent_stands_as_if_it_had_been_read(
    ways: frozenset[Direction], read: dict[str, str]
) -> None:
    fields = (*CUSTOMER.fields[:2], replace(CUSTOMER.fields[3], ways=ways))
    table = replace(CUSTOMER, fields=(*fields, *CUSTOMER.fields[4:]))
    known = {"CURRENCY": References({"EUR": "e1", "CHF": "f1"}, {"e1": "EUR"}, "CHF")}
    one = Record("1", "etag", None, read)
    source = snapshot(table, System.BUSINESS_CENTRAL, one, known)
    columns = creation(table, Direction.TO_SALES, source.values, known)
    assert isinstance(columns, dict)
    target = str(columns.pop("transactioncurrencyid@odata.bind", ""))
    if target:
        columns["_transactioncurrencyid_value"] = target.split("(")[1].rstrip(")")
    sent = Record("2", "", None, columns)

    [found] = as_sent(table, [source], [sent], known)

    assert found == snapshot(table, System.SALES, sent, known)


def test_a_currency_that_was_not_sent_stands_as_the_local_one() -> None:
    """As it is read: what Sales gets none of has that of the environment."""
    table = replace(
        CUSTOMER,
        fields=tuple(
            replace(mapped, ways=TO_BC) if mapped.lookup else mapped
            for mapped in CUSTOMER.fields
        ),
    )
    one = Record("1", "etag", None, {"number": "C1", "currencyCode": "CHF"})
    source = snapshot(table, System.BUSINESS_CENTRAL, one, REFERENCES)
    sent = Record("2", "", None, {"accountnumber": "C1"})

    [found] = as_sent(table, [source], [sent], REFERENCES)

    assert found == snapshot(table, System.SALES, sent, REFERENCES)
    assert found.values["currencyCode"] == "CHF"


def test_what_is_computed_is_not_taken_for_sent() -> None:
    source = Snapshot("1", "etag", None, {"code": "EUR", "exchangeRate": "1.1"})
    sent = Record("2", "", None, {"isocurrencycode": "EUR"})

    [found] = as_sent(CURRENCY, [source], [sent], {})

    assert "exchangeRate" not in found.values
