"""Personal values out of what is handed to others: only what is on a list goes."""

from collections.abc import Iterable, Mapping
from typing import Any

PLAIN = frozenset({"number", "code", "currencyCode", "symbol", "exchangeRate"})
"""Fields, as mappings name them, that say nothing of a person."""
_SHORTEST = 4
"""A shorter value, say a country's code, would tear words apart."""


def concealed(field: str, value: Any) -> str:
    """The value as support may see it: itself, or how long it is."""
    if value is None or value == "":
        return "–"
    text = str(value)
    return text if field in PLAIN else f"••• ({len(text)})"


def without_values(
    text: str, sides: Iterable[Mapping[str, Any]], names: Iterable[str]
) -> str:
    """``text`` without the records' names and the values of fields not on the list."""
    values = {
        str(value)
        for side in sides
        for field, value in side.items()
        if field not in PLAIN and value
    }
    for value in sorted({*values, *names}, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, "•••")
    return text
