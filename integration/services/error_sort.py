"""The offered sorts of the error list, and where a page of one ends (D10)."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from integration.core.texts import LARGEST_KEY, cleaned

SORTS = {
    "last_seen": "last_seen",
    "first_seen": "first_seen",
    "occurrences": "occurrences",
    "record": "record_label",
}
"""Offered sorts by name in the query string; "-" before it: descending."""


@dataclass(frozen=True, slots=True)
class Sort:
    """An offered sort."""

    name: str = "last_seen"
    descending: bool = True

    @property
    def column(self) -> str:
        return SORTS[self.name]

    @property
    def is_moment(self) -> bool:
        return self.name in {"last_seen", "first_seen"}

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name


NEWEST_FIRST = Sort()


def parse_sort(text: str) -> Sort | None:
    """A sort of the query string; ``None`` if none is offered by that name."""
    name = text.removeprefix("-")
    return Sort(name, text.startswith("-")) if name in SORTS else None


Key = tuple[Any, int]


def write_token(row: Mapping[str, Any], sort: Sort) -> str:
    """Where a page ends: the sort's value and the id."""
    value = row[sort.column]
    written = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([written, row["id"]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(token: str, sort: Sort) -> Key | None:
    """The key of a token; ``None`` for none, or for one of another sort."""
    try:
        padded = token + "=" * (-len(token) % 4)
        value, key = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, TypeError, binascii.Error):
        return None
    if sort.is_moment:
        value = _moment(value)
    kind = {"occurrences": int, "record": str}.get(sort.name, datetime)
    fits = type(value) is kind and type(key) is int and abs(key) <= LARGEST_KEY
    if kind is int:
        fits = fits and abs(value) <= LARGEST_KEY
    if kind is str:
        fits = fits and value == cleaned(value)
    return (value, key) if fits else None


def _moment(text: object) -> datetime | None:
    try:
        moment = parse_datetime(text) if isinstance(text, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
