"""Whether both systems can speak about money (error-catalog, last section, 4).

Everything else hangs on the two base currencies: the local currency of the company, and
the base currency in which Sales counts its rates.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from integration import clock
from integration.connectors.base import Connector
from integration.connectors.business_central import BusinessCentral
from integration.connectors.sales import Sales
from integration.core.outcomes import Finding
from integration.services.check_lines import CheckLine, found, passed

STEP = "currencies"
ACTIVE = 0


def check_currencies(bc: BusinessCentral, sales: Sales) -> Iterator[CheckLine]:
    """Two to four calls; equal base currencies need no more. Raises ``RemoteError``."""
    local = str(bc.ledger_setup().get("localCurrencyCode") or "").strip()
    if not local:
        yield found(STEP, Finding("bc-lcy-missing"))
        return
    base = sales.organization().base_currency_code
    if local == base:
        yield passed(
            STEP,
            _("Both systems have {currency} as own currency.").format(currency=base),
        )
        return
    lines = [*_base_in_business_central(bc, base), *_local_in_sales(sales, local)]
    yield from lines or [
        passed(
            STEP,
            _("{local} and {base} are known and rated on both sides.").format(
                local=local, base=base
            ),
        )
    ]


def _base_in_business_central(bc: Connector, base: str) -> Iterator[CheckLine]:
    quoted = base.replace("'", "''")
    known = _rows(bc, "currencies", ("code",), f"code eq '{quoted}'")
    fields = ("startingDate", "exchangeRateAmount", "relationalExchangeRateAmount")
    where = f"currencyCode eq '{quoted}'"
    rates = _rows(bc, "currencyExchangeRates", fields, where)
    if not known or not _is_rated(rates, clock.now().date()):
        yield found(STEP, Finding("bc-base-currency-no-rate", {"currency": base}))


def _local_in_sales(sales: Connector, local: str) -> Iterator[CheckLine]:
    quoted = local.replace("'", "''")
    where = f"isocurrencycode eq '{quoted}'"
    rows = _rows(sales, "transactioncurrencies", ("statecode",), where)
    if not any(row.get("statecode", ACTIVE) == ACTIVE for row in rows):
        yield found(STEP, Finding("bc-lcy-not-in-dataverse", {"currency": local}))


def _rows(
    system: Connector, entity: str, fields: tuple[str, ...], where: str
) -> list[dict[str, Any]]:
    pages = system.read_all(entity, fields, where)
    return [dict(record.values) for page in pages for record in page.records]


def _is_rated(rates: list[dict[str, Any]], today: date) -> bool:
    """A rate dated today or earlier whose newest row has no zero amount."""
    valid = [row for row in rates if str(row["startingDate"]) <= today.isoformat()]
    if not valid:
        return False
    newest = max(valid, key=lambda row: str(row["startingDate"]))
    amounts = (newest["exchangeRateAmount"], newest["relationalExchangeRateAmount"])
    return all(Decimal(str(amount)) > 0 for amount in amounts)
