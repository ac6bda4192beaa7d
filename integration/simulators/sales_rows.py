"""A stored row as Dataverse prints it, and as a query reads it."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from integration.simulators import odata
from integration.simulators.http import iso
from integration.simulators.sales_entities import TABLES, Column, Entity, Kind
from integration.simulators.store import Row, Store

__all__ = ["Printer", "as_json", "etag", "query_columns", "reader"]

Getter = Callable[[Row], Any]

STAMP_GETTERS: dict[str, Getter] = {
    "createdon": lambda row: row.created_at.replace(microsecond=0),
    "modifiedon": lambda row: row.modified_at.replace(microsecond=0),
    "modifiedby": lambda row: row.modified_by if "-" in row.modified_by else None,
    "versionnumber": lambda row: row.version,
}

QUERY_KINDS = {
    Kind.BOOLEAN: "bool",
    Kind.DATETIME: "moment",
    Kind.GUID: "guid",
    Kind.LOOKUP: "guid",
    Kind.MEMO: "text",
    Kind.STRING: "text",
}

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
IS_ETAG = re.compile(r'W/"(\d+)"\Z')


def etag(row: Row) -> str:
    return f'W/"{row.version}"'


def version_of(text: str) -> int | None:
    """The version in an ETag; None when it is not one of ours."""
    found = IS_ETAG.match(text)
    return int(found[1]) if found else None


def reader(entity: Entity, column: Column) -> Getter:
    """How to get the value of a column from a row; moments stay moments."""
    if column.name == entity.key:
        return lambda row: row.id
    if column.name in STAMP_GETTERS:
        return STAMP_GETTERS[column.name]
    name, default = column.name, column.default
    return lambda row: row.values.get(name, default)


def query_columns(entity: Entity) -> odata.Columns:
    """The columns of a table by the names that options use."""

    def find(name: str) -> odata.Column | None:
        column = entity.by_read_name.get(name)
        if column is None:
            return None
        kind = QUERY_KINDS.get(column.kind, "number")
        return odata.Column(name, reader(entity, column), kind, name == entity.key)

    return find


def as_json(value: Any) -> Any:
    """Moments with whole seconds; everything else as it is."""
    return iso(value) if hasattr(value, "tzinfo") else value


class Printer:
    """Prints rows of one table with the chosen columns (None: all).

    ``annotations``: what ``odata.include-annotations`` asked for; "" means nothing.
    """

    def __init__(
        self,
        store: Store,
        entity: Entity,
        select: Iterable[str] | None = None,
        annotations: str = "",
    ) -> None:
        names = list(entity.by_read_name if select is None else select)
        if entity.key not in names:
            names.append(entity.key)
        self._store = store
        self._columns = [entity.by_read_name[name] for name in names]
        self._readers = [(c.read_name, reader(entity, c)) for c in self._columns]
        self._annotated = "*" in annotations or FORMATTED in annotations
        self._entity = entity
        self.context = f"{entity.set_name}({','.join(names)})"

    def __call__(self, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {"@odata.etag": etag(row)}
        for name, read in self._readers:
            found[name] = as_json(read(row))
        if self._annotated:
            found.update(self._annotations(found))
        return found

    def _annotations(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for column in self._columns:
            name, value = column.read_name, values[column.read_name]
            if value is None:
                continue
            if column.kind is Kind.LOOKUP:
                found[f"{name}@{FORMATTED}"] = self._name_of(column, value)
                found[f"{name}@{LOGICAL_NAME}"] = column.target
            elif column.options:
                found[f"{name}@{FORMATTED}"] = column.options.get(value, str(value))
        return found

    def _name_of(self, column: Column, id: str) -> str:
        target = TABLES.get(column.target)
        row = self._store.table(target.place).get(id) if target else None
        return str(row.values.get(target.title) or "") if row and target else ""
