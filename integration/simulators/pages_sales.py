"""The record pages of Sales: accounts, currencies, users and security roles."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from integration.simulators.pages_form import Form, RecordForm, bad_input
from integration.simulators.pages_html import Input, Page, Section
from integration.simulators.sales_entities import (
    ACCOUNT,
    CURRENCY,
    ROLE,
    TABLES,
    USER,
    Column,
    Entity,
    Kind,
    Writable,
)
from integration.simulators.sales_rows import as_json
from integration.simulators.sales_security import PRIVILEGED, VERBS, person, privilege
from integration.simulators.sales_values import BIND
from integration.simulators.sales_write import Writer, table_of
from integration.simulators.store import Row, Store

__all__ = ["sales_form"]

SHOWN = {table.logical: table for table in (ACCOUNT, CURRENCY, USER, ROLE)}
ROLE_BOX, PRIVILEGE_BOX, DISABLED = "role:", "privilege:", "isdisabled"


def sales_form(store: Store, options: Mapping[str, str]) -> RecordForm | None:
    """The form of ``main.aspx?etn=…&id=…``; None when there is no such record."""
    entity = SHOWN.get(options.get("etn", ""))
    key = options.get("id", "").strip("{}")
    row = table_of(store, entity).get(key) if entity else None
    if entity is None or row is None:
        return None
    form = SalesForm(store, entity, row)
    return RecordForm(form.show, form.save, form.delete if entity is ACCOUNT else None)


class SalesForm:
    """One row of one table as a page."""

    def __init__(self, store: Store, entity: Entity, row: Row) -> None:
        self._store = store
        self._entity = entity
        self._row = row

    def show(self) -> Page:
        entity, values = self._entity, self._row.values
        inputs = tuple(
            self._input(column) for column in entity.columns if is_shown(entity, column)
        )
        return Page(
            system="Dynamics 365 Sales",
            kind=entity.label,
            title=str(values.get(entity.title) or "(no name)"),
            sections=(Section(entity.label, inputs), *self._boxes()),
            deletable=entity is ACCOUNT,
        )

    def save(self, form: Form) -> None:
        """Only what was changed is written, by the rules of the API."""
        payload = dict(self._changes(form))
        extra = self._box_changes(form)
        with self._store.transaction():
            writer = Writer(self._store, person(self._store))
            if payload:
                writer.update(self._entity, self._row, payload)
            if extra:
                by = person(self._store).user_id
                table_of(self._store, self._entity).update(self._row, extra, by)

    def delete(self) -> None:
        Writer(self._store, person(self._store)).delete(self._entity, self._row)

    def _value(self, column: Column) -> Any:
        return as_json(self._row.values.get(column.name, column.default))

    def _input(self, column: Column) -> Input:
        value = self._value(column)
        options: tuple[tuple[str, str], ...] = ()
        if column.kind is Kind.LOOKUP:
            options = (("", ""), *self._targets(column))
        elif column.options:
            options = tuple((str(key), label) for key, label in column.options.items())
            options = options if value is not None else (("", ""), *options)
        if column.kind is Kind.BOOLEAN:
            return Input(column.name, column.label, bool(value))
        text = "" if value is None else as_text(value)
        editable = column.writable is not Writable.ON_CREATE
        return Input(column.name, column.label, text, options, editable)

    def _targets(self, column: Column) -> Iterator[tuple[str, str]]:
        target = TABLES[column.target]
        for row in table_of(self._store, target).rows():
            code = row.values.get("isocurrencycode") or row.values.get(target.title)
            yield row.id, str(code)

    def _changes(self, form: Form) -> Iterator[tuple[str, Any]]:
        for column in self._entity.columns:
            if not is_shown(self._entity, column) or column.name == DISABLED:
                continue
            if column.kind is not Kind.BOOLEAN and column.name not in form:
                continue
            value = parsed(column, form)
            if value == self._value(column):
                continue
            if column.kind is Kind.LOOKUP:
                target = TABLES[column.target].set_name
                yield f"{column.name}{BIND}", value and f"/{target}({value})"
            else:
                yield column.name, value

    def _boxes(self) -> Iterator[Section]:
        values = self._row.values
        if self._entity is USER:
            held = set(values.get("roles", ()))
            roles = table_of(self._store, ROLE).rows()
            inputs = (
                Input(f"{ROLE_BOX}{r.id}", r.values["name"], r.id in held)
                for r in roles
            )
            yield Section("Security roles", tuple(inputs))
        if self._entity is ROLE:
            for table in PRIVILEGED:
                yield Section(f"Privileges: {table}", tuple(self._privileges(table)))

    def _privileges(self, table: str) -> Iterator[Input]:
        granted = self._row.values.get("privileges", ())
        for verb in VERBS:
            name = privilege(verb, table)
            label = f"{verb} ({name})"
            yield Input(f"{PRIVILEGE_BOX}{name}", label, name in granted)

    def _box_changes(self, form: Form) -> dict[str, Any]:
        """Roles of a user, privileges of a role; those no box stands for stay."""
        before = self._row.values
        found: dict[str, Any] = {}
        if self._entity is USER:
            found["roles"] = sorted(ticked(form, ROLE_BOX))
            found[DISABLED] = DISABLED in form
        if self._entity is ROLE:
            offered = {privilege(verb, table) for verb in VERBS for table in PRIVILEGED}
            kept = set(before.get("privileges", ())) - offered
            found["privileges"] = sorted(kept | ticked(form, PRIVILEGE_BOX))
        return {
            name: value
            for name, value in found.items()
            if value != (before.get(name) or type(value)())
        }


def is_shown(entity: Entity, column: Column) -> bool:
    """Columns with a label; a state shows its reason by itself."""
    if column.name == DISABLED:
        return True
    labelled = bool(column.label) and column.kind is not Kind.STATUS
    return labelled and column.writable is not Writable.NEVER


def as_text(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def parsed(column: Column, form: Form) -> Any:
    """The typed text as the API wants it. Raises 400 for what is no number."""
    if column.kind is Kind.BOOLEAN:
        return column.name in form
    text = form[column.name].strip()
    if not text:
        return None
    try:
        if column.kind in (Kind.DECIMAL, Kind.MONEY):
            return Decimal(text.replace(",", "."))
        return int(text) if column.options or column.kind is Kind.INTEGER else text
    except (InvalidOperation, ValueError) as error:
        raise bad_input(f"{column.label}: {text} is not a number.") from error


def ticked(form: Form, prefix: str) -> set[str]:
    return {name.removeprefix(prefix) for name in form if name.startswith(prefix)}
