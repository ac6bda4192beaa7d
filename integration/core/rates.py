"""Exchange rates of Business Central in the terms of Dataverse (protocols §3.3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from integration.core.outcomes import Finding
from integration.core.values import RATE_PLACES, is_blank

_LEAST, _MOST = Decimal(1).scaleb(-RATE_PLACES), Decimal(10) ** 11
"""What the exchange rate of a currency can be in Sales."""
_LONGEST = 100
"""Digits before or after the point of an amount."""


@dataclass(frozen=True, slots=True)
class RateRow:
    """``amount`` units of a currency are ``relational_amount`` of ``relational_code``.

    A blank ``relational_code`` is the local currency.
    """

    starting: date
    amount: Decimal
    relational_amount: Decimal
    relational_code: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """The newest valid row of each currency.

    ``local`` is the local currency here, ``base`` the currency the Sales environment
    counts in. ``future`` are the codes that have only rows dated after today; ``known``
    all codes Business Central has a currency for.
    """

    local: str
    base: str
    rows: Mapping[str, RateRow]
    future: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def exchange_rate(self, code: str) -> Decimal | Finding:
        """Units of ``code`` for one unit of the base currency, or why there is none."""
        if base_problem := self.base_problem():
            return base_problem
        own, base = self._per_local(code), self._per_local(self.base)
        if own is None or base is None:
            return self._missing(code)
        rate = own / base
        if not _LEAST <= rate <= _MOST:
            return self._missing(code)
        return round(rate, RATE_PLACES)

    def has_rate(self, code: str) -> bool:
        return self._per_local(code) is not None

    def base_problem(self) -> Finding | None:
        """What keeps every foreign currency from having a rate."""
        if self.base == self.local or self.has_rate(self.base):
            return None
        if self.base in self.known:
            return Finding(
                "bc-base-currency-no-rate",
                {"currency": self.base},
                f"The base currency {self.base} of the Sales environment has no "
                "exchange rate in Business Central.",
            )
        return Finding(
            "bc-base-currency-unknown",
            {"currency": self.base},
            f"The base currency {self.base} of the Sales environment does not exist in "
            "Business Central.",
        )

    def _missing(self, code: str) -> Finding:
        why = "no exchange rate is defined for it"
        if code in self.rows:
            why = "an amount of its exchange rate is 0 or no usable number"
        elif code in self.future:
            why = "its exchange rates all start later"
        return Finding(
            "bc-currency-no-exchange-rate",
            {"currency": code},
            f"Cannot create or update the currency {code} in Sales, because {why}.",
            field="exchangeRate",
        )

    def _per_local(self, code: str, *, through: bool = True) -> Decimal | None:
        """f(c): units of ``code`` for one of the local currency, one step at most."""
        if code == self.local:
            return Decimal(1)
        row = self.rows.get(code)
        if row is None or not (row.amount and row.relational_amount):
            return None
        own = row.amount / row.relational_amount
        if not row.relational_code or row.relational_code == self.local:
            return own
        if not through:
            return None
        step = self._per_local(row.relational_code, through=False)
        return None if step is None else own * step


def newest_rates(
    rows: Iterable[Mapping[str, Any]], today: date
) -> tuple[dict[str, RateRow], frozenset[str]]:
    """The newest started row of each currency, and the codes that have none.

    A row without a day or a currency is none. One whose amounts cannot be read counts
    as 0, so that no older rate is taken for the one of today.
    """
    newest: dict[str, RateRow] = {}
    later = set()
    for row in rows:
        code, starting = _code(row.get("currencyCode")), _day(row.get("startingDate"))
        if starting is None or not code:
            continue
        if starting > today:
            later.add(code)
        elif code not in newest or starting > newest[code].starting:
            newest[code] = RateRow(
                starting,
                _amount(row.get("exchangeRateAmount")),
                _amount(row.get("relationalExchangeRateAmount")),
                _code(row.get("relationalCurrencyCode")),
            )
    return newest, frozenset(later - newest.keys())


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def _amount(value: Any) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    # A quotient of two beyond all amounts would be beyond all numbers.
    is_usable = amount.is_finite() and abs(amount.adjusted()) <= _LONGEST
    return amount if is_usable else Decimal(0)


def _code(value: Any) -> str:
    return "" if is_blank(value) else str(value).strip().upper()
