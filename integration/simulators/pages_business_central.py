"""The record pages of Business Central, found by the web client's links (§4.1)."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from integration.simulators.business_central_rules import (
    CURRENCIES,
    CUSTOMERS,
    EXCHANGE_RATES,
    GENERAL_LEDGER_SETUP,
    JOB_QUEUE_ENTRIES,
    Company,
    checked,
)
from integration.simulators.entities import Entity, Field
from integration.simulators.pages_form import (
    EntityForm,
    Line,
    RecordForm,
    bad_input,
    editable,
    number,
)
from integration.simulators.store import Row, Store

CONDITION = re.compile(r"'((?:[^']|'')*)' IS '((?:[^']|'')*)'(?: AND |\Z)")
RATES_PAGE, JOB_QUEUE_PAGE = "483", "672"
CARDS = {
    "21": ("Customer Card", CUSTOMERS),
    "495": ("Currency Card", CURRENCIES),
    "118": ("General Ledger Setup", GENERAL_LEDGER_SETUP),
}
AMOUNTS = ("exchangeRateAmount", "relationalExchangeRateAmount")
#: Who saves on these pages.
PERSON = "person"


def business_central_form(
    store: Store, options: Mapping[str, str]
) -> RecordForm | None:
    """The form that ``company``, ``page`` and ``filter`` lead to, if it exists."""
    rows = store.table("bc:companies").find("name", options.get("company", ""))
    wanted = conditions(options.get("filter", ""))
    page = options.get("page", "")
    if not rows or wanted is None:
        return None
    company = Company(store, rows[0].id, str(rows[0].values["name"]))
    if page == RATES_PAGE:
        code = wanted.get("Currency Code", "")
        known = company.table(CURRENCIES).find("code", code)
        return Rates(company, known[0]) if known else None
    if page == JOB_QUEUE_PAGE:
        return JobQueue(company, JOB_QUEUE_ENTRIES, "Job Queue Entries")
    if page not in CARDS:
        return None
    kind, entity = CARDS[page]
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


class BusinessCentralForm(EntityForm):
    def __init__(self, company: Company, entity: Entity, kind: str) -> None:
        super().__init__(company.store, entity, company.table(entity))
        self.company = company
        self.system = f"Business Central · {company.name}"
        self.kind = kind

    def title(self) -> str:
        return self.kind

    def value(self, row: Row, field: Field) -> Any:
        """As stored; an option is never empty."""
        return row.values.get(field.name) or field.blank

    def parsed(self, field: Field, text: str) -> Any:
        if field.type in ("decimal", "int"):
            return number(field, text)
        if field.type != "date":
            return text
        try:
            return date.fromisoformat(text.strip()).isoformat()
        except ValueError as error:
            message = f"{field.caption}: {text.strip()} is not a date like 2026-01-31."
            raise bad_input(message) from error

    def write(self, row: Row | None, changes: dict[str, Any]) -> None:
        values = checked(self.company, self.entity, changes, row)
        if row:
            self.table.update(row, values, PERSON)
        else:
            self.table.insert(values, by=PERSON)


class Card(BusinessCentralForm):
    """One record of one set."""

    def __init__(self, company: Company, entity: Entity, kind: str, row: Row) -> None:
        super().__init__(company, entity, kind)
        self._first = row
        self.deletable = entity is CUSTOMERS

    def title(self) -> str:
        row = self.table.get(self._first.id) or self._first
        return str(row.values.get("displayName") or self.kind)

    def lines(self) -> Iterator[Line]:
        row = self.table.get(self._first.id)
        yield Line("General", editable(self.entity), row)

    def delete(self) -> None:
        self.table.delete(self._first.id, PERSON)


class JobQueue(BusinessCentralForm):
    """Job Queue Entries: each can be put on hold."""

    def lines(self) -> Iterator[Line]:
        status = [self.entity.by_name["status"]]
        for row in self.table.rows():
            legend = str(row.values.get("description") or row.id)
            yield Line(legend, status, row, f"{row.id}-")


class Rates(BusinessCentralForm):
    """The exchange rates of one currency, oldest first, and a blank one to add."""

    asked = AMOUNTS

    def __init__(self, company: Company, currency: Row) -> None:
        super().__init__(company, EXCHANGE_RATES, "Currency Exchange Rates")
        self._code = str(currency.values["code"])
        self._name = str(currency.values.get("displayName", ""))

    def title(self) -> str:
        return f"{self._code} {self._name}".strip()

    def lines(self) -> Iterator[Line]:
        fields = [self.entity.by_name[name] for name in ("startingDate", *AMOUNTS)]
        found = self.table.find("currencyCode", self._code)
        for row in sorted(found, key=lambda row: str(row.values["startingDate"])):
            yield Line(f"From {row.values['startingDate']}", fields, row, f"{row.id}-")
        today = {"startingDate": self.store.now().date().isoformat()}
        yield Line("New exchange rate", fields, None, "new-", today)

    def write(self, row: Row | None, changes: dict[str, Any]) -> None:
        if row is None:
            day = changes["startingDate"]
            known = self.table.find("currencyCode", self._code)
            if any(row.values["startingDate"] == day for row in known):
                raise bad_input(
                    f"The {self.entity.label} already exists. Identification fields and"
                    f" values: Currency Code='{self._code}',Starting Date='{day}'"
                )
            owner = {"currencyCode": self._code, "relationalCurrencyCode": ""}
            changes = owner | changes
        super().write(row, changes)
