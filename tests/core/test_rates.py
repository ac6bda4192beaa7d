"""The rate rule of protocols §3.3."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from integration.core.outcomes import Finding
from integration.core.rates import Rates, newest_rates

TODAY = date(2026, 11, 22)
NO_RATE = "bc-currency-no-exchange-rate"


def row(
    code: str,
    amount: object = 100,
    relational: object = 50,
    start: str = "2026-01-01",
    through: str = "",
) -> dict[str, Any]:
    return {
        "currencyCode": code,
        "startingDate": start,
        "exchangeRateAmount": amount,
        "relationalExchangeRateAmount": relational,
        "relationalCurrencyCode": through,
    }


def rates(
    *rows: dict[str, Any], base: str = "CHF", known: frozenset[str] = frozenset()
) -> Rates:
    newest, future = newest_rates(rows, TODAY)
    return Rates("CHF", base, newest, future, known)


def article(found: Decimal | Finding) -> str:
    assert isinstance(found, Finding)
    return found.article


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (rates(row("EUR", 100, Decimal("95"))), "1.0526315789"),
        (rates(row("EUR", 100, Decimal("95.123"))), "1.0512704604"),
        (rates(row("JPY", 100, Decimal("0.5"))), "200"),
    ],
)
def test_a_rate_counts_units_for_one_of_the_base(found: Rates, expected: str) -> None:
    code = next(iter(found.rows))

    assert found.exchange_rate(code) == Decimal(expected)


def test_another_base_divides() -> None:
    found = rates(row("EUR", 1, 2), row("USD", 1, 4), base="USD")

    assert found.exchange_rate("EUR") == Decimal(2)
    assert found.exchange_rate("CHF") == Decimal(4)


def test_a_rate_through_another_currency_takes_one_step() -> None:
    found = rates(row("DKK", 2, 1, through="EUR"), row("EUR", 3, 1))

    assert found.exchange_rate("DKK") == Decimal(6)


def test_two_steps_are_one_too_many() -> None:
    found = rates(
        row("A", 1, 1, through="B"), row("B", 1, 1, through="C"), row("C", 1, 1)
    )

    assert article(found.exchange_rate("A")) == "bc-currency-no-exchange-rate"


def test_the_newest_row_that_has_started_counts() -> None:
    found = rates(
        row("EUR", 1, 1, "2026-01-01"),
        row("EUR", 2, 1, "2026-11-22"),
        row("EUR", 9, 1, "2026-11-23"),
        row("EUR", 5, 1, "2025-01-01"),
    )

    assert found.exchange_rate("EUR") == Decimal(2)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (rates(), "no exchange rate is defined"),
        (rates(row("EUR", start="2027-01-01")), "start later"),
        (rates(row("EUR", 0)), "is 0"),
        (rates(row("EUR", 100, 0)), "is 0"),
    ],
)
def test_a_missing_rate_is_a_finding(found: Rates, why: str) -> None:
    finding = found.exchange_rate("EUR")

    assert isinstance(finding, Finding)
    assert finding.article == "bc-currency-no-exchange-rate"
    assert finding.params == {"currency": "EUR"}
    assert why in finding.message


@pytest.mark.parametrize("start", ["", "2026-02-30", "x", None, 5, [], {}])
def test_a_row_without_a_day_is_no_rate(start: Any) -> None:
    assert article(rates(row("EUR", start=start)).exchange_rate("EUR")) == NO_RATE
    found = rates(row("EUR", start=start), row("EUR", 2, 1))
    assert found.exchange_rate("EUR") == Decimal(2)


@pytest.mark.parametrize("key", list(row("EUR")))
@pytest.mark.parametrize("is_there", [True, False])
def test_a_row_that_lacks_something_is_no_rate(key: str, is_there: bool) -> None:
    lacking = row("EUR")
    lacking[key] = None
    if not is_there:
        del lacking[key]
    found = rates(lacking)

    through_local = key == "relationalCurrencyCode"
    assert through_local or article(found.exchange_rate("EUR")) == NO_RATE


@pytest.mark.parametrize(
    "amount",
    [
        *(Decimal("1e30"), Decimal("1e-30"), Decimal("1e400"), Decimal("-1"), 10**400),
        *("NaN", "Infinity", "sNaN", "x", "", True, [], {}),
    ],
)
def test_an_amount_nobody_can_count_with_is_no_rate(amount: Any) -> None:
    older = row("EUR", 2, 1, "2025-01-01")
    for found in (rates(older, row("EUR", amount, 1)), rates(row("EUR", 1, amount))):
        finding = found.exchange_rate("EUR")

        assert article(finding) == NO_RATE
        assert isinstance(finding, Finding)
        assert "no usable number" in finding.message


def test_a_base_currency_without_rate_stops_every_currency() -> None:
    known = frozenset({"USD", "EUR"})
    found = rates(row("EUR"), base="USD", known=known)

    assert article(found.exchange_rate("EUR")) == "bc-base-currency-no-rate"


def test_a_base_currency_nobody_knows_here_stops_every_currency() -> None:
    found = rates(row("EUR"), base="USD")

    assert article(found.exchange_rate("EUR")) == "bc-base-currency-unknown"


@pytest.mark.parametrize("amount", ["1E+999999", "1E-999999", "9" * 200])
def test_amounts_beyond_all_others_are_none(amount: str) -> None:
    least = "0." + "0" * 999 + "1"
    [*rows] = (
        {"currencyCode": "EUR", "startingDate": "2020-01-01", **amounts}
        for amounts in (
            {"exchangeRateAmount": amount, "relationalExchangeRateAmount": least},
            {"exchangeRateAmount": least, "relationalExchangeRateAmount": amount},
        )
    )
    for row in rows:
        newest, future = newest_rates([row], date(2026, 1, 1))
        rates = Rates("CHF", "CHF", newest, future)

        assert isinstance(rates.exchange_rate("EUR"), Finding)
