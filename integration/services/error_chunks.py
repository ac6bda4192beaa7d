"""The whole error list, some thousand rows at a time: for files and frozen choices."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, TypeVar

from django.db.models import CharField, Expression, F
from django.db.models.functions import Cast

from integration.models.statements import under_way
from integration.services.error_filters import ErrorFilter
from integration.services.error_reading import Reading
from integration.services.error_sort import Key, Sort

Row = tuple[Any, ...]
_T = TypeVar("_T")
_CHUNK = 2_500
"""More would take more memory, fewer more statements, and neither less time."""


def read_chunks(
    filters: ErrorFilter,
    sort: Sort,
    columns: Sequence[Expression | F],
    make: Callable[[list[Row]], _T],
) -> Iterator[_T]:
    """What is made of the list in its order, some thousand rows at a time.

    Before the columns, which are texts and numbers, each row has the sort's value and
    its id. The list is as it is when each chunk is read, PostgreSQL's while something
    is made of the one before: what fails again meanwhile moves.
    """
    reading = Reading.start(filters, sort)
    is_moment = reading.sort.is_moment
    # As text: of thousands of moments only each chunk's last one is compared with.
    column = F(reading.sort.column)
    first = Cast(column, CharField()) if is_moment else column
    asked = (first, "id", *columns)
    begin = reading.statements(asked, _CHUNK, beyond=False)
    rows = reading.chunk(_CHUNK, (each.raw() for each in begin))
    go_on = reading.statements(asked, _CHUNK, beyond=True) if rows else []
    while len(rows) == _CHUNK:
        value, last = rows[-1][:2]
        key: Key = (_utc(value) if is_moment else value, last)
        with under_way(go_on[0], *key) as found:
            made = make(rows)
        yield made
        rest = (each.raw(*key) for each in go_on[1:])
        rows = reading.chunk(_CHUNK, chain([found], rest))
    if rows:
        yield make(rows)


def _utc(text: str) -> datetime:
    """A moment as either database writes it: SQLite's has no zone, and is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
