"""What a Business Central entity is: a table of data that everything walks.

Answers, validation, ``$metadata`` and the filter columns are all read from it, so
a new entity is new data and no new code.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from xml.sax.saxutils import quoteattr

from integration.simulators.odata import Column
from integration.simulators.store import Row

ZERO_ID = "00000000-0000-0000-0000-000000000000"
_EDM = {
    "text": "Edm.String",
    "code": "Edm.String",
    "enum": "Edm.String",
    "guid": "Edm.Guid",
    "decimal": "Edm.Decimal",
    "int": "Edm.Int32",
    "bool": "Edm.Boolean",
    "date": "Edm.Date",
    "moment": "Edm.DateTimeOffset",
}
_BLANK: dict[str, Any] = {
    "text": "",
    "code": "",
    "enum": " ",
    "guid": ZERO_ID,
    "decimal": 0,
    "int": 0,
    "bool": False,
    "date": "0001-01-01",
    "moment": "0001-01-01T00:00:00Z",
}
_FILTER_KINDS = {"code": "text", "enum": "text", "decimal": "number", "int": "number"}


@dataclass(frozen=True, slots=True)
class Relation:
    """The set whose field a value must be found in; an empty set allows all."""

    set_name: str
    field: str
    caption: str


@dataclass(frozen=True)
class Field:
    """One property. ``required`` must not be blank; ``type`` code is upper-cased.

    ``caption`` is the field's name in the table, used in error texts and in the
    filters of deep links.
    """

    name: str
    type: str = "text"
    max_length: int = 0
    caption: str = ""
    read_only: bool = False
    create_only: bool = False
    update_only: bool = False
    required: bool = False
    values: tuple[str, ...] = ()
    relation: Relation | None = None

    @property
    def blank(self) -> Any:
        return self.values[0] if self.values else _BLANK[self.type]

    @property
    def edm_type(self) -> str:
        return _EDM[self.type]

    @property
    def label(self) -> str:
        return self.caption or self.name

    def reader(self) -> Callable[[Row], Any]:
        """How a row's value is read; absent ones are blank, never null."""
        name, blank = self.name, self.blank
        if name == "id":
            return lambda row: row.id
        if name in ("lastModifiedDateTime", "systemModifiedAt"):
            return lambda row: row.modified_at
        if name == "systemCreatedAt":
            return lambda row: row.created_at
        if self.type == "enum":
            return lambda row: escape_enum(row.values.get(name) or blank)
        return lambda row: row.values.get(name, blank)


@dataclass(frozen=True)
class Entity:
    """One set. ``number`` and ``caption`` are those of its table in BC.

    ``key`` is the field that must be unique beside the id; ``series`` the first
    number given to records that come without one.
    """

    set_name: str
    logical_name: str
    caption: str
    number: int
    fields: tuple[Field, ...]
    key: str = ""
    series: str = ""
    verbs: frozenset[str] = frozenset()
    in_company: bool = True
    indexes: tuple[str, ...] = ()  # of fields that are read as they are stored

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @property
    def key_field(self) -> Field:
        return self.by_name[self.key or "id"]

    def columns(
        self, readers: dict[str, Callable[[Row], Any]]
    ) -> Callable[[str], Column | None]:
        """The columns a filter may name, with the readers of this request."""

        def column(name: str) -> Column | None:
            field = self.by_name.get(name)
            if field is None:
                return None
            kind = _FILTER_KINDS.get(field.type, field.type)
            return Column(name, readers[name], kind, key=name == "id")

        return column


@lru_cache(maxsize=512)
def escape_enum(value: str) -> str:
    """``Non-Inventory`` as ``Non_x002D_Inventory``; blank as ``_x0020_``."""
    if re.search(r"_x[0-9A-F]{4}_", value):
        return value
    return re.sub(r"\W", lambda sign: f"_x{ord(sign[0]):04X}_", value or " ")


def unescape_enum(value: str) -> str:
    plain = re.sub(r"_x([0-9A-F]{4})_", lambda code: chr(int(code[1], 16)), value)
    return plain if plain.strip() else " "


def metadata(namespace: str, entities: Iterable[Entity]) -> str:
    """The EDMX document of these entities."""
    chosen = list(entities)
    types = "".join(_entity_type(entity) for entity in chosen)
    sets = "".join(
        f'<EntitySet Name="{entity.set_name}"'
        f' EntityType="{namespace}.{entity.logical_name}"/>'
        for entity in chosen
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        f'<edmx:DataServices><Schema Namespace="{namespace}"'
        f' xmlns="http://docs.oasis-open.org/odata/ns/edm">{types}'
        f'<EntityContainer Name="NAV">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )


def _entity_type(entity: Entity) -> str:
    properties = "".join(_property(field) for field in entity.fields)
    return (
        f'<EntityType Name="{entity.logical_name}"><Key><PropertyRef Name="id"/></Key>'
        f"{properties}</EntityType>"
    )


def _property(field: Field) -> str:
    facets = f' MaxLength="{field.max_length}"' if field.max_length else ""
    if field.type == "decimal":
        facets = ' Scale="Variable"'
    if field.name == "id":
        facets = ' Nullable="false"'
    name = quoteattr(field.name)
    return f"<Property Name={name} Type={quoteattr(field.edm_type)}{facets}/>"
