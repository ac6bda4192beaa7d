"""Currencies: their rates in the terms of Sales, and what a currency code refers to."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from integration import clock
from integration.connectors.base import Connector
from integration.connectors.business_central import BusinessCentral
from integration.connectors.odata import VALUES_PER_FILTER, one_of
from integration.connectors.sales import Sales
from integration.core.chunks import chunks
from integration.core.looks import VERSION_LENGTH
from integration.core.mapping import References, TableMap
from integration.core.outcomes import Finding
from integration.core.rates import Rates, newest_rates
from integration.core.records import Record, System
from integration.models import Coupling, FieldMapping, PendingRecord, TableMapping

RATES = "currencyExchangeRates"
_RATE_FIELDS = (
    *("currencyCode", "startingDate", "exchangeRateAmount"),
    *("relationalCurrencyCode", "relationalExchangeRateAmount"),
)
_ACTIVE = 0
_MOST = 10_000
"""Currencies of one system; there are some hundred."""


@dataclass(frozen=True, slots=True)
class Money:
    """All currencies of Business Central with their rates: some hundred at most."""

    rates: Rates
    records: tuple[Record, ...]

    def rated(self, record: Record) -> Record:
        """The record with its rate as a value, and in its version.

        So a changed rate is a change of its currency. The base currency of Sales has
        none: its rate cannot be written (0x80048cf5).
        """
        code = _code(record)
        rate = self.rates.exchange_rate(code)
        if code == self.rates.base:
            return record
        if isinstance(rate, Finding):
            return record._replace(etag=_version(record, rate.article))
        values = {**record.values, "exchangeRate": rate}
        return record._replace(values=values, etag=_version(record, rate))

    def problem(self, code: str) -> Finding | None:
        """Why this currency cannot be written."""
        if code == self.rates.base:
            return None
        rate = self.rates.exchange_rate(code)
        return rate if isinstance(rate, Finding) else None


def read_money(table: TableMap, bc: BusinessCentral, sales: Sales) -> Money | None:
    """Currencies and rates, two reads; ``None`` when the mapping has no rate in it."""
    if not any(mapped.is_virtual for mapped in table.fields):
        return None
    base = sales.base_currency()
    columns = table.columns(System.BUSINESS_CENTRAL)
    return read_rated(table.entity, columns, bc, local_currency(bc), base)


def read_rated(
    entity: str, columns: Iterable[str], bc: Connector, local: str, base: str
) -> Money:
    """The currencies of Business Central with their rates of today."""
    records = tuple(_records(bc, entity, columns, _MOST))
    today = (bc.server_time() or clock.now()).date()
    newest, future = newest_rates(
        (record.values for record in _records(bc, RATES, _RATE_FIELDS)), today
    )
    known = frozenset(_code(record) for record in records)
    return Money(Rates(local, base, newest, future, known), records)


def local_currency(bc: BusinessCentral) -> str:
    """The currency of the company's books; "" where none is entered."""
    return str(bc.ledger_setup().get("localCurrencyCode") or "").strip().upper()


def read_references(
    mapping: TableMapping, table: TableMap, bc: BusinessCentral, sales: Connector
) -> dict[str, References]:
    """What each lookup of this mapping refers to; one question to each side.

    A currency is what its coupling says, the local one what its ISO code says. One that
    is inactive or gone in Sales cannot be referred to.
    """
    lookups = {mapped.lookup for mapped in table.fields if mapped.lookup}
    if not lookups:
        return {}
    local = local_currency(bc)
    found = {}
    for target in mapping.connection.mappings.filter(name__in=lookups):
        found[target.name] = referred(target, local, sales)
    return found


def used_codes(
    mapping: TableMapping, codes: Collection[str], bc: Connector
) -> set[str]:
    """Which of these currencies a record of another mapping carries.

    What waits for one is known here; for the others Business Central is asked, without
    the rows, and only about codes nobody has asked for yet.
    """
    waiting = {f"{mapping.name}:{code}": code for code in codes}
    rows = PendingRecord.objects.filter(
        mapping__connection=mapping.connection_id, waits_for__in=waiting
    )
    names = rows.order_by().values_list("waits_for", flat=True).distinct()
    used = {waiting[name] for name in names}
    users = FieldMapping.objects.filter(
        lookup=mapping.name, mapping__connection=mapping.connection_id
    ).values_list("mapping__entity", "bc_field")
    for entity, field in users:
        used |= _carried(bc, entity, field, sorted(set(codes) - used))
    return used


def unknown_currency(field: str, lookup: str, code: str, known: References) -> Finding:
    """Why a record cannot carry this currency."""
    params = {"currency": code}
    if code == known.blank:
        message = f"The local currency {code} is not a currency of Sales."
        return Finding("bc-lcy-not-in-dataverse", params, message, field)
    if code in known.lost:
        message = f"Cannot find the currency with the value '{code}' in Dataverse."
        return Finding("dv-currency-not-found", params, message, field)
    message = f"{lookup.capitalize()} {code} is not coupled."
    return Finding("dependency-not-coupled", params, message, field)


def referred(target: TableMapping, local: str, sales: Connector) -> References:
    """What codes refer to in Sales, by couplings; one question."""
    rows = {
        record.id: record.values
        for record in _records(
            sales, target.table, ("isocurrencycode", "statecode"), _MOST
        )
    }
    active = {key for key, row in rows.items() if row.get("statecode", 0) == _ACTIVE}
    codes = {
        key: str(row.get("isocurrencycode") or "").upper() for key, row in rows.items()
    }
    couplings = Coupling.objects.filter(mapping=target)
    coupled = dict(couplings.values_list("sales_id", "bc_number"))
    codes |= {key: number.upper() for key, number in coupled.items()}
    usable = {
        code: key
        for key, code in codes.items()
        if key in active and (key in coupled or code == local)
    }
    lost = {codes[key] for key in coupled if key not in active}
    return References(usable, codes, local, frozenset(lost - usable.keys()))


def _carried(bc: Connector, entity: str, field: str, codes: list[str]) -> set[str]:
    found: set[str] = set()
    for part in chunks(codes, VALUES_PER_FILTER):
        for page in bc.read_all(entity, (field,), one_of(field, part)):
            found |= {str(record.values.get(field)).upper() for record in page.records}
            if found.issuperset(part):
                break
    return found.intersection(codes)


def _records(
    system: Connector, entity: str, fields: Iterable[str], most: int | None = None
) -> Iterator[Record]:
    for page in system.read_all(entity, tuple(fields), "", most):
        yield from page.records


def _version(record: Record, rate: object) -> str:
    """As long as any other version may be; its end tells them apart."""
    return f"{record.etag}|{rate}"[-VERSION_LENGTH:]


def _code(record: Record) -> str:
    return str(record.values.get("code") or "").strip().upper()
