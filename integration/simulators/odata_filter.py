"""``$filter`` as one Python predicate.

It also says where a condition pins a field to a few values (``id eq … or id eq …``,
``in``), so that only those rows need to be looked at.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from integration.simulators.store import Row

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
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_PYTHON_TYPES: dict[str, type] = {
    "moment": datetime,
    "number": Decimal,
    "bool": bool,
    "text": str,
    "guid": str,
    "date": str,
}
_EXPECTED = "Expression expected"
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
Token = tuple[str, str, int]  # kind, word, place
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


def compile_filter(
    text: str, columns: Columns, dialect: Dialect | None = None
) -> Filter:
    """Raises ODataError for what cannot be parsed or names no property."""
    return _Parser(text, columns, dialect or Dialect()).parse()


class _Parser:
    """Recursive descent; chains of ``or`` and ``and`` are loops, not depth."""

    def __init__(self, text: str, columns: Columns, dialect: Dialect) -> None:
        self._text = text
        self._columns = columns
        self._dialect = dialect
        self._tokens = list(_tokens(text))
        self._next = 0

    def parse(self) -> Filter:
        found = self._either()
        if self._peek()[0] != "end":
            raise self._unexpected("Syntax error")
        return found

    def _either(self) -> Filter:
        parts, fields = self._chain("or", self._both)
        if len(parts) == 1:
            return parts[0]
        if len(fields) > 1 and not self._dialect.or_distinct_fields:
            raise ODataError(
                "The 'OR' operator is not supported on distinct fields on an"
                " OData filter."
            )
        pinned = _union(part.pinned for part in parts) if len(fields) == 1 else None
        if pinned and all(part.exact for part in parts):
            return self._one_of(*pinned)
        tests = [part.test for part in parts]
        return Filter(lambda row: any(test(row) for test in tests), fields, pinned)

    def _both(self) -> Filter:
        parts, fields = self._chain("and", self._negated)
        if len(parts) == 1:
            return parts[0]
        pins = [part.pinned for part in parts if part.pinned]
        best = min(pins, key=lambda pin: (not pin[0].key, len(pin[1])), default=None)
        tests = [part.test for part in parts]
        return Filter(lambda row: all(test(row) for test in tests), fields, best)

    def _chain(
        self, word: str, part: Callable[[], Filter]
    ) -> tuple[list[Filter], frozenset[str]]:
        """The parts between the words, and the fields they name."""
        parts = [part()]
        while self._take("word", word):
            parts.append(part())
        return parts, frozenset[str]().union(*(part.fields for part in parts))

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
        if self._peek()[1] in _TESTS:
            return self._text_test(self._advance()[1])
        column, get = self._operand()
        sign = self._advance()[1]
        if sign == "in":
            return self._one_of(column, frozenset(self._list(column)), get)
        value = self._literal(column)
        wanted = _PYTHON_TYPES.get(column.kind, object)
        if value is not None and not isinstance(value, wanted):
            raise ODataError(
                "A binary operator with incompatible types was detected for"
                f" '{column.name}'."
            )
        equal = self._one_of(column, frozenset({value}), get)
        if sign == "eq":
            return equal
        if sign == "ne":
            return Filter(lambda row: not equal.test(row), equal.fields)
        if sign not in _COMPARE:
            raise self._unexpected("Syntax error")
        read, compare = get or self._getter(column), _COMPARE[sign]

        def test(row: Row) -> bool:
            found = read(row)
            return found is not None and value is not None and compare(found, value)

        return Filter(test, equal.fields)

    def _text_test(self, name: str) -> Filter:
        self._expect("(")
        column, changed = self._operand()
        self._expect(",")
        test, wanted = _TESTS[name], str(self._literal(column))
        self._expect(")")
        get = changed or self._getter(column)
        return Filter(
            lambda row: test(get(row) or "", wanted), frozenset({column.name})
        )

    def _operand(self) -> tuple[Column, Getter | None]:
        """The column, and how to read it when a function stands around it."""
        kind, word, _ = self._advance()
        if word in _CHANGES:
            self._expect("(")
            column, inner = self._operand()
            self._expect(")")
            change, read = _CHANGES[word], inner or column.get
            return column, lambda row: change(read(row) or "")
        found = self._columns(word) if kind == "word" else None
        if found is None:
            raise ODataError(f"Could not find a property named '{word}'")
        return found, None

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
        kind, word, _ = self._advance()
        if kind == "word" and word in _WORDS:
            return _WORDS[word]
        if kind == "text":
            text = word[1:-1].replace("''", "'")
            folds = column.kind == "guid" or self._dialect.ignore_case
            return text.lower() if folds else text
        if kind == "number":
            return Decimal(word)
        if kind == "moment":
            return _moment(word)
        if kind in ("guid", "date"):
            return _moment(word) if column.kind == "moment" else word.lower()
        raise self._unexpected("Syntax error" if kind == "word" else _EXPECTED)

    def _one_of(
        self, column: Column, values: frozenset[Any], get: Getter | None = None
    ) -> Filter:
        # A changed operand still pins: indexes are looked up without case.
        read = get or self._getter(column)
        fields = frozenset({column.name})
        pin = (column, values)
        return Filter(lambda row: read(row) in values, fields, pin, get is None)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        found = self._peek()
        if found[0] == "end":
            raise self._unexpected(_EXPECTED)
        self._next += 1
        return found

    def _take(self, kind: str, word: str) -> bool:
        found = self._peek()[:2] == (kind, word)
        self._next += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._take("sign", sign):
            raise self._unexpected(f"'{sign}' expected")

    def _unexpected(self, what: str) -> ODataError:
        return ODataError(f"{what} at position {self._peek()[2]} in '{self._text}'.")


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise ODataError(f"Syntax error at position {place} in '{text}'.")
        yield found.lastgroup, found[found.lastgroup], place
        place = found.end()
    yield "end", "", place


def _union(pins: Iterable[Pin | None]) -> Pin | None:
    values: frozenset[Any] = frozenset()
    column = None
    for pin in pins:
        if pin is None:
            return None
        column, values = pin[0], values | pin[1]
    return (column, values) if column else None


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
