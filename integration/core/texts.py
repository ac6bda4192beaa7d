"""Texts from outside, made safe to read and store: cleaned, bounded with a mark."""

import re
from collections.abc import Mapping
from typing import Any

LARGEST_KEY = 10**18 - 1
"""No key of a row is longer; SQLite cannot even compare much longer numbers."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_COMMANDING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_MARK = "\n… [cut: {size} bytes in all]"


def cleaned(text: str) -> str:
    """Without what a database refuses: NUL and lone surrogates become U+FFFD."""
    try:
        text.encode()  # Most have neither, and this tells it quickest.
    except UnicodeEncodeError:
        return _UNSTORABLE.sub("\ufffd", text)
    return text.replace("\x00", "\ufffd")


def on_one_line(text: str) -> str:
    """For a terminal, which would do what the signs of a name tell it to; a line is one
    entry for scripts, too."""
    return _COMMANDING.sub(" ", text)


def read_number(text: str, most: int = LARGEST_KEY) -> int | None:
    """A whole number up to ``most`` as typed in plain digits; anything else is none."""
    digits = text.lstrip("0") or text[-1:]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(most)):
        return None
    number = int(digits)
    return number if number <= most else None


def bounded(text: str, limit_bytes: int) -> str:
    """Cleaned, and cut with a mark where its UTF-8 is longer than the limit."""
    text = cleaned(text)
    if len(text) * 4 <= limit_bytes:
        return text
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    mark = _MARK.format(size=len(encoded))
    kept = encoded[: limit_bytes - len(mark.encode())]
    return kept.decode(errors="ignore") + mark


def storable(value: Any) -> Any:
    """A JSON value with cleaned texts; decimals and moments become text."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, Mapping):
        return {cleaned(str(key)): storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
