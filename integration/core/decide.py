"""What must happen to a coupled pair: a three-way decision per field."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from integration.core.answers import Winners, winners
from integration.core.mapping import FieldMap, TableMap
from integration.core.records import Direction, System

_UNKNOWN = object()
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Decision(NamedTuple):
    """Fields to write on each side, in mapping order; ``agreed`` joins the base.

    ``agreed`` holds the fields that need no write; a field that was written joins the
    base after. In a conflict nothing is written, and the base stays as it is.
    ``answered``: there was a conflict, and a rule or a person said who wins.
    """

    to_sales: tuple[str, ...] = ()
    to_bc: tuple[str, ...] = ()
    conflict: bool = False
    agreed: Mapping[str, Any] = _NOTHING
    answered: bool = False

    @property
    def in_step(self) -> bool:
        return not (self.to_sales or self.to_bc or self.conflict)

    def fields(self, way: Direction) -> tuple[str, ...]:
        return self.to_sales if way is Direction.TO_SALES else self.to_bc


_AS_BEFORE = Decision()
"""Made once: nearly every pair of a full comparison is as it was."""


def decide(
    table: TableMap,
    base: Mapping[str, Any] | None,
    bc: Mapping[str, Any],
    sales: Mapping[str, Any],
    chosen: Winners | None = None,
) -> Decision:
    """Compare both sides with what they last agreed on.

    Changed on one side: the other follows. Two-way values changed on both sides, on the
    same or different fields, are a conflict unless all of them are equal now; then the
    mapping's rule says who wins, or nobody does. One-way values follow their source
    whatever the other side holds. A field without base meets for the first time: a
    blank here is filled from Sales, otherwise the value here goes to Sales (promise
    11).

    ``chosen`` is a person's answer for every field that differs. It holds even where
    half of it was written, so that what is left is no conflict any more.
    """
    if bc is sales or bc == sales:
        return _AS_BEFORE if base == bc else Decision(agreed=bc)
    known = _NOTHING if base is None else base
    won = _winners(table, known, bc, sales, chosen)
    if won is None:
        return Decision(conflict=True)
    to_sales, to_bc, agreed = [], [], {}
    for mapped in table.values:
        name = mapped.bc
        if name not in bc or name not in sales:
            continue
        here, there = bc[name], sales[name]
        if here == there:
            agreed[name] = here
            continue
        way = _way(mapped, known.get(name, _UNKNOWN), here, there, won)
        if way is Direction.TO_SALES:
            to_sales.append(name)
        elif way is Direction.TO_BUSINESS_CENTRAL:
            to_bc.append(name)
        else:
            agreed[name] = _agreed(mapped, here, there)
    return Decision(tuple(to_sales), tuple(to_bc), agreed=agreed, answered=bool(won))


def changed_on_both(
    table: TableMap,
    base: Mapping[str, Any],
    bc: Mapping[str, Any],
    sales: Mapping[str, Any],
) -> list[str]:
    """What a conflict is about: none where each side changed other fields."""
    return [
        name
        for name in table.two_way
        if name in base and name in bc and name in sales
        if base[name] != bc[name] != sales[name] != base[name]
    ]


def _winners(
    table: TableMap,
    base: Mapping[str, Any],
    bc: Mapping[str, Any],
    sales: Mapping[str, Any],
    chosen: Winners | None,
) -> Winners | None:
    """Who wins a conflict, empty where there is none; ``None`` if nobody can say."""
    held = [name for name in table.two_way if name in bc and name in sales]
    differing = [name for name in held if bc[name] != sales[name]]
    if chosen is not None and chosen.keys() >= set(differing):
        return chosen
    if differing and _both_changed(held, base, bc, sales):
        return winners(table.conflict, differing, base, bc, sales)
    return {}


def _both_changed(
    names: Sequence[str],
    base: Mapping[str, Any],
    bc: Mapping[str, Any],
    sales: Mapping[str, Any],
) -> bool:
    met = [name for name in names if name in base]
    return any(bc[name] != base[name] for name in met) and any(
        sales[name] != base[name] for name in met
    )


def _from(system: System) -> Direction:
    return next(way for way in Direction if way.source is system)


def _way(
    mapped: FieldMap, base: Any, bc: Any, sales: Any, won: Winners
) -> Direction | None:
    if mapped.create_only:
        return None
    if mapped.bc in won:
        return _from(won[mapped.bc])
    if not mapped.is_two_way:
        way = next(iter(mapped.ways))
        source = bc if way is Direction.TO_SALES else sales
        changed = source != "" if base is _UNKNOWN else source != base
        return way if changed else None
    if base is _UNKNOWN:
        return Direction.TO_BUSINESS_CENTRAL if bc == "" else Direction.TO_SALES
    return Direction.TO_SALES if bc != base else Direction.TO_BUSINESS_CENTRAL


def _agreed(mapped: FieldMap, bc: Any, sales: Any) -> Any:
    """What the next decision compares with: of a one-way value, that of its source."""
    return bc if Direction.TO_SALES in mapped.ways else sales
