"""Whether both systems can speak about money (error-catalog, last section, 4).

Everything else hangs on the two base currencies: the local currency of the company, and
the base currency in which Sales counts its rates.
"""

from collections.abc import Iterator

from django.utils.translation import gettext_noop

from integration.choices import CheckStep
from integration.connectors.business_central import BusinessCentral
from integration.connectors.odata import literal
from integration.connectors.sales import Sales
from integration.core.outcomes import Finding
from integration.core.rates import Rates
from integration.models import Connection
from integration.services.check_lines import CheckLine, found, passed
from integration.services.currencies import (
    Money,
    local_currency,
    read_rated,
    referred,
    used_codes,
)

_ACTIVE = 0
_ENTITY, _COLUMNS = "currencies", ("code",)


def check_money(
    connection: Connection, bc: BusinessCentral, sales: Sales
) -> Iterator[CheckLine]:
    """Both base currencies, then the rates of what is used. Raises ``RemoteError``."""
    local = local_currency(bc)
    if not local:
        yield found(CheckStep.CURRENCIES, Finding("bc-lcy-missing"))
        return
    base = sales.base_currency()
    money = read_rated(_ENTITY, _COLUMNS, bc, local, base)
    wrong = list(_unknown(money.rates, sales))
    text = gettext_noop("{local} in Business Central, {base} in Sales.")
    yield from wrong or [passed(CheckStep.CURRENCIES, text, local=local, base=base)]
    if base == local or base in money.rates.known:
        unrated = list(_unrated(connection, money, bc, sales))
        text = gettext_noop("Each has a rate that is valid today.")
        yield from unrated or [passed(CheckStep.RATES, text)]


def _unknown(rates: Rates, sales: Sales) -> Iterator[CheckLine]:
    """A base currency that the other system does not have."""
    local, base = rates.local, rates.base
    if local == base:
        return
    if base not in rates.known:
        finding = Finding("bc-base-currency-unknown", {"currency": base})
        yield found(CheckStep.CURRENCIES, finding)
    where = f"isocurrencycode eq {literal(local)}"
    pages = sales.read_all("transactioncurrencies", ("statecode",), where)
    states = [row.values.get("statecode", _ACTIVE) for p in pages for row in p.records]
    if _ACTIVE not in states:
        finding = Finding("bc-lcy-not-in-dataverse", {"currency": local})
        yield found(CheckStep.CURRENCIES, finding)


def _unrated(
    connection: Connection, money: Money, bc: BusinessCentral, sales: Sales
) -> Iterator[CheckLine]:
    """Without a rate in Business Central, or gone in Sales, and carried by a record."""
    if finding := money.rates.base_problem():
        yield found(CheckStep.RATES, finding)
        return
    mapping = connection.mappings.filter(entity=_ENTITY).first()
    if mapping is None:
        return
    lost = referred(mapping, money.rates.local, sales).lost
    wrong = {
        code: Finding("dv-currency-not-found", {"currency": code}) for code in lost
    }
    for code in sorted(money.rates.known - {money.rates.local}):
        if finding := money.problem(code):
            wrong[code] = finding
    for code in sorted(used_codes(mapping, wrong, bc)):
        yield found(CheckStep.RATES, wrong[code], reported=True)
