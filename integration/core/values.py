"""One form for a value of either system, so that equal values compare equal."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from operator import itemgetter
from typing import Any

BLANK_ID = "00000000-0000-0000-0000-000000000000"
RATE_PLACES = 10
"""Decimals are compared, and rates sent, with this many places (protocols §3.3)."""

_UNKEPT = re.compile("[\x00\ud800-\udfff]")
# Built once: ``json.dumps`` with options builds an encoder at every call.
_sorted = json.JSONEncoder(sort_keys=True, default=str).encode
_quoted = json.encoder.encode_basestring_ascii
_BLANKS = frozenset({"", "_x0020_", BLANK_ID, "0001-01-01", "0001-01-01T00:00:00Z"})
_WRITTEN_BLANKS = _BLANKS - {""}


class ValueKind(StrEnum):
    """How a value is compared."""

    TEXT = "text"
    CODE = "code"
    """Business Central stores it in upper case, without outer blanks."""
    DECIMAL = "decimal"
    REFERENCE = "reference"
    """Names another record: a code here, a lookup there."""


def is_blank(value: Any) -> bool:
    """Null, or one of the ways Business Central writes nothing (protocols §2.2)."""
    if isinstance(value, str):
        return not value or value.strip() in _BLANKS
    return value is None


def forms_of(kind: ValueKind) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What makes the canonical forms of values of this kind.

    That is what is compared, stored and sent; "" when blank. It fits into JSON.
    """
    return _FORMS[kind]


def clean(text: str) -> str:
    """Without what no database keeps: NUL and halves of a character (promise 13)."""
    if text.isascii() and "\x00" not in text:
        return text  # Most are.
    return _UNKEPT.sub("", text)


def labels(column: Sequence[Any]) -> Sequence[str]:
    """As a person knows records by these; "" where nothing is there."""
    return column if _are_printable(column) else [*map(_label, column)]


def _label(value: Any) -> str:
    return clean(written(value or ""))


def written(value: Any) -> str:
    """As text, also what no column holds: a list could not even be put aside."""
    return _sorted(value) if isinstance(value, list | dict) else str(value)


def digest(values: Mapping[str, Any]) -> str:
    """The same for equal canonical values, in any order."""
    return hashlib.sha256(_sorted(values).encode()).hexdigest()


def digest_of(names: Sequence[str]) -> Callable[[Mapping[str, Any]], str]:
    """What makes the ``digest`` of those of these values that are there.

    Mostly all are there, and texts: so they are written at once, which takes a third of
    the time of an encoder.
    """
    ordered = sorted(names)
    if len(ordered) < 2:  # ``itemgetter`` makes no tuple of one
        return lambda values: digest({n: values[n] for n in ordered if n in values})
    chosen = itemgetter(*ordered)
    fields = (f"{_quoted(name)}: ".replace("%", "%%") + "%s" for name in ordered)
    form = "{" + ", ".join(fields) + "}"

    def digest_them(values: Mapping[str, Any]) -> str:
        try:
            text = form % tuple(map(_quoted, chosen(values)))
        except (KeyError, TypeError):
            return digest({name: values[name] for name in ordered if name in values})
        return hashlib.sha256(text.encode()).hexdigest()

    return digest_them


def _are_printable(column: Sequence[Any]) -> bool:
    """Whether all are texts that hold nothing to clean away."""
    try:
        return "".join(column).isprintable()
    except TypeError:
        return False


def _are_plain(column: Sequence[Any]) -> bool:
    """Whether all are printable, and those blank that are empty: as most columns are,
    whose values so need not be looked at one by one."""
    if not _are_printable(column):
        return False
    bare = [*map(str.strip, column)]
    return bare.count("") == column.count("") and _WRITTEN_BLANKS.isdisjoint(bare)


def _texts(column: Sequence[Any]) -> Sequence[Any]:
    return column if _are_plain(column) else [*map(_text, column)]


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return "" if value.strip() in _BLANKS else clean(value)
    if value is None:
        return ""
    return written(value) if isinstance(value, Decimal | list | dict) else value


def _codes(column: Sequence[Any]) -> Sequence[str]:
    if _are_plain(column):
        return [*map(str.upper, map(str.strip, column))]
    return [*map(_code, column)]


def _code(value: Any) -> str:
    return "" if is_blank(value) else clean(written(value)).strip().upper()


def _decimals(column: Sequence[Any]) -> Sequence[str]:
    return [*map(_decimal, column)]


def _decimal(value: Any) -> str:
    if is_blank(value):
        return ""
    text = written(value)
    try:
        rounded = round(Decimal(text), RATE_PLACES)
    except InvalidOperation:
        return text
    return f"{rounded.normalize():f}"


_FORMS: Mapping[ValueKind, Callable[[Sequence[Any]], Sequence[Any]]] = {
    ValueKind.TEXT: _texts,
    ValueKind.CODE: _codes,
    ValueKind.DECIMAL: _decimals,
    ValueKind.REFERENCE: _codes,
}


def as_code(number: str) -> str:
    """Sales compares them without case, and Business Central has them in capitals."""
    return _code(number)
