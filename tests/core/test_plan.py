"""What goes out for a creation and for an update."""

from decimal import Decimal
from uuid import UUID, uuid5

from integration.core.mapping import References
from integration.core.plan import Missing, creation, sales_key, update
from integration.core.records import Direction
from tests.core.tables import CURRENCY, CUSTOMER

_KEYS = UUID("9e0f5a0c-6a1a-5d6e-9a52-2c1f7c0f4d10")
REFERENCES = {"CURRENCY": References({"EUR": "e1"}, {"e1": "EUR"}, "CHF")}
VALUES = {"number": "C1", "displayName": "A", "email": "", "currencyCode": "EUR"}


def test_a_new_account_carries_values_constants_and_a_bound_currency() -> None:
    found = creation(CUSTOMER, Direction.TO_SALES, VALUES, REFERENCES)

    assert found == {
        "accountnumber": "C1",
        "name": "A",
        "transactioncurrencyid@odata.bind": "/transactioncurrencies(e1)",
        "customertypecode": 3,
    }


def test_a_new_customer_brings_no_number() -> None:
    found = creation(CUSTOMER, Direction.TO_BUSINESS_CENTRAL, VALUES, REFERENCES)

    assert found == {"displayName": "A", "currencyCode": "EUR"}


def test_a_blank_is_null_there_and_an_empty_text_here() -> None:
    names = ("email",)

    there = update(CUSTOMER, Direction.TO_SALES, VALUES, names, REFERENCES)
    here = update(CUSTOMER, Direction.TO_BUSINESS_CENTRAL, VALUES, names, REFERENCES)

    assert there == {"emailaddress1": None}
    assert here == {"email": ""}


def test_an_uncoupled_currency_is_waited_for_on_both_ways() -> None:
    values = {"currencyCode": "USD"}

    for way in Direction:
        found = update(CUSTOMER, way, values, ("currencyCode",), REFERENCES)
        assert isinstance(found, Missing)
        assert found.waits_for == "CURRENCY:USD"


def test_a_rate_goes_out_as_a_decimal() -> None:
    values = {"exchangeRate": "1.0526315789"}

    found = update(CURRENCY, Direction.TO_SALES, values, ("exchangeRate",), {})

    assert found == {"exchangerate": Decimal("1.0526315789")}


def test_the_key_of_a_new_sales_record_never_changes() -> None:
    assert sales_key(CUSTOMER, "1") == sales_key(CUSTOMER, "1")
    assert sales_key(CUSTOMER, "1") != sales_key(CURRENCY, "1")
    assert sales_key(CUSTOMER, "ü") == str(uuid5(_KEYS, "accounts:ü"))
