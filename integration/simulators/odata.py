"""Query options: parsed once, then run on the rows of a table."""

import base64
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cmp_to_key
from typing import Any, NamedTuple

from integration.simulators.http import dumps, iso, loads
from integration.simulators.odata_filter import (
    Column,
    Columns,
    Dialect,
    Filter,
    ODataError,
    compile_filter,
)
from integration.simulators.store import Row, Table

Order = tuple[tuple[Column, bool], ...]  # bool: descending


class Expand(NamedTuple):
    """One navigation property and its own options, as written."""

    name: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """The options of one request; None where they were not given.

    ``place``: where the page before ended, from a skip token.
    """

    select: tuple[str, ...] | None = None
    filter: Filter | None = None
    order: Order = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    expand: tuple[Expand, ...] = ()
    place: list[Any] | None = None

    def rows(self, table: Table) -> list[Row]:
        """Every match, in order."""
        found = list(_candidates(self.filter, table))
        if self.filter:
            found = [row for row in found if self.filter.test(row)]
        for column, descending in reversed(self.order):
            get = column.get
            found.sort(key=lambda row: _sort_key(get(row)), reverse=descending)
        return found

    def page(self, rows: list[Row], size: int) -> tuple[list[Row], str | None]:
        """Up to ``size`` rows after the skip token, and the next token.

        The token is a place in the order, not a number of rows, so records that
        come or go between two pages shift nothing.
        """
        start = self.skip if self.place is None else self._start(rows, self.place)
        stop = len(rows) if self.top is None else start + self.top
        chosen = rows[start : min(stop, start + size)]
        end = start + len(chosen)
        if not chosen or end >= min(stop, len(rows)):
            return chosen, None
        last = chosen[-1]
        place = [*(column.get(last) for column, _ in self.order), last.born]
        rest = None if self.top is None else self.top - len(chosen)
        token = base64.urlsafe_b64encode(dumps([place, rest])).decode()
        return chosen, token.rstrip("=")

    def _start(self, rows: list[Row], place: list[Any]) -> int:
        directions = [descending for _, descending in self.order] + [False]
        wanted = [_sort_key(value) for value in place]

        def position(row: Row | None) -> list[Any]:
            if row is None:
                return wanted
            values = [column.get(row) for column, _ in self.order]
            return [_sort_key(value) for value in (*values, row.born)]

        def compare(row: Row | None, other: Row | None) -> int:
            sides = zip(position(row), position(other), directions, strict=True)
            for a, b, descending in sides:
                if a != b:
                    return 1 if (a > b) != descending else -1
            return 0

        key = cmp_to_key(compare)
        return bisect_right(rows, key(None), key=key)


def parse_query(
    options: Mapping[str, str], columns: Columns, dialect: Dialect
) -> Query:
    """Raises ODataError. Options that are not ours are left to the side."""
    if "$skip" in options and not dialect.skip:
        raise ODataError("Skip Clause is not supported in CRM")
    place, top = None, _whole(options, "$top")
    if token := options.get("$skiptoken"):
        place, rest = read_skiptoken(token)
        top = top if rest is None else rest
    select = [name.strip() for name in options.get("$select", "").split(",")]
    for name in filter(None, select):
        _known(columns, name, name)
    text = options.get("$filter")
    return Query(
        select=tuple(select) if any(select) else None,
        filter=compile_filter(text, columns, dialect) if text else None,
        order=tuple(_order(options.get("$orderby", ""), columns)),
        top=top,
        skip=_whole(options, "$skip") or 0,
        count=options.get("$count", "").lower() == "true",
        expand=tuple(_expand(options.get("$expand", ""))),
        place=place,
    )


def read_skiptoken(token: str) -> tuple[list[Any], int | None]:
    """The place after which to go on, and how many rows ``$top`` still allows."""
    try:
        place, rest = loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError) as error:
        raise ODataError("The skip token is not valid.") from error
    if not isinstance(place, list) or not isinstance(rest, int | None):
        raise ODataError("The skip token is not valid.")
    return place, rest


def _known(columns: Columns, name: str, written: str) -> Column:
    column = columns(name)
    if column is None:
        raise ODataError(f"Could not find a property named '{written}'")
    return column


def _order(text: str, columns: Columns) -> Iterator[tuple[Column, bool]]:
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            name = part
        yield _known(columns, name, part), direction.strip() == "desc"


def _expand(text: str) -> Iterator[Expand]:
    for part in split_outside(text, ","):
        name, _, inside = part.strip().partition("(")
        pairs = (option.partition("=") for option in split_outside(inside[:-1], ";"))
        yield Expand(name, {key.strip(): value for key, _, value in pairs})


def split_outside(text: str, separator: str) -> list[str]:
    """Split where the separator is not inside parentheses; no empty parts."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]


def _whole(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is not None and not text.isdecimal():
        raise ODataError(f"Invalid value '{text}' for {name} query option found.")
    return None if text is None else int(text)


def _candidates(chosen: Filter | None, table: Table) -> Iterable[Row]:
    """The rows a filter pins, by an index if there is one, in insertion order."""
    if chosen is None or chosen.pinned is None:
        return table.rows()
    column, values = chosen.pinned
    if column.key:
        keyed = (table.get(value) for value in values if isinstance(value, str))
        found = [row for row in keyed if row]
    elif table.has_index(column.name):
        found = [row for value in values for row in table.find(column.name, value)]
    else:
        return table.rows()
    return sorted(found, key=lambda row: row.born)


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Absent values first; a moment as it is written in a skip token."""
    if isinstance(value, datetime):
        return True, iso(value, milliseconds=True).casefold()
    if isinstance(value, str):
        return True, value.casefold()
    return value is not None, value if value is not None else 0
