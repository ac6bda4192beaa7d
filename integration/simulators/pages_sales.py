"""The record pages of Sales: accounts, currencies, users and security roles."""

from collections.abc import Iterator, Mapping
from typing import Any

from integration.simulators.entities import LOOKUP, Entity, Field
from integration.simulators.pages_form import (
    EntityForm,
    Form,
    Input,
    Line,
    Options,
    RecordForm,
    Section,
    bad_input,
    editable,
    number,
)
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
        return Currencies(store, CURRENCY) if logical == CURRENCY.logical else None
    if logical not in SHOWN:
        return None
    row = table_of(store, SHOWN[logical]).get(options.get("id", "").strip("{}"))
    return SalesRecord(store, SHOWN[logical], row) if row else None


class SalesForm(EntityForm):
    system = "Dynamics 365 Sales"

    def __init__(self, store: Store, entity: Entity) -> None:
        super().__init__(store, entity, table_of(store, entity))
        self.writer = Writer(store, person(store))

    def value(self, row: Row, field: Field) -> Any:
        return as_json(row.values.get(field.name, field.default))

    def options(self, field: Field, value: Any) -> Options:
        if field.type == LOOKUP:
            return (("", ""), *self._targets(field))
        known = super().options(field, value)
        return (("", ""), *known) if known and value is None else known

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

    def write(self, row: Row | None, changes: dict[str, Any]) -> None:
        payload = dict(self._payload(changes))
        if row is None:
            self.writer.create(self.entity, payload)
        elif payload:
            self.writer.update(self.entity, row, payload)

    def _payload(self, changes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in changes.items():
            field = self.entity.by_name[name]
            if field.type == LOOKUP:
                target = TABLES[field.target].set_name
                yield f"{name}{BIND}", value and f"/{target}({value})"
            elif name != DISABLED:
                yield name, value

    def _targets(self, field: Field) -> Iterator[tuple[str, str]]:
        target = TABLES[field.target]
        for row in table_of(self.store, target).rows():
            code = row.values.get("isocurrencycode") or row.values.get(target.title)
            yield row.id, str(code)


class Currencies(SalesForm):
    """All of them: each can be activated and deactivated; a new one can be added."""

    kind = "Currencies"
    asked = ("isocurrencycode",)

    def title(self) -> str:
        return "All currencies"

    def lines(self) -> Iterator[Line]:
        state = [CURRENCY.by_name["statecode"]]
        names = (*self.asked, "currencyname", "currencysymbol", "exchangerate")
        named = [
            (f"{row.values['isocurrencycode']} {row.values['currencyname']}", row)
            for row in self.table.rows()
        ]
        for name, row in sorted(named, key=lambda pair: pair[0]):
            yield Line(name, state, row, f"{row.id}-")
        fields = [CURRENCY.by_name[name] for name in names]
        yield Line("New currency", fields, None, "new-")

    def write(self, row: Row | None, changes: dict[str, Any]) -> None:
        if row is None:
            changes["exchangerate"] = changes.get("exchangerate") or 0
        super().write(row, changes)


class SalesRecord(SalesForm):
    """One row of one table as a page."""

    def __init__(self, store: Store, entity: Entity, row: Row) -> None:
        super().__init__(store, entity)
        self.kind = entity.label
        self.deletable = entity is ACCOUNT
        self._first = row

    @property
    def row(self) -> Row:
        return self.table.get(self._first.id) or self._first

    def title(self) -> str:
        return str(self.row.values.get(self.entity.title) or "(no name)")

    def lines(self) -> Iterator[Line]:
        yield Line(self.kind, editable(self.entity, DISABLED), self.row)

    def save(self, form: Form) -> None:
        with self.store.transaction():
            super().save(form)
            if extra := self._box_changes(form):
                self.table.update(self.row, extra, person(self.store).user_id)

    def delete(self) -> None:
        self.writer.delete(self.entity, self.row)

    def more(self) -> Iterator[Section]:
        values = self.row.values
        if self.entity is USER:
            held = set(values.get("roles", ()))
            inputs = tuple(
                Input(f"{ROLE_BOX}{role.id}", role.values["name"], role.id in held)
                for role in table_of(self.store, ROLE).rows()
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
