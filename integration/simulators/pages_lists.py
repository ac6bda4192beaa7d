"""The list pages that cures lead to: currencies of Sales, job queue entries of BC."""

from integration.simulators.business_central_rules import JOB_QUEUE_ENTRIES, Company
from integration.simulators.entities import Field
from integration.simulators.pages_form import (
    Form,
    Input,
    Page,
    RecordForm,
    Section,
    as_text,
    number,
)
from integration.simulators.sales_security import person
from integration.simulators.sales_tables import CURRENCY, table_of
from integration.simulators.sales_write import Writer
from integration.simulators.store import Row, Store

NEW = "new"
NEW_FIELDS = ("isocurrencycode", "currencyname", "currencysymbol", "exchangerate")
PERSON = "person"


class Currencies(RecordForm):
    """Each can be activated and deactivated; a new one can be added."""

    def __init__(self, store: Store) -> None:
        self._table = table_of(store, CURRENCY)
        self._writer = Writer(store, person(store))

    def show(self) -> Page:
        rows = [Section(self._name(row), (self._state(row),)) for row in self._rows()]
        blank = (Input(f"{NEW}-{f.name}", f.caption, "") for f in self._new_fields())
        sections = (*rows, Section("New currency", tuple(blank)))
        return Page("Dynamics 365 Sales", "Currencies", "All currencies", sections)

    def save(self, form: Form) -> None:
        for row in self._rows():
            state = form.get(row.id, "")
            if state and state != self._state(row).value:
                self._writer.update(CURRENCY, row, {"statecode": int(state)})
        typed = {
            f.name: form.get(f"{NEW}-{f.name}", "").strip() for f in self._new_fields()
        }
        if typed["isocurrencycode"]:
            rate = number(CURRENCY.by_name["exchangerate"], typed["exchangerate"])
            self._writer.create(CURRENCY, {**typed, "exchangerate": rate})

    def _rows(self) -> list[Row]:
        return sorted(self._table.rows(), key=self._name)

    def _name(self, row: Row) -> str:
        return f"{row.values['isocurrencycode']} {row.values['currencyname']}"

    def _state(self, row: Row) -> Input:
        field = CURRENCY.by_name["statecode"]
        options = tuple((str(value), label) for value, label in field.options.items())
        value = as_text(row.values.get("statecode", 0))
        return Input(row.id, field.caption, value, options)

    def _new_fields(self) -> list[Field]:
        return [CURRENCY.by_name[name] for name in NEW_FIELDS]


class JobQueue(RecordForm):
    """Job Queue Entries: each can be put on hold."""

    def __init__(self, company: Company) -> None:
        self._name = company.name
        self._table = company.table(JOB_QUEUE_ENTRIES)

    def show(self) -> Page:
        sections = tuple(
            Section(str(row.values.get("description") or row.id), (self._state(row),))
            for row in self._table.rows()
        )
        system = f"Business Central · {self._name}"
        return Page(system, "Job Queue Entries", "Job Queue Entries", sections)

    def save(self, form: Form) -> None:
        for row in self._table.rows():
            state = form.get(row.id, "")
            if state and state != row.values.get("status"):
                self._table.update(row, {"status": state}, PERSON)

    def _state(self, row: Row) -> Input:
        field = JOB_QUEUE_ENTRIES.by_name["status"]
        options = tuple((str(value), str(value)) for value in field.options)
        return Input(row.id, "Status", str(row.values.get("status", "")), options)
