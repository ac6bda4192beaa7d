"""Loads a folder of Business Central API JSON files as one company (design §10)."""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from integration.simulators.business_central_rules import ENTITIES
from integration.simulators.entities import Field
from integration.simulators.seed_companies import WORDS, slug
from integration.simulators.seed_ground import Company, Ground
from integration.simulators.store import Store

Rows = list[dict[str, Any]]

CHECKED_SETS = (
    "companyInformation",
    "currencies",
    "currencyExchangeRates",
    "customers",
)
#: Sets that only have to be lists of rows with a code.
CODE_LISTS = (
    "countriesRegions",
    "paymentMethods",
    "paymentTerms",
    "salespeoplePurchasers",
    "shipmentMethods",
)
#: Codes in these files where the API has ids: protocols §2.3.
CODES_FOR_IDS = {
    "paymentTermsCode": "paymentTerms",
    "shipmentMethodCode": "shipmentMethods",
    "paymentMethodCode": "paymentMethods",
}
CODES = {**CODES_FOR_IDS, "salespersonCode": "salespeoplePurchasers"}
#: What a type is called; everything else is a text.
WANTED = {"bool": "true or false", "decimal": "number", "int": "whole number"}
TYPES: dict[str, Any] = {"bool": bool, "decimal": int | Decimal, "int": int}


class DataFolderError(Exception):
    """A folder that cannot be loaded; the message names file, row and field."""


class Place(NamedTuple):
    """Where a value stands; rows count from one."""

    file: str
    row: int
    field: str = ""

    def refuse(self, reason: str) -> DataFolderError:
        where = f"{self.file}, row {self.row}"
        if self.field:
            where += f", field {self.field}"
        return DataFolderError(f"{where}: {reason}.")


def load_folder(store: Store, folder: Path) -> None:
    """One company and its customers; what the folder lacks is supplied.

    Raises ``DataFolderError`` before anything is written.
    """
    sets = read_folder(folder)
    information = known("companyInformation", (*sets["companyInformation"], {})[0])
    local = local_currency(folder.name, information, sets["customers"])
    # One seed for all folders: ids follow from the company's name.
    ground = Ground(store, 0)
    ground.organization(local)
    name = information.get("displayName") or folder.name
    countries = with_missing(sets, "countriesRegions", "country")
    company = ground.company(name, local, countries, information)
    load_currencies(ground, company, sets)
    load_codes(ground, company, sets)
    ground.one_connection(company)
    for place, values in enumerate(sets["customers"]):
        stored = known("customers", values)
        stored = {"currencyCode": local, **stored}
        stored["currencyCode"] = stored["currencyCode"] or local
        for field, code_list in CODES_FOR_IDS.items():
            if values.get(field):
                identifier = ground.id(company.id, code_list, values[field])
                stored[field.replace("Code", "Id")] = identifier
        ground.customer(company, stored, place)


def read_folder(folder: Path) -> dict[str, Rows]:
    """Every file we know, checked; a missing one is an empty list."""
    if not (folder / "customers.json").is_file():
        raise DataFolderError(f"{folder} holds no customers.json.")
    names = (*CHECKED_SETS, *CODE_LISTS)
    sets = {name: read_file(folder / f"{name}.json") for name in names}
    for name in CHECKED_SETS:
        check_rows(name, sets[name])
    check_texts("customers", sets["customers"], CODES)
    for name in CODE_LISTS:
        check_texts(name, sets[name], ("code", "displayName", "email"))
        check_keys(name, sets[name], "code")
    return sets


def read_file(path: Path) -> Rows:
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
        if isinstance(rows, dict):  # an answer of the API as it came
            rows = rows.get("value")
    except json.JSONDecodeError as error:
        raise DataFolderError(
            f"{path.name}, line {error.lineno}, column {error.colno}: "
            f"not valid JSON ({error.msg})."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataFolderError(f"{path.name} cannot be read ({error}).") from error
    if not isinstance(rows, list):
        raise DataFolderError(f"{path.name} must hold a list of records.")
    for number, values in enumerate(rows, start=1):
        if not isinstance(values, dict):
            raise Place(path.name, number).refuse("a record must be an object")
    return rows


def check_rows(name: str, rows: Rows) -> None:
    """Types, lengths and required fields of each row, and that keys are unique."""
    entity = ENTITIES[name]
    for number, values in enumerate(rows, start=1):
        for field in entity.fields:
            value = values.get(field.name)
            place = Place(f"{name}.json", number, field.name)
            if value is not None and value != "":
                check_value(place, field, value)
            elif field.required or field.name == entity.key:
                raise place.refuse("a value is missing")
    if entity.key:
        check_keys(name, rows, entity.key)


def check_texts(name: str, rows: Rows, fields: Collection[str]) -> None:
    """That these are texts, where the API's own fields do not say so."""
    for number, values in enumerate(rows, start=1):
        for field in fields:
            if values.get(field) is not None:
                place = Place(f"{name}.json", number, field)
                check_value(place, Field(field, "text"), values[field])


def check_keys(name: str, rows: Rows, key: str) -> None:
    seen: dict[str, int] = {}
    for number, values in enumerate(rows, start=1):
        where = Place(f"{name}.json", number, key)
        value = str(values.get(key) or "").upper()
        if not value:
            raise where.refuse("a value is missing")
        if value in seen:
            raise where.refuse(f"{value} is the {key} of row {seen[value]} already")
        seen[value] = number


def check_value(place: Place, field: Field, value: Any) -> None:
    # JSON's true is also a number in Python, but not in a record.
    wanted = TYPES.get(field.type, str)
    if isinstance(value, bool) != field.is_flag or not isinstance(value, wanted):
        shown, kind = json.dumps(value, default=str), WANTED.get(field.type, "text")
        raise place.refuse(f"{shown} is not a {kind}")
    if isinstance(value, str) and value.encode(errors="ignore").decode() != value:
        raise place.refuse("the text holds half a character")
    if field.length and len(value) > field.length:
        raise place.refuse(
            f"the text has {len(value)} characters, {field.length} are allowed"
        )
    if field.options and value.strip() not in map(str.strip, field.options):
        raise place.refuse(f"{value} is not one of {', '.join(field.options)}")
    if field.type == "date":
        try:
            date.fromisoformat(value)
        except ValueError as error:
            raise place.refuse(f"{value} is not a date like 2026-01-31") from error


def local_currency(name: str, information: Mapping[str, Any], customers: Rows) -> str:
    """As the company says, else by the folder's country, else what most pay in."""
    if information.get("currencyCode"):
        return str(information["currencyCode"])
    by_country: str | None = WORDS["local_currencies"].get(
        name.lower().rpartition("-")[2]
    )
    used = Counter(values.get("currencyCode") or "EUR" for values in customers)
    return by_country or (used.most_common(1)[0][0] if used else "EUR")


def load_currencies(ground: Ground, company: Company, sets: dict[str, Rows]) -> None:
    """The folder's own, then what is missing of every code in use."""
    listed = {values["code"] for values in sets["currencies"]}
    rated = {values.get("currencyCode") for values in sets["currencyExchangeRates"]}
    own = [known("currencies", values) for values in sets["currencies"]]
    ground.rows(company, "currencies", own)
    place = company.place("currencyExchangeRates")
    for number, values in enumerate(sets["currencyExchangeRates"]):
        rate = known("currencyExchangeRates", values)
        ground.add(place, rate, ground.id(place, number))
    used = {values.get("currencyCode") for values in sets["customers"]}
    for code in sorted(filter(None, listed | used | rated)):
        if code != company.currency and code not in listed:
            ground.currency(company, code, rated=False)
        if code != company.currency and code not in rated:
            ground.rate(company, code)


def load_codes(ground: Ground, company: Company, sets: dict[str, Rows]) -> None:
    """Terms, methods and salespeople; a Sales user for each salesperson."""
    for field, name in CODES.items():
        rows = with_missing(sets, name, field)
        if name == "paymentTerms" and not rows:
            rows = [{"code": "30D", "displayName": "30 days"}]
        ground.rows(company, name, rows)
    for values in with_missing(sets, "salespeoplePurchasers", "salespersonCode"):
        label = values.get("displayName") or values["code"]
        given, _, family = label.rpartition(" ")
        made_up = f"{slug(label) or values['code']}@{slug(company.name)}"
        ground.user(given, family, values.get("email") or made_up, [])


def with_missing(sets: dict[str, Rows], name: str, field: str) -> Rows:
    """The rows of a set, and one for each code that only customers name."""
    used = {values.get(field) for values in sets["customers"]}
    listed = {values["code"] for values in sets[name]}
    missing = sorted(filter(None, used - listed))
    return [*sets[name], *({"code": code, "displayName": code} for code in missing)]


def known(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The properties the API has; nothing that is null."""
    fields = ENTITIES[name].by_name
    return {k: v for k, v in values.items() if k in fields and v is not None}
