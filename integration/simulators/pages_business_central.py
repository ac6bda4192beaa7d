"""The record pages of Business Central, found by the web client's links (§4.1)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from integration.simulators.business_central_entities import (
    CURRENCIES,
    CUSTOMERS,
    EXCHANGE_RATES,
    GENERAL_LEDGER_SETUP,
)
from integration.simulators.business_central_rules import Company, checked
from integration.simulators.entities import Entity, Field
from integration.simulators.pages_form import Form, RecordForm, bad_input
from integration.simulators.pages_html import Input, Page, Section
from integration.simulators.store import Row, Store

__all__ = ["business_central_form"]

CONDITION = re.compile(r"'((?:[^']|'')*)' IS '((?:[^']|'')*)'(?: AND |\Z)")
RATES_PAGE = "483"
CARDS = {
    "21": ("Customer Card", CUSTOMERS),
    "495": ("Currency Card", CURRENCIES),
    "118": ("General Ledger Setup", GENERAL_LEDGER_SETUP),
}
AMOUNTS = ("exchangeRateAmount", "relationalExchangeRateAmount")
RATE_FIELDS = ("startingDate", *AMOUNTS)
NEW = "new"
#: Who saves on these pages.
PERSON = "person"


def business_central_form(
    store: Store, options: Mapping[str, str]
) -> RecordForm | None:
    """The form that ``company``, ``page`` and ``filter`` lead to, if it exists."""
    rows = store.table("bc:companies").find("name", options.get("company", ""))
    if not rows:
        return None
    company = Company(store, rows[0].id, str(rows[0].values["name"]))
    wanted = conditions(options.get("filter", ""))
    number = options.get("page", "")
    if number == RATES_PAGE:
        return rates_form(company, wanted)
    if number not in CARDS or wanted is None:
        return None
    kind, entity = CARDS[number]
    row = only_match(company, entity, wanted)
    if row is None:
        return None
    card = Card(company, entity, kind, row)
    return RecordForm(card.show, card.save, card.delete if card.deletable else None)


def conditions(text: str) -> dict[str, str] | None:
    """``'No.' IS '10000' AND …`` by caption; None when it is written otherwise."""
    found = {}
    place = 0
    while place < len(text):
        match = CONDITION.match(text, place)
        if match is None:
            return None
        found[match[1].replace("''", "'")] = match[2].replace("''", "'")
        place = match.end()
    return found


def only_match(company: Company, entity: Entity, wanted: dict[str, str]) -> Row | None:
    """The one row that meets all conditions; the fields go by their captions."""
    by_caption = {field.caption: field.name for field in entity.fields if field.caption}
    names = {by_caption.get(caption): value for caption, value in wanted.items()}
    rows = [
        row
        for row in company.table(entity).rows()
        if all(
            name and str(row.values.get(name, "")).lower() == value.lower()
            for name, value in names.items()
        )
    ]
    return rows[0] if len(rows) == 1 else None


def rates_form(company: Company, wanted: dict[str, str] | None) -> RecordForm | None:
    code = (wanted or {}).get("Currency Code", "")
    if not company.table(CURRENCIES).find("code", code):
        return None
    rates = Rates(company, code.upper())
    return RecordForm(rates.show, rates.save)


@dataclass(frozen=True, slots=True)
class Card:
    """One record of one set."""

    company: Company
    entity: Entity
    kind: str
    row: Row

    @property
    def deletable(self) -> bool:
        return self.entity is CUSTOMERS

    def show(self) -> Page:
        title = self.row.values.get("displayName") or self.kind
        return Page(
            system=f"Business Central · {self.company.name}",
            kind=self.kind,
            title=str(title),
            sections=(Section("General", tuple(self._inputs())),),
            deletable=self.deletable,
        )

    def save(self, form: Form) -> None:
        changes = dict(self._changes(form))
        if not changes:
            return
        with self.company.store.transaction():
            values = checked(self.company, self.entity, changes, self.row)
            self.company.table(self.entity).update(self.row, values, PERSON)

    def delete(self) -> None:
        self.company.table(self.entity).delete(self.row.id, PERSON)

    def _inputs(self) -> Iterator[Input]:
        for field in shown(self.entity):
            value = self._value(field)
            if field.type == "bool":
                yield Input(field.name, field.label, bool(value))
            else:
                options = tuple((v, v.strip() or "(blank)") for v in field.values)
                yield Input(field.name, field.label, as_text(value), options)

    def _value(self, field: Field) -> Any:
        """As stored; an option is never empty."""
        return self.row.values.get(field.name) or field.blank

    def _changes(self, form: Form) -> Iterator[tuple[str, Any]]:
        for field in shown(self.entity):
            if field.type != "bool" and field.name not in form:
                continue
            value = parsed(field, form)
            if value != self._value(field):
                yield field.name, value


@dataclass(frozen=True, slots=True)
class Rates:
    """The exchange rates of one currency, oldest first, and a blank one to add."""

    company: Company
    code: str

    def show(self) -> Page:
        rates = [
            Section(
                f"From {row.values['startingDate']}",
                tuple(self._inputs(row.id, row.values)),
            )
            for row in self._rows()
        ]
        today = {"startingDate": self.company.store.now().date().isoformat()}
        blank = Section("New exchange rate", tuple(self._inputs(NEW, today)))
        name = self.company.table(CURRENCIES).find("code", self.code)[0].values
        return Page(
            system=f"Business Central · {self.company.name}",
            kind="Currency Exchange Rates",
            title=f"{self.code} {name.get('displayName', '')}".strip(),
            sections=(*rates, blank),
        )

    def save(self, form: Form) -> None:
        table = self.company.table(EXCHANGE_RATES)
        with self.company.store.transaction():
            for row in self._rows():
                values = self._typed(form, row.id)
                if any(row.values.get(name) != value for name, value in values.items()):
                    table.update(row, values, PERSON)
            if any(form.get(f"{NEW}-{name}", "").strip() for name in AMOUNTS):
                self._add(self._typed(form, NEW))

    def _add(self, values: dict[str, Any]) -> None:
        dates = {row.values["startingDate"] for row in self._rows()}
        if values["startingDate"] in dates:
            raise bad_input(
                f"The Currency Exchange Rate already exists. Identification fields and "
                f"values: Currency Code='{self.code}',Starting "
                f"Date='{values['startingDate']}'"
            )
        owner = {"currencyCode": self.code, "relationalCurrencyCode": ""}
        self.company.table(EXCHANGE_RATES).insert(owner | values, by=PERSON)

    def _rows(self) -> list[Row]:
        found = self.company.table(EXCHANGE_RATES).find("currencyCode", self.code)
        return sorted(found, key=lambda row: str(row.values["startingDate"]))

    def _inputs(self, key: str, values: Mapping[str, Any]) -> Iterator[Input]:
        for name in RATE_FIELDS:
            label = EXCHANGE_RATES.by_name[name].label
            yield Input(f"{key}-{name}", label, as_text(values.get(name, "")))

    def _typed(self, form: Form, key: str) -> dict[str, Any]:
        return {
            name: parsed(
                EXCHANGE_RATES.by_name[name], {name: form.get(f"{key}-{name}", "")}
            )
            for name in RATE_FIELDS
        }


def shown(entity: Entity) -> Iterator[Field]:
    """What a person can edit: captioned fields and options, no lookups by id."""
    for field in entity.fields:
        named = field.caption or field.values
        if named and field.type != "guid" and not field.read_only:
            yield field


def as_text(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def parsed(field: Field, form: Form) -> Any:
    """The typed text as the table holds it. Raises 400 for no number, no date."""
    if field.type == "bool":
        return field.name in form
    text = form[field.name]
    if field.type == "date":
        return parsed_date(field, text.strip())
    if field.type not in ("decimal", "int"):
        return text
    try:
        return Decimal(text.strip().replace(",", ".") or "0")
    except InvalidOperation as error:
        raise bad_input(f"{field.label}: {text} is not a number.") from error


def parsed_date(field: Field, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        message = f"{field.label}: {text} is not a date like 2026-01-31."
        raise bad_input(message) from error
