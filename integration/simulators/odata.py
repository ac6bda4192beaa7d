"""Query options: parsed once, then run on the rows of a table.

A filter becomes one Python predicate. Where it pins a field to a few values
(``id eq … or id eq …``, ``in``), only those rows are looked at.
"""

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from integration.simulators.http import dumps, iso, loads
from integration.simulators.store import Row, Table

Getter = Callable[[Row], Any]
Predicate = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))
    | (?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_@$][\w./]*)
    | (?P<sign>[(),])
    )""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda a, b: b in a,
    "startswith": lambda a, b: a.startswith(b),
    "endswith": lambda a, b: a.endswith(b),
}
_PYTHON_TYPES: dict[str, type] = {
    "moment": datetime,
    "number": Decimal,
    "bool": bool,
    "text": str,
    "guid": str,
    "date": str,
}
_WORDS = {"null": None, "true": True, "false": False}
_CHANGES: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper}


class ODataError(ValueError):
    """A query option that cannot be understood or is not supported."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a query reads one property.

    ``kind``: text, guid, moment, date, number or bool; literals are brought to
    the same form before they are compared. ``key`` marks the row's id.
    """

    name: str
    get: Getter
    kind: str = "text"
    key: bool = False


Columns = Callable[[str], Column | None]
Pin = tuple[Column, frozenset[Any]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one side does not support, or does its own way."""

    ignore_case: bool = False
    or_distinct_fields: bool = True
    skip: bool = True


@dataclass(frozen=True, slots=True)
class Filter:
    """``test`` a row. ``pinned``: (column, values) that every match must have.

    ``exact``: having one of the pinned values is the whole condition.
    """

    test: Predicate
    fields: frozenset[str]
    pinned: Pin | None = None
    exact: bool = False


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


def compile_filter(
    text: str, columns: Columns, dialect: Dialect | None = None
) -> Filter:
    """Raises ODataError for what cannot be parsed or names no property."""
    return _Parser(text, columns, dialect or Dialect()).parse()


def read_skiptoken(token: str) -> tuple[list[Any], int | None]:
    """The place after which to go on, and how many rows ``$top`` still allows."""
    try:
        place, rest = loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise ODataError("The skip token is not valid.") from error
    if not isinstance(place, list) or not isinstance(rest, int | None):
        raise ODataError("The skip token is not valid.")
    return place, rest


class _Parser:
    """Recursive descent; chains of ``or`` and ``and`` are loops, not depth."""

    def __init__(self, text: str, columns: Columns, dialect: Dialect) -> None:
        self._text = text
        self._columns = columns
        self._dialect = dialect
        found = list(_tokens(text))
        self._tokens = [(kind, word) for kind, word, _ in found]
        self._places = [place for _, _, place in found]
        self._next = 0

    def parse(self) -> Filter:
        found = self._either()
        if self._peek()[0] != "end":
            raise self._unexpected("Syntax error")
        return found

    def _either(self) -> Filter:
        parts = [self._both()]
        while self._take("word", "or"):
            parts.append(self._both())
        if len(parts) == 1:
            return parts[0]
        fields = frozenset[str]().union(*(part.fields for part in parts))
        if len(fields) > 1 and not self._dialect.or_distinct_fields:
            raise ODataError(
                "The 'OR' operator is not supported on distinct fields on an"
                " OData filter."
            )
        pinned = _union([part.pinned for part in parts]) if len(fields) == 1 else None
        if pinned and all(part.exact for part in parts):
            return self._one_of(*pinned)
        tests = [part.test for part in parts]
        return Filter(lambda row: any(test(row) for test in tests), fields, pinned)

    def _both(self) -> Filter:
        parts = [self._negated()]
        while self._take("word", "and"):
            parts.append(self._negated())
        if len(parts) == 1:
            return parts[0]
        fields = frozenset[str]().union(*(part.fields for part in parts))
        pins = [part.pinned for part in parts if part.pinned]
        pins.sort(key=lambda pin: (not pin[0].key, len(pin[1])))
        tests = [part.test for part in parts]
        return Filter(
            lambda row: all(test(row) for test in tests),
            fields,
            pins[0] if pins else None,
        )

    def _negated(self) -> Filter:
        if self._take("word", "not"):
            inner = self._negated()
            return Filter(lambda row: not inner.test(row), inner.fields)
        if self._take("sign", "("):
            found = self._either()
            self._expect(")")
            return found
        return self._condition()

    def _condition(self) -> Filter:
        kind, word = self._peek()
        if kind == "word" and word in _TESTS:
            return self._text_test(word)
        column, get = self._operand()
        operator = self._advance()[1]
        if operator == "in":
            return self._one_of(column, frozenset(self._list(column)), get)
        value = self._literal(column)
        self._check_kind(column, value)
        if operator == "eq":
            return self._one_of(column, frozenset({value}), get)
        if operator == "ne":
            equal = self._one_of(column, frozenset({value}), get).test
            return Filter(lambda row: not equal(row), frozenset({column.name}))
        if operator not in _COMPARE:
            raise self._unexpected("Syntax error")
        read, compare = get or self._getter(column), _COMPARE[operator]

        def test(row: Row) -> bool:
            found = read(row)
            return found is not None and value is not None and compare(found, value)

        return Filter(test, frozenset({column.name}))

    def _text_test(self, name: str) -> Filter:
        self._advance()
        self._expect("(")
        column, changed = self._operand()
        self._expect(",")
        test, wanted = _TESTS[name], str(self._literal(column))
        self._expect(")")
        get = changed or self._getter(column)
        fields = frozenset({column.name})
        return Filter(lambda row: test(get(row) or "", wanted), fields)

    def _operand(self) -> tuple[Column, Getter | None]:
        """The column, and how to read it when a function stands around it."""
        kind, word = self._advance()
        if kind == "word" and word in _CHANGES:
            self._expect("(")
            column, inner = self._operand()
            self._expect(")")
            change, read = _CHANGES[word], inner or column.get
            return column, lambda row: change(read(row) or "")
        column_or_none = self._columns(word) if kind == "word" else None
        if column_or_none is None:
            raise ODataError(f"Could not find a property named '{word}'")
        return column_or_none, None

    def _getter(self, column: Column) -> Getter:
        get, folds = column.get, column.kind == "text" and self._dialect.ignore_case
        if column.kind == "moment":
            return lambda row: _moment(get(row))
        if folds or column.kind == "guid":
            return lambda row: _folded(get(row))
        return get

    def _list(self, column: Column) -> Iterator[Any]:
        self._expect("(")
        yield self._literal(column)
        while self._take("sign", ","):
            yield self._literal(column)
        self._expect(")")

    def _literal(self, column: Column) -> Any:
        kind, word = self._advance()
        if kind == "word":
            if word not in _WORDS:
                raise self._unexpected("Syntax error")
            return _WORDS[word]
        if kind == "text":
            text = word[1:-1].replace("''", "'")
            folds = column.kind == "guid" or self._dialect.ignore_case
            return text.lower() if folds else text
        if kind in ("guid", "date"):
            return _moment(word) if column.kind == "moment" else word.lower()
        if kind in ("moment", "number"):
            return _moment(word) if kind == "moment" else Decimal(word)
        raise self._unexpected("Expression expected")

    def _one_of(
        self, column: Column, values: frozenset[Any], get: Getter | None = None
    ) -> Filter:
        # A changed operand still pins: indexes are looked up without case.
        read = get or self._getter(column)
        fields = frozenset({column.name})
        pin = (column, values)
        return Filter(lambda row: read(row) in values, fields, pin, get is None)

    def _check_kind(self, column: Column, value: Any) -> None:
        wanted = _PYTHON_TYPES.get(column.kind, object)
        if value is not None and not isinstance(value, wanted):
            raise ODataError(
                "A binary operator with incompatible types was detected for"
                f" '{column.name}'."
            )

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next]

    def _advance(self) -> tuple[str, str]:
        found = self._tokens[self._next]
        if found[0] == "end":
            raise self._unexpected("Expression expected")
        self._next += 1
        return found

    def _take(self, kind: str, word: str) -> bool:
        if self._peek() == (kind, word):
            self._next += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take("sign", sign):
            raise self._unexpected(f"'{sign}' expected")

    def _unexpected(self, what: str) -> ODataError:
        place = self._places[min(self._next, len(self._places) - 1)]
        return ODataError(f"{what} at position {place} in '{self._text}'.")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise ODataError(f"Syntax error at position {place} in '{text}'.")
        yield found.lastgroup, found[found.lastgroup], place
        place = found.end()
    yield "end", "", place


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


def _union(pins: Iterable[Pin | None]) -> Pin | None:
    values: frozenset[Any] = frozenset()
    column = None
    for pin in pins:
        if pin is None:
            return None
        column, values = pin[0], values | pin[1]
    return (column, values) if column else None


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


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ODataError(f"Invalid date and time '{value}'.") from error
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return None
