"""TableMap: one Business Central entity joined to one Sales table, as a value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from integration.core.answers import ConflictRule, DeletionRule
from integration.core.records import Direction, System
from integration.core.values import (
    ValueKind,
    digest_of,
    forms_of,
    is_blank,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """``field`` ``op`` ``value``; ``op`` is eq, ne or in. All blanks are equal."""

    field: str
    op: str
    value: Any

    def holds(self, found: Any) -> bool:
        """Whether a record passes whose ``field`` this was found in."""
        if self.op == "in":
            return _plain(found) in [_plain(value) for value in self.value]
        equal = found == self.value or bool(_plain(found) == _plain(self.value))
        return equal if self.op == "eq" else not equal


Filter = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class FieldMap:
    """One field joined to one column.

    ``ways`` are the directions its values travel in. A ``constant`` has no Business
    Central field and is written on creation only, like everything ``create_only``.
    ``is_virtual`` values are computed, not read. A blank value here stands for that of
    the field ``default_from``. ``match`` 0 takes no part in matching.
    """

    bc: str
    sales: str
    ways: frozenset[Direction]
    kind: ValueKind = ValueKind.TEXT
    constant: Any = None
    lookup: str = ""
    lookup_table: str = ""
    create_only: bool = False
    is_virtual: bool = False
    default_from: str = ""
    match: int = 0

    @property
    def is_two_way(self) -> bool:
        return len(self.ways) == len(Direction)

    def name(self, system: System) -> str:
        """The property an answer of this system holds it in; "" when it has none."""
        if system is System.BUSINESS_CENTRAL:
            return "" if self.is_virtual else self.bc
        return f"_{self.sales}_value" if self.lookup else self.sales


class Source(NamedTuple):
    """Where the values of the field ``name`` are read from, and what makes their
    forms."""

    name: str
    column: str
    forms: Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True)
class TableMap:
    """Both sides of a mapping, its fields and filters.

    ``bc_label`` and ``sales_label`` name the number and the name a person knows a
    record by. A record outside its side's filter is left alone. ``conflict`` and
    ``deletion`` are what the mapping answers by itself.
    """

    name: str
    entity: str
    table: str
    ways: frozenset[Direction]
    fields: tuple[FieldMap, ...]
    bc_filter: Filter = ()
    sales_filter: Filter = ()
    only_coupled: bool = False
    bc_label: tuple[str, str] = ("", "")
    sales_label: tuple[str, str] = ("", "")
    conflict: ConflictRule = ConflictRule.NONE
    deletion: DeletionRule = DeletionRule.NONE

    def place(self, system: System) -> str:
        """The entity or table of this system."""
        return self.entity if system is System.BUSINESS_CENTRAL else self.table

    def filter(self, system: System) -> Filter:
        bc = system is System.BUSINESS_CENTRAL
        return self.bc_filter if bc else self.sales_filter

    def label(self, system: System) -> tuple[str, str]:
        return self.bc_label if system is System.BUSINESS_CENTRAL else self.sales_label

    def columns(self, system: System) -> tuple[str, ...]:
        """What to ask this system for, each once, always in the same order."""
        named = [mapped.name(system) for mapped in self.fields]
        judged = [condition.field for condition in self.filter(system)]
        wanted = dict.fromkeys([*named, *self.label(system), *judged])
        return tuple(name for name in wanted if name)

    @cached_property
    def values(self) -> tuple[FieldMap, ...]:
        """The fields that hold a value on both sides: all but the constants."""
        return tuple(mapped for mapped in self.fields if mapped.bc)

    @cached_property
    def two_way(self) -> tuple[str, ...]:
        """The fields a conflict can be about: each side may change them."""
        return tuple(
            mapped.bc
            for mapped in self.values
            if mapped.is_two_way and not mapped.create_only
        )

    @cached_property
    def leaving(self) -> Mapping[System, tuple[str, ...]]:
        """By system, the fields whose changes there go to the other one."""
        return {
            system: tuple(
                mapped.bc
                for mapped in self.values
                if not mapped.create_only
                and any(way.source is system for way in mapped.ways)
            )
            for system in System
        }

    @cached_property
    def sources(self) -> Mapping[System, tuple[Source, ...]]:
        """By system, where the values of each field are read from."""
        return {
            system: tuple(
                Source(
                    mapped.bc,
                    mapped.name(system) or mapped.bc,
                    forms_of(mapped.kind),
                )
                for mapped in self.values
            )
            for system in System
        }

    @cached_property
    def not_created(self) -> tuple[str, ...]:
        """The fields that a new record in Sales does not get."""
        carried = self.carried[Direction.TO_SALES]
        return tuple(mapped.bc for mapped in self.values if mapped.bc not in carried)

    @cached_property
    def lookups(self) -> tuple[tuple[str, str], ...]:
        """The fields whose value names another record, and by which mapping."""
        return tuple((f.bc, f.lookup) for f in self.values if f.lookup)

    @cached_property
    def looked_up(self) -> tuple[tuple[Source, str], ...]:
        """Where each of ``lookups`` is read from in Sales, and by which mapping."""
        kinds = dict(self.lookups)
        sources = self.sources[System.SALES]
        return tuple((s, kinds[s.name]) for s in sources if s.name in kinds)

    @cached_property
    def computed(self) -> Mapping[System, tuple[tuple[str, str], ...]]:
        """By system, the fields that nobody may know, and where they are read from."""
        virtual = {mapped.bc for mapped in self.values if mapped.is_virtual}
        return {
            system: tuple((s.name, s.column) for s in sources if s.name in virtual)
            for system, sources in self.sources.items()
        }

    @cached_property
    def digests(self) -> Mapping[System, Callable[[Mapping[str, Any]], str]]:
        """By system, what makes the check sum of the values that leave it."""
        return {system: digest_of(names) for system, names in self.leaving.items()}

    @cached_property
    def as_they_are(self) -> Mapping[System, Mapping[str, str]]:
        """By system, the columns of the fields whose values are written as they are."""
        decimal = ValueKind.DECIMAL
        made = reversed(self.values)  # As ``field``: of two the first.
        plain = [f for f in made if not f.lookup and f.kind is not decimal]
        return {
            System.BUSINESS_CENTRAL: {mapped.bc: mapped.bc for mapped in plain},
            System.SALES: {mapped.bc: mapped.sales for mapped in plain},
        }

    @cached_property
    def plainly_carried(self) -> Mapping[Direction, tuple[tuple[str, str], ...]]:
        """By direction, those of ``carried`` that are written as they are, with their
        columns."""
        return {
            way: tuple((name, plain[name]) for name in names if name in plain)
            for way, names in self.carried.items()
            for plain in [self.as_they_are[way.destination]]
        }

    @cached_property
    def otherwise_carried(self) -> Mapping[Direction, tuple[str, ...]]:
        """By direction, the others of ``carried``."""
        return {
            way: tuple(n for n in names if n not in self.as_they_are[way.destination])
            for way, names in self.carried.items()
        }

    @cached_property
    def carried(self) -> Mapping[Direction, tuple[str, ...]]:
        """By direction, the fields whose values a new record gets."""
        return {
            way: tuple(mapped.bc for mapped in self.values if way in mapped.ways)
            for way in Direction
        }

    @cached_property
    def constants(self) -> Mapping[Direction, Mapping[str, Any]]:
        """By direction, what else a new record gets."""
        constant = [mapped for mapped in self.fields if not mapped.bc]
        return {
            way: {f.sales: f.constant for f in constant if way in f.ways}
            for way in Direction
        }

    @cached_property
    def defaults(self) -> tuple[tuple[str, str], ...]:
        """The fields whose blank stands for another one's value, and which one's."""
        return tuple((f.bc, f.default_from) for f in self.values if f.default_from)

    @cached_property
    def matching(self) -> tuple[tuple[int, tuple[FieldMap, ...]], ...]:
        """The fields that match together, by their priority."""
        priorities = sorted({mapped.match for mapped in self.values if mapped.match})
        return tuple(
            (priority, tuple(f for f in self.values if f.match == priority))
            for priority in priorities
        )

    def field(self, bc: str) -> FieldMap:
        """Raises ``KeyError``."""
        return self._by_name[bc]

    @cached_property
    def _by_name(self) -> Mapping[str, FieldMap]:
        return {mapped.bc: mapped for mapped in reversed(self.values)}


@dataclass(frozen=True, slots=True)
class References:
    """What the couplings of another mapping say: which code is which Sales record.

    ``blank`` is the code that a blank stands for (the local currency). ``lost`` are
    codes whose coupled record in Sales is gone or inactive.
    """

    sales_ids: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    blank: str = ""
    lost: frozenset[str] = frozenset()


def travelling(
    table: TableMap, system: System, values: Mapping[str, Any]
) -> dict[str, Any]:
    """The values that leave this side when they change: what its hash is made of."""
    return {name: values[name] for name in table.leaving[system] if name in values}


def hash_of(table: TableMap, system: System, values: Mapping[str, Any]) -> str:
    return table.digests[system](values)


def _plain(value: Any) -> Any:
    return "" if is_blank(value) else value
