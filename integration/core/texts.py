"""Texts from outside, made safe to store: cleaned and bounded with a mark."""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["bounded", "cleaned", "storable"]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MARK = "\n… [cut: {size} bytes in all]"


def cleaned(text: str) -> str:
    """Without what a database refuses: NUL and lone surrogates become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def bounded(text: str, limit_bytes: int) -> str:
    """Cleaned, and cut with a mark where its UTF-8 is longer than the limit."""
    text = cleaned(text)
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
