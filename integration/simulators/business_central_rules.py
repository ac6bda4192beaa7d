"""The sets of Business Central, and judging what is sent to them."""

import re
from collections.abc import Mapping
from typing import Any

from integration.simulators.entities import (
    ZERO_ID,
    Entity,
    Field,
    read_entities,
    unescape_enum,
)
from integration.simulators.http import SimulatorError, refusal
from integration.simulators.odata_filter import Getter
from integration.simulators.store import Row, Store, Table

ENTITIES = read_entities("business_central.toml")
COMPANIES = ENTITIES["companies"]
CURRENCIES = ENTITIES["currencies"]
CUSTOMERS = ENTITIES["customers"]
EXCHANGE_RATES = ENTITIES["currencyExchangeRates"]
GENERAL_LEDGER_SETUP = ENTITIES["generalLedgerSetup"]
JOB_QUEUE_ENTRIES = ENTITIES["jobQueueEntries"]

DATE = re.compile(r"\d{4}-\d\d-\d\d")
CURRENCY_FIELDS = ("currencyId", "currencyCode")
LOCAL_CURRENCY = {
    "generalLedgerSetup": "localCurrencyCode",
    "companyInformation": "currencyCode",
}


class Company:
    """One company's tables, and its local currency, which tables hold as blank."""

    def __init__(self, store: Store, id: str, name: str) -> None:
        self.store = store
        self.id = id
        self.name = name

    def table(self, entity: Entity) -> Table:
        return self.store.table(f"bc:{self.id}:{entity.set_name}", entity.indexes)

    @property
    def local_currency(self) -> str:
        for place, field in LOCAL_CURRENCY.items():
            for row in self.store.table(f"bc:{self.id}:{place}").rows():
                if code := row.values.get(field):
                    return str(code)
        return ""

    def readers(self, entity: Entity) -> dict[str, Getter]:
        """How each property is read; currencies as the API translates them."""
        if entity is not CUSTOMERS:
            return entity.readers
        local = self.local_currency
        rows = self.table(CURRENCIES).rows()
        ids = {row.values.get("code"): row.id for row in rows}

        def code(row: Row) -> Any:
            return row.values.get("currencyCode") or local

        def identifier(row: Row) -> str:
            return ids.get(row.values.get("currencyCode"), ZERO_ID)

        return {**entity.readers, "currencyCode": code, "currencyId": identifier}


def checked(
    company: Company, entity: Entity, body: Mapping[str, Any], row: Row | None
) -> dict[str, Any]:
    """What is to be stored. ``row`` None: it is created. Raises SimulatorError."""
    values: dict[str, Any] = {}
    for name, value in body.items():
        if not name.startswith("@"):
            field = _writable(entity, name, creating=row is None)
            values[name] = _converted(field, value)
    if entity is CUSTOMERS:
        _resolve_currency(company, values)
    _require(entity, values, creating=row is None)
    for name, value in values.items():
        _relate(company, entity, entity.by_name[name], value)
    _unique(company, entity, values, row)
    return values


def _writable(entity: Entity, name: str, *, creating: bool) -> Field:
    field = entity.by_name.get(name)
    if field is None:
        raise refusal("bc-property-unknown", name=name, type=entity.logical)
    if not field.may_be_sent(creating=creating):
        raise refusal("bc-field-read-only", name=name)
    return field


def _converted(field: Field, value: Any) -> Any:
    if field.type == "date" and not (isinstance(value, str) and DATE.fullmatch(value)):
        raise refusal("bc-date")
    if not field.fits(value):
        raise refusal("bc-literal", value=value, type=field.edm)
    if field.type == "enum":
        return _option(field, value)
    if field.type == "guid":
        return value.lower()
    if field.type == "code":
        value = value.strip().upper()
    if field.length and len(value) > field.length:
        words = {"found": len(value), "length": field.length, "value": value}
        raise refusal("bc-string-too-long", **words)
    return value


def _option(field: Field, value: str) -> str:
    plain = unescape_enum(value)
    if plain not in field.options:
        options = ",".join(field.options)
        raise refusal("bc-option-invalid", value=value, options=options)
    return plain


def no_match(name: str, table: str) -> SimulatorError:
    return refusal("bc-no-match", name=name, table=table)


def _resolve_currency(company: Company, values: dict[str, Any]) -> None:
    """Bring id and code to the one stored code; blank is the local currency."""
    given = {name: values.pop(name) for name in CURRENCY_FIELDS if name in values}
    codes = set()
    local = company.local_currency
    currencies = company.table(CURRENCIES)
    if "currencyId" in given and (given["currencyId"] != ZERO_ID or len(given) == 1):
        row = currencies.get(given["currencyId"])
        if row is None and given["currencyId"] != ZERO_ID:
            raise no_match("currencyId", "Currency")
        codes.add(str(row.values["code"]) if row else "")
    if "currencyCode" in given:
        code = given["currencyCode"]
        if code not in ("", local) and not currencies.find("code", code):
            raise no_match("currencyCode", "Currency")
        codes.add("" if code == local else code)
    if len(codes) > 1:
        raise refusal("bc-currency-mismatch")
    if codes:
        values["currencyCode"] = codes.pop()


def _require(entity: Entity, values: Mapping[str, Any], *, creating: bool) -> None:
    for field in entity.fields:
        if field.required:
            if creating and field.name not in values:
                raise refusal("bc-field-missing", name=field.name)
            if not str(values.get(field.name, "kept")).strip():
                raise refusal("bc-field-blank", name=field.name)


def _relate(company: Company, entity: Entity, field: Field, value: Any) -> None:
    relation = field.relation
    if relation is None or value in ("", ZERO_ID):
        return
    place = f"bc:{company.id}:{relation.set_name}"
    table = company.store.table(place, (relation.field,))
    if field.type == "guid":
        if table.get(value) is None:
            raise no_match(field.name, relation.label)
    elif len(table) and not table.find(relation.field, value):
        raise refusal(
            "bc-table-relation",
            field=field.caption,
            caption=entity.label,
            value=value,
            table=relation.label,
        )


def _unique(
    company: Company, entity: Entity, values: Mapping[str, Any], row: Row | None
) -> None:
    key = values.get(entity.key)
    holders = company.table(entity).find(entity.key, key) if key else ()
    if any(row is None or holder.id != row.id for holder in holders):
        label = entity.by_name[entity.key].caption
        words = {"caption": entity.label, "key_caption": label, "key": key}
        raise refusal("bc-duplicate-key", **words)


def next_number(company: Company, entity: Entity) -> str:
    """The next free number of the entity's series, which it uses up."""
    setting = f"bc:{company.id}:series:{entity.set_name}"
    number = str(company.store.setting(setting, entity.series))
    while company.table(entity).find(entity.key, number):
        number = increment(number)
    company.store.set_setting(setting, increment(number))
    return number


def increment(number: str) -> str:
    """The next number: the last group of digits counts up, its width stays."""
    head, digits, tail = re.fullmatch(r"(.*?)(\d+)(\D*)", number).groups()  # type: ignore[union-attr]  # a series has digits
    return f"{head}{int(digits) + 1:0{len(digits)}}{tail}"
