"""What an entity of either side is: a table of data that everything walks.

Answers, validation, ``$metadata`` and the filter columns are all read from it, so
a new entity is new data and no new code.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from integration.simulators.http import GUID
from integration.simulators.odata_filter import Column, Columns, Getter

ZERO_ID = "00000000-0000-0000-0000-000000000000"
ALWAYS, ON_CREATE, ON_UPDATE, NEVER = "always", "on create", "on update", "never"
LOOKUP = "Lookup"


class Type(NamedTuple):
    """Its name in OData, how a filter compares it, and what an absent value is."""

    edm: str
    kind: str
    blank: Any = None


#: Business Central's types, then Dataverse's by the names of its metadata.
TYPES = {
    "text": Type("String", "text", ""),
    "code": Type("String", "text", ""),  # upper-cased and trimmed
    "enum": Type("String", "text", " "),
    "guid": Type("Guid", "guid", ZERO_ID),
    "decimal": Type("Decimal", "number", 0),
    "int": Type("Int32", "number", 0),
    "bool": Type("Boolean", "bool", False),
    "date": Type("Date", "date", "0001-01-01"),
    "moment": Type("DateTimeOffset", "moment", "0001-01-01T00:00:00Z"),
    "BigInt": Type("Int64", "number"),
    "Boolean": Type("Boolean", "bool"),
    "DateTime": Type("DateTimeOffset", "moment"),
    "Decimal": Type("Decimal", "number"),
    "Integer": Type("Int32", "number"),
    LOOKUP: Type("Guid", "guid"),
    "Memo": Type("String", "text"),
    "Money": Type("Decimal", "number"),
    "Picklist": Type("Int32", "number"),
    "State": Type("Int32", "number"),
    "Status": Type("Int32", "number"),
    "String": Type("String", "text"),
    "Uniqueidentifier": Type("Guid", "guid"),
}
#: What the platforms keep of every row themselves. Dataverse knows whole seconds.
KEPT: dict[str, Getter] = {
    "lastModifiedDateTime": lambda row: row.modified_at,
    "systemModifiedAt": lambda row: row.modified_at,
    "systemCreatedAt": lambda row: row.created_at,
    "createdon": lambda row: row.created_at.replace(microsecond=0),
    "modifiedon": lambda row: row.modified_at.replace(microsecond=0),
    "modifiedby": lambda row: row.modified_by if "-" in row.modified_by else None,
    "versionnumber": lambda row: row.version,
}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


#: What may be sent, by name in OData; everything else is a text.
_FITS: dict[str, Callable[[Any], bool]] = {
    "Boolean": lambda value: type(value) is bool,
    "Decimal": lambda value: type(value) in (int, Decimal),
    "Guid": lambda value: _is_text(value) and bool(GUID.match(value)),
    "Int32": lambda value: type(value) is int,
    "Int64": lambda value: type(value) is int,
}


class Relation(NamedTuple):
    """The set whose field a value must be found in; an empty set allows all."""

    set_name: str
    field: str
    label: str


@dataclass(frozen=True)
class Field:
    """One property or column. ``required`` must not be blank.

    ``label`` is its name on a page and in Business Central's texts and links, "" for
    what no page shows. ``options`` are the values it may have, with their labels;
    ``target`` is the logical name of a lookup's table.
    """

    name: str
    type: str
    length: int = 0
    label: str = ""
    writable: str = ALWAYS
    required: bool = False
    options: Mapping[Any, str] = field(default_factory=dict)
    relation: Relation | None = None
    target: str = ""
    default: Any = None

    @property
    def caption(self) -> str:
        return self.label or self.name

    @property
    def is_flag(self) -> bool:
        return TYPES[self.type].edm == "Boolean"

    @property
    def edm(self) -> str:
        return f"Edm.{TYPES[self.type].edm}"

    @property
    def read_name(self) -> str:
        """How it is called in answers, ``$select`` and ``$filter``."""
        return f"_{self.name}_value" if self.type == LOOKUP else self.name

    @property
    def blank(self) -> Any:
        """The value of a row that has none."""
        if self.type == "enum":
            return next(iter(self.options))
        return TYPES[self.type].blank if self.default is None else self.default

    def fits(self, value: Any) -> bool:
        return _FITS.get(TYPES[self.type].edm, _is_text)(value)

    def may_be_sent(self, *, creating: bool) -> bool:
        return self.writable in (ALWAYS, ON_CREATE if creating else ON_UPDATE)

    def reader(self) -> Getter:
        name, blank = self.name, self.blank
        if name in KEPT:
            return KEPT[name]
        if self.type == "enum":
            return lambda row: escape_enum(row.values.get(name) or blank)
        return lambda row: row.values.get(name, blank)


@dataclass(frozen=True)
class Entity:
    """One set. ``number`` and ``label`` are those of its table.

    In Business Central ``key`` is the field that must be unique beside the id, and
    ``series`` the first number given to records that come without one. In Sales
    ``privilege`` is the name inside ``prvWrite…`` and ``title`` names a row.
    """

    set_name: str
    logical: str
    label: str
    number: int
    fields: tuple[Field, ...]
    id_name: str = "id"
    indexes: tuple[str, ...] = ()  # of fields that are read as they are stored
    key: str = ""
    series: str = ""
    verbs: tuple[str, ...] = ()
    in_company: bool = True
    privilege: str = ""
    title: str = ""
    tracked: bool = True

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @cached_property
    def by_read_name(self) -> dict[str, Field]:
        return {field.read_name: field for field in self.fields}

    @cached_property
    def readers(self) -> dict[str, Getter]:
        """How a row's values are read; moments stay moments."""
        readers = {field.read_name: field.reader() for field in self.fields}
        return {**readers, self.id_name: lambda row: row.id}

    def columns(self, readers: Mapping[str, Getter]) -> Columns:
        """What options may name, with the readers of this request."""

        def column(name: str) -> Column | None:
            found = self.by_read_name.get(name)
            if found is None:
                return None
            kind = TYPES[found.type].kind
            return Column(name, readers[name], kind, key=name == self.id_name)

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


def read_entities(file: str) -> dict[str, Entity]:
    """The tables of a data file beside this module, by the name of their set."""
    rows = tomllib.loads(Path(__file__).with_name(file).read_text("utf-8"))
    return {name: _entity(name, row) for name, row in rows.items()}


def _entity(name: str, row: dict[str, Any]) -> Entity:
    fields = tuple(_field(**values) for values in row.pop("fields"))
    indexes, verbs = tuple(row.pop("indexes", ())), tuple(row.pop("verbs", ()))
    return Entity(name, fields=fields, indexes=indexes, verbs=verbs, **row)


def _field(options: Any = (), relation: Any = None, **row: Any) -> Field:
    """Numbered options have labels; the others stand for themselves."""
    if isinstance(options, dict):
        labels = {int(value): label for value, label in options.items()}
    else:
        labels = {value: value.strip() or "(blank)" for value in options}
    return Field(
        **row, options=labels, relation=Relation(*relation) if relation else None
    )


def edmx(
    entities: Iterable[Entity], namespace: str, container: str, alias: str = ""
) -> str:
    """The ``$metadata`` document; with an alias it puts blanks before each ``/``."""
    prefix, end = (alias, " />") if alias else (namespace, "/>")
    types, sets = "", ""
    for entity in entities:
        fields = "".join(_property(field, prefix, end) for field in entity.fields)
        key = f'<Key><PropertyRef Name="{entity.id_name}"{end}</Key>'
        types += f'<EntityType Name="{entity.logical}">{key}{fields}</EntityType>'
        sets += f'<EntitySet Name="{entity.set_name}"'
        sets += f' EntityType="{prefix}.{entity.logical}"{end}'
    known_as = f' Alias="{alias}"' if alias else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        f'<edmx:DataServices><Schema Namespace="{namespace}"{known_as}'
        f' xmlns="http://docs.oasis-open.org/odata/ns/edm">{types}'
        f'<EntityContainer Name="{container}">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )


def _property(field: Field, prefix: str, end: str) -> str:
    facets = f' MaxLength="{field.length}"' if field.length else ""
    if field.type == "decimal":
        facets = ' Scale="Variable"'
    if field.name == "id":
        facets = ' Nullable="false"'
    name = quoteattr(field.read_name)
    tag = f'<Property Name={name} Type="{field.edm}"{facets}{end}'
    if field.type == LOOKUP:
        target = f'Type="{prefix}.{field.target}"'
        tag += f'<NavigationProperty Name="{field.name}" {target}{end}'
    return tag
