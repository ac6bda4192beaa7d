"""The Dataverse tables of protocols §3.3, read from their data file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = [
    "ACCOUNT",
    "CURRENCY",
    "ENTITIES",
    "ORGANIZATION",
    "ROLE",
    "TABLES",
    "USER",
    "Column",
    "Entity",
    "Kind",
    "Writable",
]


class Kind(StrEnum):
    """Attribute types by the names Dataverse's metadata gives them."""

    BIGINT = "BigInt"
    BOOLEAN = "Boolean"
    DATETIME = "DateTime"
    DECIMAL = "Decimal"
    GUID = "Uniqueidentifier"
    INTEGER = "Integer"
    LOOKUP = "Lookup"
    MEMO = "Memo"
    MONEY = "Money"
    PICKLIST = "Picklist"
    STATE = "State"
    STATUS = "Status"
    STRING = "String"

    @property
    def edm(self) -> str:
        """The OData type a column of this kind has."""
        return f"Edm.{EDM.get(self.value, 'String')}"


EDM = {
    "BigInt": "Int64",
    "Boolean": "Boolean",
    "DateTime": "DateTimeOffset",
    "Decimal": "Decimal",
    "Integer": "Int32",
    "Lookup": "Guid",
    "Money": "Decimal",
    "Picklist": "Int32",
    "State": "Int32",
    "Status": "Int32",
    "Uniqueidentifier": "Guid",
}


class Writable(StrEnum):
    """When a column may be sent."""

    ALWAYS = "always"
    ON_CREATE = "on create"
    ON_UPDATE = "on update"
    NEVER = "never"


@dataclass(frozen=True)
class Column:
    """One column. ``target`` is the logical name of a lookup's table."""

    name: str
    kind: Kind
    length: int = 0
    label: str = ""
    writable: Writable = Writable.ALWAYS
    options: Mapping[int, str] = field(default_factory=dict)
    target: str = ""
    default: Any = None

    @property
    def read_name(self) -> str:
        """How the column is called in answers, ``$select`` and ``$filter``."""
        return f"_{self.name}_value" if self.kind is Kind.LOOKUP else self.name


@dataclass(frozen=True)
class Entity:
    """One table. ``privilege`` is its name inside ``prvWrite…``, ``code`` its OTC."""

    logical: str
    set_name: str
    privilege: str
    label: str
    code: int
    title: str
    columns: tuple[Column, ...]
    tracked: bool = True

    @property
    def key(self) -> str:
        return f"{self.logical}id"

    @property
    def place(self) -> str:
        """The name of its table in the store."""
        return f"sales:{self.set_name}"

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def by_read_name(self) -> dict[str, Column]:
        return {column.read_name: column for column in self.columns}


def _column(row: dict[str, Any]) -> Column:
    options = {int(value): label for value, label in row.pop("options", {}).items()}
    kind, writable = Kind(row.pop("kind")), Writable(row.pop("writable", "always"))
    return Column(**row, kind=kind, writable=writable, options=options)


def _entity(logical: str, row: dict[str, Any]) -> Entity:
    columns = tuple(_column(column) for column in row.pop("columns"))
    return Entity(logical, columns=columns, **row)


_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
#: By logical name.
TABLES = {logical: _entity(logical, row) for logical, row in _ROWS.items()}
#: By the name in the address.
ENTITIES = {entity.set_name: entity for entity in TABLES.values()}

ACCOUNT = TABLES["account"]
CURRENCY = TABLES["transactioncurrency"]
ORGANIZATION = TABLES["organization"]
ROLE = TABLES["role"]
USER = TABLES["systemuser"]
