"""The error list: a page of rows by keyset, its neighbours and its counts (D10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from integration.models import SyncError
from integration.models.cuts import Cut
from integration.services.error_counts import ChipCounts
from integration.services.error_filters import ErrorFilter, chips_of
from integration.services.error_reading import Reading, remember
from integration.services.error_sort import (
    NEWEST_FIRST,
    Sort,
    read_token,
    write_token,
)
from integration.services.listed_rows import Row
from integration.services.search import MOST_HITS

PAGE_SIZE = 50
MOST_NEW = 1_000


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A page of the list.

    ``after`` and ``before`` are the tokens of the next and the previous page, "" where
    there is none. ``by_beginning``: the search was too short for more than beginnings.
    """

    rows: list[Row]
    after: str
    before: str
    chips: ChipCounts
    sort: Sort
    by_beginning: bool = False


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The errors around one in the filtered list; ``None`` where there is none.

    ``position`` counts from 1; ``None`` beyond 10,000, or when the error has left the
    list. ``total`` is ``None`` when not counted exactly; ``sort`` is the list's own.
    """

    previous: int | None
    next: int | None
    position: int | None
    total: int | None
    sort: Sort


def read_page(
    filters: ErrorFilter,
    sort: Sort = NEWEST_FIRST,
    *,
    after: str = "",
    before: str = "",
    size: int = PAGE_SIZE,
) -> ErrorPage:
    """One page in at most 6 queries; a token that makes no sense is ignored."""
    reading = Reading.start(filters, sort)
    if not filters.q:
        remember(filters, sort, reading)
    key = read_token(before or after, reading.sort)
    backwards = bool(before) and key is not None
    rows = reading.page(key, size + 1, backwards=backwards)
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    has_next, has_previous = (True, more) if backwards else (more, key is not None)
    return ErrorPage(
        rows=rows,
        after=write_token(rows[-1], reading.sort) if rows and has_next else "",
        before=write_token(rows[0], reading.sort) if rows and has_previous else "",
        chips=reading.chips,
        sort=reading.sort,
        by_beginning=bool(reading.found and reading.found.by_beginning),
    )


def read_chips(
    filters: ErrorFilter, cuts: Sequence[Cut], since: datetime | None = None
) -> tuple[ChipCounts, int]:
    """The counts of a list without its rows, and how many are new since a moment.

    New is what failed for the first time, or again after it was in order. Only the
    newest thousand are looked at for that; without a moment none is.
    """
    reading = Reading.start(filters, NEWEST_FIRST, cuts)
    return reading.chips, _count_new(reading, since) if since else 0


def _count_new(reading: Reading, since: datetime) -> int:
    rows = SyncError.objects.visible(reading.cuts).filter(
        reading.filters.matching(),
        chip__in=chips_of(reading.filters.state),
        last_seen__gt=since,
    )
    newest = rows.order_by("-last_seen", "-id").values_list("first_seen", "reopened_at")
    return sum(
        first_seen > since or (reopened_at is not None and reopened_at > since)
        for first_seen, reopened_at in newest[:MOST_NEW]
    )


def neighbours(error: SyncError, filters: ErrorFilter, sort: Sort) -> Neighbours:
    """Where an error stands in a list."""
    reading = Reading.start(filters, sort)
    column = reading.sort.column
    key = (getattr(error, column), error.pk)
    following = reading.page(key, 1)
    preceding = reading.rows(
        key,
        MOST_HITS,
        backwards=True,
        select=lambda found: found.values_list(column, "id"),
    )
    inside = reading.holds(error.pk)
    known = inside and len(preceding) < MOST_HITS
    return Neighbours(
        previous=preceding[0][1] if preceding else None,
        next=following[0]["id"] if following else None,
        position=len(preceding) + 1 if known else None,
        total=reading.chips.of(filters.state),
        sort=reading.sort,
    )


def sort_of(filters: ErrorFilter, sort: Sort) -> Sort:
    """The order that a list comes in: some are too long for the one asked for."""
    if sort.name == NEWEST_FIRST.name:
        return sort
    return Reading.start(filters, sort).sort
