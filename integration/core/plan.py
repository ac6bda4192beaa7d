"""What is sent to a system: the columns of a creation or an update."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from hashlib import sha1
from typing import Any
from uuid import UUID

from integration.core.mapping import FieldMap, References, TableMap
from integration.core.records import Direction, System

_KEYS = UUID("9e0f5a0c-6a1a-5d6e-9a52-2c1f7c0f4d10")


@dataclass(frozen=True, slots=True)
class Missing:
    """The value names a record that is not coupled: ``waits_for`` "CURRENCY:EUR"."""

    field: str
    lookup: str
    value: str

    @property
    def waits_for(self) -> str:
        return f"{self.lookup}:{self.value}"


@dataclass(slots=True)
class ReviewPlan:
    """What the first contact found, and what accepting it would do (promise 11)."""

    coupled: int = 0
    create_in_sales: int = 0
    create_in_business_central: int = 0
    ambiguous: int = 0
    differ: int = 0
    filtered_out: int = 0


def sales_key(table: TableMap, bc_id: str) -> str:
    """The key of the Sales record made from this one: always the same (promise 1).

    That which ``uuid.uuid5`` makes, in a quarter of its time.
    """
    named = _named(table.table).copy()
    named.update(bc_id.encode())
    key = named.hexdigest()
    variant = _VARIANTS[key[16]]
    return f"{key[:8]}-{key[8:12]}-5{key[13:16]}-{variant}{key[17:20]}-{key[20:32]}"


@cache
def _named(table: str) -> Any:
    """What begins the name of every key of this table."""
    return sha1(_KEYS.bytes + f"{table}:".encode(), usedforsecurity=False)


_VARIANTS = {f"{digit:x}": f"{digit & 0x3 | 0x8:x}" for digit in range(16)}
"""The digit of a UUID that tells by two bits what kind it is."""


def may_be_ours(sales_id: str) -> bool:
    """Whether a key is of the kind that ``sales_key`` makes; few others are."""
    return UUID(sales_id).version == 5


def update(
    table: TableMap,
    way: Direction,
    values: Mapping[str, Any],
    names: Iterable[str],
    references: Mapping[str, References],
) -> dict[str, Any] | Missing:
    """The columns of ``names`` with the values of the source."""
    columns: dict[str, Any] = {}
    system = way.destination
    blank = None if system is System.SALES else ""
    as_they_are = table.as_they_are[system]
    for name in names:
        value = values[name]
        column = as_they_are.get(name)
        if column:
            columns[column] = blank if value == "" else value
            continue
        made = _column(table.field(name), system, value, references)
        if isinstance(made, Missing):
            return made
        columns[made[0]] = made[1]
    return columns


def creation(
    table: TableMap,
    way: Direction,
    values: Mapping[str, Any],
    references: Mapping[str, References],
) -> dict[str, Any] | Missing:
    """All columns of a new record: constants, and the values that are not blank."""
    get = values.get
    columns: dict[str, Any] = {}
    for name in table.otherwise_carried[way]:
        value = get(name, "")
        if value != "":
            made = _column(table.field(name), way.destination, value, references)
            if isinstance(made, Missing):
                return made
            columns[made[0]] = made[1]
    for name, column in table.plainly_carried[way]:
        value = get(name, "")
        if value != "":
            columns[column] = value
    columns.update(table.constants[way])
    return columns


def _column(
    mapped: FieldMap,
    system: System,
    value: Any,
    references: Mapping[str, References],
) -> tuple[str, Any] | Missing:
    if mapped.lookup:
        return _lookup(mapped, system, str(value), references)
    name = mapped.bc if system is System.BUSINESS_CENTRAL else mapped.sales
    if value == "":
        return name, None if system is System.SALES else ""
    return name, Decimal(value)


def _lookup(
    mapped: FieldMap, system: System, value: str, references: Mapping[str, References]
) -> tuple[str, Any] | Missing:
    known = references.get(mapped.lookup, References())
    if system is System.SALES:
        target = known.sales_ids.get(value)
        if target is None:
            return Missing(mapped.bc, mapped.lookup, value)
        return f"{mapped.sales}@odata.bind", f"/{mapped.lookup_table}({target})"
    if value != known.blank and value not in known.sales_ids:
        return Missing(mapped.bc, mapped.lookup, value)
    return mapped.bc, value
