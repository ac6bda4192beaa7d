"""Judging what is sent to Business Central: types, lengths, relations, keys."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from integration.simulators.business_central_entities import CURRENCIES, CUSTOMERS
from integration.simulators.entities import (
    ZERO_ID,
    Entity,
    Field,
    unescape_enum,
)
from integration.simulators.http import SimulatorError
from integration.simulators.store import Row, Store, Table

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CURRENCY_FIELDS = ("currencyId", "currencyCode")
# The prose follows Accept-Language; what stands in brackets never does.
_FRENCH = {
    "Another user has already changed the record.": (
        "Un autre utilisateur a déjà modifié l'enregistrement."
    ),
    "Sorry, the current permissions prevented the action.": (
        "Désolé, les autorisations actuelles ont empêché l'action."
    ),
}


class Company:
    """One company's tables, and its local currency, which tables hold as blank."""

    def __init__(self, store: Store, id: str, name: str) -> None:
        self.store = store
        self.id = id
        self.name = name

    def table(self, entity: Entity) -> Table:
        return self.store.table(f"bc:{self.id}:{entity.set_name}", entity.indexes)

    def related(self, set_name: str, field: str) -> Table:
        return self.store.table(f"bc:{self.id}:{set_name}", (field,))

    @property
    def local_currency(self) -> str:
        for place, field in (
            ("generalLedgerSetup", "localCurrencyCode"),
            ("companyInformation", "currencyCode"),
        ):
            for row in self.store.table(f"bc:{self.id}:{place}").rows():
                if code := row.values.get(field):
                    return str(code)
        return ""

    def readers(self, entity: Entity) -> dict[str, Callable[[Row], Any]]:
        """How each property is read; currencies as the API translates them."""
        readers = {field.name: field.reader() for field in entity.fields}
        if entity is CUSTOMERS:
            local = self.local_currency
            rows = self.table(CURRENCIES).rows()
            ids = {row.values.get("code"): row.id for row in rows}

            def code(row: Row) -> Any:
                return row.values.get("currencyCode") or local

            def identifier(row: Row) -> str:
                return ids.get(row.values.get("currencyCode"), ZERO_ID)

            readers |= {"currencyCode": code, "currencyId": identifier}
        return readers


def dialog(message: str) -> SimulatorError:
    return SimulatorError(400, "Application_DialogException", message)


def translated(message: str, language: str) -> str:
    """In the language of the request, as far as this simulator speaks it."""
    if not language.lower().startswith("fr"):
        return message
    for english, french in _FRENCH.items():
        message = message.replace(english, french)
    return message


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
        raise SimulatorError(
            400,
            "BadRequest",
            f"The property '{name}' does not exist on type"
            f" 'Microsoft.NAV.{entity.logical_name}'. Make sure to only use property"
            " names that are defined by the type.",
        )
    closed = field.update_only if creating else field.create_only
    if field.read_only or closed:
        raise SimulatorError(
            400, "BadRequest_InvalidOperation", f"Control '{name}' is read-only."
        )
    return field


def _converted(field: Field, value: Any) -> Any:
    if field.type in ("text", "code", "enum"):
        return _text(field, value)
    if field.type == "date" and not (isinstance(value, str) and DATE.fullmatch(value)):
        raise SimulatorError(400, "BadRequest", "Unable to convert value to Date")
    if not _FITS[field.type](value):
        raise _cannot_convert(field, value)
    return value.lower() if field.type == "guid" else value


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise _cannot_convert(field, value)
    if field.type == "enum":
        plain = unescape_enum(value)
        if plain not in field.values:
            options = ",".join(field.values)
            raise SimulatorError(
                400,
                "Unknown",
                f"'{value}' is not an option. The existing options are: {options}",
            )
        return plain
    text = value.strip().upper() if field.type == "code" else value
    if field.max_length and len(text) > field.max_length:
        raise SimulatorError(
            400,
            "Application_StringExceededLength",
            f"The length of the string is {len(text)}, but it must be less than or"
            f" equal to {field.max_length} characters. Value: {text}",
        )
    return text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


_FITS: dict[str, Callable[[Any], bool]] = {
    "decimal": _is_number,
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "guid": lambda value: isinstance(value, str) and bool(GUID.fullmatch(value)),
    "date": lambda value: isinstance(value, str),
    "moment": lambda value: isinstance(value, str),
}


def _cannot_convert(field: Field, value: Any) -> SimulatorError:
    return SimulatorError(
        400,
        "BadRequest",
        f"Cannot convert the literal '{value}' to the expected type"
        f" '{field.edm_type}'.",
    )


def _resolve_currency(company: Company, values: dict[str, Any]) -> None:
    """Bring id and code to the one stored code; blank is the local currency."""
    given = {name: values.pop(name) for name in _CURRENCY_FIELDS if name in values}
    codes = set()
    local = company.local_currency
    currencies = company.table(CURRENCIES)
    if "currencyId" in given and (given["currencyId"] != ZERO_ID or len(given) == 1):
        row = currencies.get(given["currencyId"])
        if row is None and given["currencyId"] != ZERO_ID:
            raise dialog('The "currencyId" does not match to a Currency.')
        codes.add(str(row.values["code"]) if row else "")
    if "currencyCode" in given:
        code = given["currencyCode"]
        if code not in ("", local) and not currencies.find("code", code):
            raise dialog('The "currencyCode" does not match to a Currency.')
        codes.add("" if code == local else code)
    if len(codes) > 1:
        raise dialog("The currency values do not match to a specific Currency.")
    if codes:
        values["currencyCode"] = codes.pop()


def _require(entity: Entity, values: Mapping[str, Any], *, creating: bool) -> None:
    for field in entity.fields:
        if not field.required:
            continue
        if creating and field.name not in values:
            raise dialog(f'A "{field.name}" must be provided.')
        if field.name in values and not str(values[field.name]).strip():
            raise dialog(f'The blank "{field.name}" is not allowed.')


def _relate(company: Company, entity: Entity, field: Field, value: Any) -> None:
    relation = field.relation
    if relation is None or value in ("", ZERO_ID):
        return
    table = company.related(relation.set_name, relation.field)
    if field.type == "guid":
        if table.get(value) is None:
            raise dialog(f'The "{field.name}" does not match to a {relation.caption}.')
    elif len(table) and not table.find(relation.field, value):
        raise SimulatorError(
            400,
            "Internal_InvalidTableRelation",
            f"The field {field.label} of table {entity.caption} contains a value"
            f" ({value}) that cannot be found in the related table"
            f" ({relation.caption}).",
        )


def _unique(
    company: Company, entity: Entity, values: Mapping[str, Any], row: Row | None
) -> None:
    key = values.get(entity.key)
    if not key:
        return
    for other in company.table(entity).find(entity.key, key):
        if row is None or other.id != row.id:
            raise SimulatorError(
                400,
                "Internal_EntityWithSameKeyExists",
                f"The {entity.caption} already exists. Identification fields and"
                f" values: {entity.key_field.label}='{key}'",
            )


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
