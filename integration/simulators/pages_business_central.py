"""The record pages of Business Central, found by the web client's links (§4.1)."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from integration.simulators.business_central_rules import (
    CURRENCIES,
    CUSTOMERS,
    EXCHANGE_RATES,
    GENERAL_LEDGER_SETUP,
    Company,
    checked,
)
from integration.simulators.entities import Entity, Field
from integration.simulators.pages_form import (
    EntityForm,
    Form,
    Input,
    Page,
    RecordForm,
    Section,
    as_text,
    bad_input,
    number,
)
from integration.simulators.pages_lists import JobQueue
from integration.simulators.store import Row, Store

CONDITION = re.compile(r"'((?:[^']|'')*)' IS '((?:[^']|'')*)'(?: AND |\Z)")
RATES_PAGE, JOB_QUEUE_PAGE = "483", "672"
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
    wanted = conditions(options.get("filter", ""))
    number = options.get("page", "")
    if not rows or wanted is None:
        return None
    company = Company(store, rows[0].id, str(rows[0].values["name"]))
    if number == RATES_PAGE:
        code = wanted.get("Currency Code", "")
        known = company.table(CURRENCIES).find("code", code)
        return Rates(company, known[0]) if known else None
    if number == JOB_QUEUE_PAGE:
        return JobQueue(company)
    if number not in CARDS:
        return None
    kind, entity = CARDS[number]
    row = only_match(company, entity, wanted)
    return Card(company, entity, kind, row) if row else None


def conditions(text: str) -> dict[str, str] | None:
    """``'No.' IS '10000' AND …`` by caption; None when it is written otherwise."""
    if CONDITION.sub("", text):
        return None
    pairs = CONDITION.findall(text)
    return {k.replace("''", "'"): v.replace("''", "'") for k, v in pairs}


def only_match(company: Company, entity: Entity, wanted: dict[str, str]) -> Row | None:
    """The one row that meets all conditions; the fields go by their captions."""
    names = {field.label: field.name for field in entity.fields if field.label}
    if not wanted.keys() <= names.keys():
        return None
    rows = [
        row
        for row in company.table(entity).rows()
        if all(
            str(row.values.get(names[caption], "")).lower() == value.lower()
            for caption, value in wanted.items()
        )
    ]
    return rows[0] if len(rows) == 1 else None


class Card(EntityForm):
    """One record of one set."""

    legend = "General"

    def __init__(self, company: Company, entity: Entity, kind: str, row: Row) -> None:
        super().__init__(entity, company.table(entity), row)
        self._company = company
        self.system = f"Business Central · {company.name}"
        self.kind = kind
        self.deletable = entity is CUSTOMERS

    def title(self) -> str:
        return str(self.row.values.get("displayName") or self.kind)

    def value(self, field: Field) -> Any:
        """As stored; an option is never empty."""
        return self.row.values.get(field.name) or field.blank

    def parsed(self, field: Field, text: str) -> Any:
        return parsed(field, text)

    def save(self, form: Form) -> None:
        changes = {field.name: value for field, value in self.changes(form)}
        if changes:
            with self._company.store.transaction():
                values = checked(self._company, self.entity, changes, self.row)
                self.table.update(self.row, values, PERSON)

    def delete(self) -> None:
        self.table.delete(self.row.id, PERSON)


class Rates(RecordForm):
    """The exchange rates of one currency, oldest first, and a blank one to add."""

    def __init__(self, company: Company, currency: Row) -> None:
        self._company = company
        self._code = str(currency.values["code"])
        self._name = str(currency.values.get("displayName", ""))
        self._table = company.table(EXCHANGE_RATES)

    def show(self) -> Page:
        rates = [
            Section(f"From {row.values['startingDate']}", _rate(row.id, row.values))
            for row in self._rows()
        ]
        today = {"startingDate": self._company.store.now().date().isoformat()}
        return Page(
            system=f"Business Central · {self._company.name}",
            kind="Currency Exchange Rates",
            title=f"{self._code} {self._name}".strip(),
            sections=(*rates, Section("New exchange rate", _rate(NEW, today))),
        )

    def save(self, form: Form) -> None:
        with self._company.store.transaction():
            for row in self._rows():
                values = _typed(form, row.id)
                if not values.items() <= row.values.items():
                    self._table.update(row, values, PERSON)
            if any(form.get(f"{NEW}-{name}", "").strip() for name in AMOUNTS):
                self._add(_typed(form, NEW))

    def _add(self, values: dict[str, Any]) -> None:
        date = values["startingDate"]
        if date in {row.values["startingDate"] for row in self._rows()}:
            key = f"Currency Code='{self._code}',Starting Date='{date}'"
            raise bad_input(
                f"The {EXCHANGE_RATES.label} already exists. Identification fields and"
                f" values: {key}"
            )
        owner = {"currencyCode": self._code, "relationalCurrencyCode": ""}
        self._table.insert(owner | values, by=PERSON)

    def _rows(self) -> list[Row]:
        found = self._table.find("currencyCode", self._code)
        return sorted(found, key=lambda row: str(row.values["startingDate"]))


def _rate(key: str, values: Mapping[str, Any]) -> tuple[Input, ...]:
    captions = [(name, EXCHANGE_RATES.by_name[name].caption) for name in RATE_FIELDS]
    return tuple(
        Input(f"{key}-{name}", caption, as_text(values.get(name, "")))
        for name, caption in captions
    )


def _typed(form: Form, key: str) -> dict[str, Any]:
    fields = [EXCHANGE_RATES.by_name[name] for name in RATE_FIELDS]
    return {f.name: parsed(f, form.get(f"{key}-{f.name}", "")) for f in fields}


def parsed(field: Field, text: str) -> Any:
    """The typed text as the table holds it. Raises 400 for no number, no date."""
    if field.type in ("decimal", "int"):
        return number(field, text)
    if field.type != "date":
        return text
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError as error:
        message = f"{field.caption}: {text.strip()} is not a date like 2026-01-31."
        raise bad_input(message) from error
