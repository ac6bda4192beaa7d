"""Query options: parsed once, then run on the rows of a table."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cmp_to_key
from typing import Any

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

__all__ = [
    "Column",
    "Columns",
    "Dialect",
    "Expand",
    "Filter",
    "ODataError",
    "Query",
    "compile_filter",
    "parse_query",
    "read_skiptoken",
    "split_outside",
]


@dataclass(frozen=True, slots=True)
class Expand:
    """One navigation property and its own options, as written."""

    name: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """The options of one request; None where they were not given."""

    select: tuple[str, ...] | None = None
    filter: Filter | None = None
    orderby: tuple[tuple[Column, bool], ...] = ()  # bool: descending
    top: int | None = None
    skip: int = 0
    count: bool = False
    expand: tuple[Expand, ...] = ()
    skiptoken: str | None = None

    def rows(self, table: Table, default_order: Column | None = None) -> list[Row]:
        """Every match, in order; without one, in that of ``default_order``."""
        found = list(_candidates(self.filter, table))
        if self.filter:
            found = [row for row in found if self.filter.test(row)]
        for column, descending in reversed(self._order(default_order)):
            get = column.get
            found.sort(key=lambda row: _sort_key(get(row)), reverse=descending)
        return found

    def page(
        self, rows: list[Row], size: int, default_order: Column | None = None
    ) -> tuple[list[Row], str | None]:
        """Up to ``size`` rows after the skip token, and the next token.

        The token is a place in the order, not a number of rows, so records that
        come or go between two pages shift nothing.
        """
        order = self._order(default_order)
        start = self._start(rows, order) if self.skiptoken else self.skip
        stop = len(rows) if self.top is None else start + self.top
        chosen = rows[start : min(stop, start + size)]
        end = start + len(chosen)
        if not chosen or end >= min(stop, len(rows)):
            return chosen, None
        last = chosen[-1]
        place = [*(column.get(last) for column, _ in order), last.born]
        rest = None if self.top is None else self.top - len(chosen)
        token = base64.urlsafe_b64encode(dumps([place, rest])).decode()
        return chosen, token.rstrip("=")

    def _order(self, default: Column | None) -> tuple[tuple[Column, bool], ...]:
        return self.orderby or (((default, False),) if default else ())

    def _start(self, rows: list[Row], order: tuple[tuple[Column, bool], ...]) -> int:
        place = read_skiptoken(self.skiptoken or "")[0]

        def compare(row: Row | None, other: Row | None) -> int:
            left, right = _place(row, order, place), _place(other, order, place)
            directions = [descending for _, descending in order] + [False]
            for a, b, descending in zip(left, right, directions, strict=True):
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
    token = options.get("$skiptoken")
    rest = read_skiptoken(token)[1] if token else None
    select = [name.strip() for name in options.get("$select", "").split(",")]
    for name in select:
        if name and columns(name) is None:
            raise ODataError(f"Could not find a property named '{name}'")
    text = options.get("$filter")
    return Query(
        select=tuple(select) if any(select) else None,
        filter=compile_filter(text, columns, dialect) if text else None,
        orderby=tuple(_orderby(options.get("$orderby", ""), columns)),
        top=_whole(options, "$top") if rest is None else rest,
        skip=_whole(options, "$skip") or 0,
        count=options.get("$count", "").lower() == "true",
        expand=tuple(_expand(options.get("$expand", ""))),
        skiptoken=token,
    )


def read_skiptoken(token: str) -> tuple[list[Any], int | None]:
    """The place after which to go on, and how many rows ``$top`` still allows."""
    try:
        place, rest = loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise ODataError("The skip token is not valid.") from error
    if not isinstance(place, list) or not isinstance(rest, int | None):
        raise ODataError("The skip token is not valid.")
    return place, rest


def _orderby(text: str, columns: Columns) -> Iterator[tuple[Column, bool]]:
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        column = columns(name)
        if column is None or direction.strip() not in ("", "asc", "desc"):
            raise ODataError(f"Could not find a property named '{part}'")
        yield column, direction.strip() == "desc"


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
    if text is None:
        return None
    if not text.isdecimal():
        raise ODataError(f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _candidates(chosen: Filter | None, table: Table) -> Iterable[Row]:
    if chosen is None or chosen.pinned is None:
        return table.rows()
    column, values = chosen.pinned
    if column.key:
        found = (table.get(value) for value in values if isinstance(value, str))
        return _by_birth(row for row in found if row)
    if table.has_index(column.name):
        return _by_birth(
            row for value in values for row in table.find(column.name, value)
        )
    return table.rows()


def _by_birth(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.born)


def _place(
    row: Row | None, order: tuple[tuple[Column, bool], ...], place: list[Any]
) -> list[Any]:
    """Where a row stands in the order; None is the place of the skip token."""
    if row is None:
        return [_sort_key(value) for value in place]
    return [*(_sort_key(column.get(row)) for column, _ in order), _sort_key(row.born)]


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Absent values first; a moment as it is written in a skip token."""
    if isinstance(value, datetime):
        return True, iso(value, milliseconds=True).casefold()
    if isinstance(value, str):
        return True, value.casefold()
    return value is not None, value if value is not None else 0
