"""Snapshots: records of one side, with their mapped values in canonical form.

Thousands are made at once, column by column: what is the same for all values of a
column is looked at once.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from integration.core.mapping import Filter, References, TableMap
from integration.core.records import Record, System
from integration.core.values import labels

_Read = Sequence[Mapping[str, Any]]


class Snapshot(NamedTuple):
    """One record of one side, its mapped values in canonical form by the field here.

    ``passes`` tells whether the filter of its side lets it through; ``check`` is the
    check sum of what leaves its side when it changes.
    """

    id: str
    etag: str
    modified_at: datetime | None
    values: Mapping[str, Any]
    number: str = ""
    name: str = ""
    passes: bool = True
    check: str = ""

    @property
    def label(self) -> str:
        """As a person knows it."""
        return f"{self.number} {self.name}".strip()


def snapshots(
    table: TableMap,
    system: System,
    records: Sequence[Record],
    references: Mapping[str, References],
) -> list[Snapshot]:
    """A lookup whose target is not coupled stands as its id: equal only to itself.

    A virtual value that is not there is left out: nobody knows it.
    """
    read = [record.values for record in records]
    sources = table.sources[system]
    found = _columns(read, [column for _, column, _ in sources])
    columns = {
        name: forms(column)
        for (name, _, forms), column in zip(sources, found, strict=True)
    }
    for name, lookup in table.lookups:
        columns[name] = _looked_up(columns[name], system, references.get(lookup))
    if system is System.BUSINESS_CENTRAL:
        for name, other in table.defaults:
            both = zip(columns[name], columns[other], strict=True)
            columns[name] = [own if own != "" else default for own, default in both]
    # With what was read as one more: there may be no columns.
    rows = zip(*columns.values(), read, strict=True)
    values = [dict(zip(columns, row, strict=False)) for row in rows]
    for name, column in table.computed[system]:
        for held, made in zip(read, values, strict=True):
            if column not in held:
                del made[name]
    return _with_values(table, system, records, values)


def as_sent(
    table: TableMap,
    sources: Sequence[Snapshot],
    records: Sequence[Record],
    references: Mapping[str, References],
) -> list[Snapshot]:
    """The ``snapshots`` of records that were created in Sales, each from one of the
    ``sources``, and hold what was sent: the values are those of the source, in their
    form already."""
    system = System.SALES
    if table.computed[system]:
        return snapshots(table, system, records, references)
    read = [record.values for record in records]
    others: dict[str, Sequence[Any]] = dict.fromkeys(
        table.not_created, [""] * len(records)
    )
    for (name, column, forms), lookup in table.looked_up:
        found = forms(_column(read, column))
        others[name] = _looked_up(found, system, references.get(lookup))
    # Mostly they are the same, which then is seen at once.
    values = [source.values for source in sources]
    for name, own in others.items():
        for place, value in enumerate(own):
            if values[place].get(name) != value:
                values[place] = {**values[place], name: value}
    return _with_values(table, system, records, values)


def passing(filter: Filter, read: _Read) -> list[bool]:
    """Which of these it lets through."""
    found = [True] * len(read)
    for condition in filter:
        holds = _of_each(condition.holds, _column(read, condition.field))
        found = [a and b for a, b in zip(found, holds, strict=True)]
    return found


def _with_values(
    table: TableMap,
    system: System,
    records: Sequence[Record],
    values: Sequence[Mapping[str, Any]],
) -> list[Snapshot]:
    if not records:
        return []
    ids, etags, moments, read = zip(*records, strict=True)
    numbers, names = (labels(_column(read, name)) for name in table.label(system))
    passes = passing(table.filter(system), read)
    checks = map(table.digests[system], values)
    return [*map(Snapshot, ids, etags, moments, values, numbers, names, passes, checks)]


def _columns(read: _Read, names: Sequence[str]) -> Sequence[Sequence[Any]]:
    """What these hold under each of these names; "" instead of nothing.

    Mostly each holds all of them, and is looked at once.
    """
    if len(names) < 2 or not read:  # ``itemgetter`` makes no tuple of one
        return [_column(read, name) for name in names]
    try:
        return [*map(_filled, zip(*map(itemgetter(*names), read), strict=True))]
    except KeyError:
        return [_column(read, name) for name in names]


def _column(read: _Read, name: str) -> Sequence[Any]:
    """What these hold there; "" instead of nothing."""
    return _filled([values.get(name, "") for values in read])


def _filled(column: Sequence[Any]) -> Sequence[Any]:
    if None in column:
        return ["" if value is None else value for value in column]
    return column


def _looked_up(
    column: Sequence[Any], system: System, known: References | None
) -> Sequence[Any]:
    if known is None:
        return column
    codes, blank = known.codes, known.blank
    if system is System.SALES:
        return _of_each(lambda key: codes.get(str(key).lower(), key) or blank, column)
    return [code or blank for code in column]


def _of_each(make: Callable[[Any], Any], column: Sequence[Any]) -> list[Any]:
    """What it makes of each value; of those that are the same, which are many, once."""
    try:
        made = {value: make(value) for value in {*column}}
    except TypeError:  # A list, or what else no column holds.
        return [*map(make, column)]
    return [*map(made.__getitem__, column)]
