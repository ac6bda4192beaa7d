"""The record pages of Sales: accounts, currencies, users and security roles."""

from collections.abc import Iterator, Mapping
from typing import Any

from integration.simulators.entities import LOOKUP, Field
from integration.simulators.pages_form import (
    EntityForm,
    Form,
    Input,
    Options,
    RecordForm,
    Section,
    bad_input,
    number,
)
from integration.simulators.pages_lists import Currencies
from integration.simulators.sales_read import as_json
from integration.simulators.sales_security import (
    ALL_PRIVILEGES,
    PRIVILEGED,
    VERBS,
    person,
    privilege,
)
from integration.simulators.sales_tables import (
    ACCOUNT,
    CURRENCY,
    ROLE,
    TABLES,
    USER,
    table_of,
)
from integration.simulators.sales_write import BIND, Writer
from integration.simulators.store import Row, Store

SHOWN = {table.logical: table for table in (ACCOUNT, CURRENCY, USER, ROLE)}
LIST = "entitylist"
ROLE_BOX, PRIVILEGE_BOX, DISABLED = "role:", "privilege:", "isdisabled"


def sales_form(store: Store, options: Mapping[str, str]) -> RecordForm | None:
    """The form of ``main.aspx?etn=…&id=…``; None when there is no such record.

    Of the lists (``pagetype=entitylist&etn=…``) only that of currencies is kept.
    """
    logical = options.get("etn", "")
    if options.get("pagetype") == LIST:
        return Currencies(store) if logical == CURRENCY.logical else None
    if logical not in SHOWN:
        return None
    row = table_of(store, SHOWN[logical]).get(options.get("id", "").strip("{}"))
    return SalesForm(store, logical, row) if row else None


class SalesForm(EntityForm):
    """One row of one table as a page."""

    system = "Dynamics 365 Sales"
    also_shown = DISABLED

    def __init__(self, store: Store, logical: str, row: Row) -> None:
        entity = SHOWN[logical]
        super().__init__(entity, table_of(store, entity), row)
        self._store = store
        self._writer = Writer(store, person(store))
        self.kind = self.legend = entity.label
        self.deletable = entity is ACCOUNT

    def title(self) -> str:
        return str(self.row.values.get(self.entity.title) or "(no name)")

    def value(self, field: Field) -> Any:
        return as_json(self.row.values.get(field.name, field.default))

    def options(self, field: Field) -> Options:
        if field.type == LOOKUP:
            return (("", ""), *self._targets(field))
        known = super().options(field)
        return (("", ""), *known) if known and self.value(field) is None else known

    def parsed(self, field: Field, text: str) -> Any:
        text = text.strip()
        if not text:
            return None
        if field.type in ("Decimal", "Money"):
            return number(field, text)
        try:
            return int(text) if field.options or field.type == "Integer" else text
        except ValueError as error:
            raise bad_input(f"{field.caption}: {text} is not a number.") from error

    def save(self, form: Form) -> None:
        """Only what was changed is written, by the rules of the API."""
        payload = dict(self._payload(form))
        extra = self._box_changes(form)
        with self._store.transaction():
            if payload:
                self._writer.update(self.entity, self.row, payload)
            if extra:
                self.table.update(self.row, extra, person(self._store).user_id)

    def delete(self) -> None:
        self._writer.delete(self.entity, self.row)

    def _targets(self, field: Field) -> Iterator[tuple[str, str]]:
        target = TABLES[field.target]
        for row in table_of(self._store, target).rows():
            code = row.values.get("isocurrencycode") or row.values.get(target.title)
            yield row.id, str(code)

    def _payload(self, form: Form) -> Iterator[tuple[str, Any]]:
        for field, value in self.changes(form):
            if field.type == LOOKUP:
                target = TABLES[field.target].set_name
                yield f"{field.name}{BIND}", value and f"/{target}({value})"
            elif field.name != DISABLED:
                yield field.name, value

    def more(self) -> Iterator[Section]:
        values = self.row.values
        if self.entity is USER:
            held = set(values.get("roles", ()))
            inputs = tuple(
                Input(f"{ROLE_BOX}{role.id}", role.values["name"], role.id in held)
                for role in table_of(self._store, ROLE).rows()
            )
            yield Section("Security roles", inputs)
        if self.entity is ROLE:
            granted = values.get("privileges", ())
            for table in PRIVILEGED:
                names = [(verb, privilege(verb, table)) for verb in VERBS]
                inputs = tuple(
                    Input(f"{PRIVILEGE_BOX}{name}", f"{verb} ({name})", name in granted)
                    for verb, name in names
                )
                yield Section(f"Privileges: {table}", inputs)

    def _box_changes(self, form: Form) -> dict[str, Any]:
        """Roles of a user, privileges of a role; those no box stands for stay."""
        before = self.row.values
        found: dict[str, Any] = {}
        if self.entity is USER:
            found["roles"] = sorted(ticked(form, ROLE_BOX))
            found[DISABLED] = DISABLED in form
        if self.entity is ROLE:
            kept = set(before.get("privileges", ())) - ALL_PRIVILEGES
            found["privileges"] = sorted(kept | ticked(form, PRIVILEGE_BOX))
        return {
            name: value
            for name, value in found.items()
            if value != (before.get(name) or type(value)())
        }


def ticked(form: Form, prefix: str) -> set[str]:
    return {name.removeprefix(prefix) for name in form if name.startswith(prefix)}
