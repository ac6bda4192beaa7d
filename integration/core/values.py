"""One form for a value of either system, so that equal values compare equal."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

BLANK_ID = "00000000-0000-0000-0000-000000000000"
RATE_PLACES = 10
"""Decimals are compared, and rates sent, with this many places (protocols §3.3)."""

_UNKEPT = re.compile("[\x00\ud800-\udfff]")
# Built once: ``json.dumps`` with options builds an encoder at every call.
_sorted = json.JSONEncoder(sort_keys=True, default=str).encode
_quoted = json.encoder.encode_basestring_ascii
_BLANKS = frozenset({"", "_x0020_", BLANK_ID, "0001-01-01", "0001-01-01T00:00:00Z"})
_MAY_BE_BLANK = frozenset({""}.union(" ", (blank[:1] for blank in _BLANKS)))
"""What a printable text begins with that stands for nothing. Such texts hold nothing to
clean away either: most values are known by these two signs to be in their form."""


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


def form_of(kind: ValueKind) -> Callable[[Any], Any]:
    """What makes the canonical form of a value of this kind.

    That is what is compared, stored and sent; "" when blank. It fits into JSON.
    """
    return _FORMS[kind]


def clean(text: str) -> str:
    """Without what no database keeps: NUL and halves of a character (promise 13)."""
    if text.isascii() and "\x00" not in text:
        return text  # Most are.
    return _UNKEPT.sub("", text)


def label(value: Any) -> str:
    """As a person knows a record by it; "" where nothing is there."""
    if isinstance(value, str) and value.isprintable():
        return value
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
    fields = (f"{_quoted(name)}: ".replace("%", "%%") + "%s" for name in ordered)
    form = "{" + ", ".join(fields) + "}"

    def digest_them(values: Mapping[str, Any]) -> str:
        try:
            text = form % tuple(map(_quoted, map(values.__getitem__, ordered)))
        except (KeyError, TypeError):
            return digest({name: values[name] for name in ordered if name in values})
        return hashlib.sha256(text.encode()).hexdigest()

    return digest_them


def _text(value: Any) -> Any:
    if isinstance(value, str):
        if value.isprintable() and value[:1] not in _MAY_BE_BLANK:
            return value
        return "" if value.strip() in _BLANKS else clean(value)
    if value is None:
        return ""
    return written(value) if isinstance(value, Decimal | list | dict) else value


def _code(value: Any) -> str:
    if isinstance(value, str) and value.isprintable():
        found = value.strip().upper()
        return "" if value[:1] in _MAY_BE_BLANK and is_blank(value) else found
    return "" if is_blank(value) else clean(written(value)).strip().upper()


def _decimal(value: Any) -> str:
    if is_blank(value):
        return ""
    text = written(value)
    try:
        rounded = round(Decimal(text), RATE_PLACES)
    except InvalidOperation:
        return text
    return f"{rounded.normalize():f}"


_FORMS: Mapping[ValueKind, Callable[[Any], Any]] = {
    ValueKind.TEXT: _text,
    ValueKind.CODE: _code,
    ValueKind.DECIMAL: _decimal,
    ValueKind.REFERENCE: _code,
}


def as_code(number: str) -> str:
    """Sales compares them without case, and Business Central has them in capitals."""
    return _code(number)
