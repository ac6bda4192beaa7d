"""The error list: a page of rows by keyset, its neighbours and its counts (D10).

SQLite plans without knowing how many rows a condition leaves, so the list says which
index leads: one column is compared as it is, the others through ``Unindexed``. Up to
10,000 matching rows are read by what selects them and sorted; more are walked in the
order of the sort's own index.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from django.db.models import (
    BigIntegerField,
    CharField,
    Expression,
    F,
    Field,
    OrderBy,
    Q,
)
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleLessThan,
)
from django.db.models.functions import Cast
from django.utils.dateparse import parse_datetime

from integration.choices import Chip
from integration.core.texts import LARGEST_KEY, cleaned
from integration.models import Operation, Problem, SyncError
from integration.models.cuts import EXACT, Cut
from integration.models.dialect import Unindexed
from integration.models.errors import SyncErrorQuerySet
from integration.models.statements import Slots, Statement
from integration.services.error_counts import (
    ChipCounts,
    count_chips,
    counting_statements,
    is_rolled_up,
    totals_statement,
)
from integration.services.error_filters import ALL, RELEVANT, ErrorFilter, chips_of
from integration.services.error_ranges import Ranges, hides, ranges
from integration.services.listed_rows import Row, listed, rows_of
from integration.services.search import MOST_HITS, Search, search

PAGE_SIZE = 50
MOST_NEW = 1_000
_CHUNK = 5_000
SORTS = {
    "last_seen": "last_seen",
    "first_seen": "first_seen",
    "occurrences": "occurrences",
    "record": "record_label",
}
"""Offered sorts by name in the query string; "-" before it: descending."""
_MOMENTS = {"last_seen", "first_seen"}


@dataclass(frozen=True, slots=True)
class Sort:
    """An offered sort."""

    name: str = "last_seen"
    descending: bool = True

    @property
    def column(self) -> str:
        return SORTS[self.name]

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name


NEWEST_FIRST = Sort()


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
    list. ``total`` is ``None`` when not counted exactly.
    """

    previous: int | None
    next: int | None
    position: int | None
    total: int | None


def parse_sort(text: str) -> Sort | None:
    """A sort of the query string; ``None`` if none is offered by that name."""
    name = text.removeprefix("-")
    return Sort(name, text.startswith("-")) if name in SORTS else None


def read_page(
    filters: ErrorFilter,
    sort: Sort = NEWEST_FIRST,
    *,
    after: str = "",
    before: str = "",
    size: int = PAGE_SIZE,
) -> ErrorPage:
    """One page in at most 5 queries; a token that makes no sense is ignored."""
    reading = _Reading.start(filters, sort)
    if not filters.q:
        _remember(filters, sort, reading)
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


def likely_statements(
    filters: ErrorFilter, sort: Sort, *, after: str, before: str, size: int
) -> Iterator[Statement]:
    """What ``read_page`` is going to ask, if this list is read as it was last time.

    To be asked together with others. A plan that has changed has another statement,
    which is asked then.
    """
    reading = _last.get((filters, sort))
    if reading is None:
        return
    exact = reading.chips.exact
    yield from counting_statements(filters, reading.cuts, exact=exact)
    if rest := _of_any_cause(filters):
        yield totals_statement(rest)
    key = read_token(before or after, reading.sort)
    backwards = bool(before) and key is not None
    for statement in _statements(reading, size + 1, backwards, key is not None)[:1]:
        yield statement.bound(*(key or ()))


_last: dict[tuple[ErrorFilter, Sort], "_Reading"] = {}
_MOST_LAST = 256


def _remember(filters: ErrorFilter, sort: Sort, reading: "_Reading") -> None:
    if len(_last) > _MOST_LAST:
        _last.clear()
    _last[filters, sort] = reading


def read_chips(
    filters: ErrorFilter, since: datetime | None = None
) -> tuple[ChipCounts, int]:
    """The counts of a list without its rows, and how many are new since a moment.

    New is what failed for the first time, or again after it was in order. Only the
    newest thousand are looked at for that; without a moment none is.
    """
    reading = _Reading.start(filters, NEWEST_FIRST)
    return reading.chips, _count_new(reading, since) if since else 0


def _count_new(reading: "_Reading", since: datetime) -> int:
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
    reading = _Reading.start(filters, sort)
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
    )


def read_chunks(
    filters: ErrorFilter, sort: Sort, columns: Sequence[Expression | F]
) -> Iterator[list[tuple[Any, ...]]]:
    """The whole list in its order, some thousand rows of these columns at a time.

    Before the columns each row has the sort's value and its id. The list is as it is
    when each chunk is read: what fails again meanwhile moves.
    """
    reading = _Reading.start(filters, sort)
    is_moment = reading.sort.name in _MOMENTS
    # As text: of thousands of moments only each chunk's last one is compared with.
    column = F(reading.sort.column)
    first = Cast(column, CharField()) if is_moment else column
    key: Key | None = None
    while rows := reading.rows(
        key,
        _CHUNK,
        select=lambda found: found.values_list(first, "id", *columns),
    ):
        yield rows
        value, last = rows[-1][:2]
        key = (_utc(value) if is_moment else value, last)


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
    if sort.name in _MOMENTS:
        value = _moment(value)
    kind = {"occurrences": int, "record": str}.get(sort.name, datetime)
    fits = type(value) is kind and type(key) is int and abs(key) <= LARGEST_KEY
    if kind is int:
        fits = fits and abs(value) <= LARGEST_KEY
    if kind is str:
        fits = fits and value == cleaned(value)
    return (value, key) if fits else None


def _utc(text: str) -> datetime:
    """A moment as either database writes it: SQLite's has no zone, and is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(text: object) -> datetime | None:
    try:
        moment = parse_datetime(text) if isinstance(text, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at the list: the plan is made once, from counts."""

    filters: ErrorFilter
    sort: Sort
    cuts: tuple[Cut, ...]
    found: Search | None
    few: bool
    """At most 10,000 rows match: read by what selects them, then sort."""
    chips: ChipCounts = field(compare=False)

    @classmethod
    def start(cls, filters: ErrorFilter, sort: Sort) -> "_Reading":
        cuts = tuple(Operation.objects.cuts())
        found = search(filters.q) if filters.q else None
        chips = count_chips(filters, cuts, found)
        count = chips.of(filters.state)
        few = count is not None and count <= MOST_HITS
        if not few and filters.state in {ALL, RELEVANT}:
            sort = Sort("last_seen", sort.descending)
        if few and filters.is_only() and not hides(cuts, filters.state):
            # All of a state: the sort's own index has its page at hand.
            few = len(chips_of(filters.state)) > 1
        if few and count:
            few = not _is_every_tenth(filters, cuts, count)
        return cls(filters, sort, cuts, found, few, chips)

    @property
    def ranges(self) -> Ranges:
        walked = not self.few and not self._in_time
        led = self._leader == "moment"
        last_seen = "plain_last_seen" if walked or led else "last_seen"
        return ranges(self.cuts, self.filters.scope(), self.filters.state, last_seen)

    def page(
        self, key: Key | None, limit: int, *, backwards: bool = False
    ) -> list[Row]:
        """At most ``limit`` rows beyond ``key``, with the columns the list shows."""
        # What was searched for is hardly searched for again.
        made = _statements.__wrapped__ if self.found else _statements
        statements = made(self, limit, backwards, key is not None)
        return self._first(
            limit,
            (rows_of(statement, *(key or ())) for statement in statements),
            itemgetter(self.sort.column, "id"),
            backwards=backwards,
        )

    def rows(
        self,
        key: Key | None,
        limit: int,
        *,
        select: Callable[[SyncErrorQuerySet], Iterable[Any]],
        backwards: bool = False,
    ) -> list[Any]:
        """At most ``limit`` rows beyond ``key`` in the sort's order.

        ``select`` says what a row is: first the sort's value and the id.
        """
        queries = self.queries(key, limit, backwards=backwards)
        parts = (chain.from_iterable(map(select, each)) for each in queries)
        return self._first(limit, parts, itemgetter(0, 1), backwards=backwards)

    def queries(
        self, key: Key | None, limit: int, *, backwards: bool
    ) -> Iterator[list[SyncErrorQuerySet]]:
        """What to ask range after range, until there are enough rows."""
        if self.filters.reason and self.filters.state not in _SETTLED:
            return
        descending = self.sort.descending is not backwards
        beyond, order = Q(), self._order(descending=descending)
        if key is not None:
            beyond = self._beyond(key, descending=descending)
        for leader, part in self._parts(descending=descending):
            found = self._matching(leader).filter(beyond, part).order_by(*order)
            if self._each_state and leader != _BELOW:
                chips = chips_of(self.filters.state)
                yield [found.filter(chip=chip)[:limit] for chip in chips]
            else:
                yield [found[:limit]]

    def _beyond(self, key: Key, *, descending: bool) -> Q:
        """The rows after ``key``, from where the index that has their order has it.

        SQLite gets the comparison of pairs in two halves of which it cannot tell that
        both begin there: it would walk to every page from the first one.
        """
        column = self.sort.column
        compared = TupleLessThan if descending else TupleGreaterThan
        beyond = Q(compared(Tuple(F(column), F("id")), key))
        if self.few and not self._ordered_by_leader:
            return beyond
        return Q(**{f"{column}__{'lte' if descending else 'gte'}": key[0]}) & beyond

    def _first(
        self,
        limit: int,
        parts: Iterable[Iterable[Any]],
        place: Callable[[Any], Any],
        *,
        backwards: bool,
    ) -> list[Any]:
        rows: list[Any] = []
        for part in parts:
            rows += part
            if self._in_time and len(rows) >= limit:
                break
        if self._each_state or not self._in_time:
            rows.sort(key=place, reverse=self.sort.descending is not backwards)
        return rows[:limit]

    def holds(self, id: int) -> bool:
        return self._matching(_ID).filter(self.ranges.sight, id=id).exists()

    @property
    def _in_time(self) -> bool:
        """The ranges follow one another in the list's order."""
        return self.sort.name == "last_seen"

    def _parts(self, *, descending: bool) -> list[tuple[str, Q]]:
        """What to read one after the other, each with what leads to it."""
        leader, ranges = self._leader, self.ranges
        if leader == "text" or not (self._in_time or self.few):
            return [(leader, ranges.sight)]
        parts = [(leader, ranges.above)]
        if ranges.below is not None:
            narrow = leader in {"record", "job", "unsettled", "moment"}
            parts.append((leader if narrow else _BELOW, ranges.below))
        return parts if descending else parts[::-1]

    def _order(self, *, descending: bool) -> list[OrderBy]:
        columns: list[Any] = [F(self.sort.column), F("id")]
        if self.few and not self._ordered_by_leader:
            columns = [Unindexed(column) for column in columns]
        return [OrderBy(column, descending=descending) for column in columns]

    @property
    def _one_state(self) -> bool:
        return len(chips_of(self.filters.state)) == 1

    @property
    def _ordered_by_leader(self) -> bool:
        """The leading index has the rows, or those of a state, by last seen."""
        if self._leader == "job":
            return self._in_time
        by_state = self._one_state or self._each_state
        return self._in_time and by_state and self._leader in {*EXACT, "reason", ""}

    @property
    def _each_state(self) -> bool:
        """Several states, each read by what has it in the list's order, then merged.

        Walked by time, any number of rows of others could stand between. Where one
        column leads and another is tested, a state may have hardly a row that fits: a
        problem is small enough for that.
        """
        filters = self.filters
        if self._one_state or not self._in_time or not filters.is_only(*EXACT):
            return False
        scope = filters.scope()
        return "problem" in scope or len(scope) == 1 or (self.few and not scope)

    @property
    def _leader(self) -> str:
        """The part of the filter whose index is used; "": the state's."""
        filters = self.filters
        if not self.few and not self._in_time:
            return ""
        ordered = self._one_state or self.few or self._each_state
        candidates = {
            "text": self.found and self.found.hits is not None,
            "record": filters.record,
            "job": filters.job,
            "moment": self.few and filters.bounds_a_moment,
            "problem": ordered and filters.problem,
            "reason": filters.reason,
            "unsettled": self.few and filters.unsettled,
            "problems": self.few and (filters.who or filters.category),
            "mapping": ordered and filters.mapping,
            "connection": ordered and filters.connection,
            "direction": ordered and filters.direction,
        }
        return next((name for name, useful in candidates.items() if useful), "")

    def _matching(self, leader: str) -> SyncErrorQuerySet:
        rows = SyncError.objects.alias(
            plain_chip=Unindexed("chip"),
            plain_last_seen=Unindexed("last_seen"),
            plain_connection=_plain("connection_id"),
            plain_mapping=_plain("mapping_key"),
            plain_direction=_plain("direction"),
            plain_problem=_plain("problem_id"),
            plain_job=_plain("job_id"),
            plain_record=_plain("record_key"),
            plain_reason=_plain("settled_reason"),
            plain_first_seen=Unindexed("first_seen"),
            plain_reopened_at=Unindexed("reopened_at"),
            plain_settled_at=Unindexed("settled_at"),
        )
        return rows.filter(self._of_state(leader), self._of_filter(leader))

    def _of_state(self, leader: str) -> Q:
        chips, state = chips_of(self.filters.state), self.filters.state
        led_by_time = leader == "moment" and self.filters.bounded != "first_seen"
        if led_by_time or leader in _WITHOUT_CHIP:
            return Q(plain_chip__in=chips)
        if leader == "moment":
            return Q(chip__in=chips)
        if self._each_state:
            return Q()
        if state in {ALL, RELEVANT} and not self.few:
            return Q(settled_at__isnull=True) if state == RELEVANT else Q()
        return Q(chip=chips[0]) if len(chips) == 1 else Q(chip__in=chips)

    def _of_filter(self, leader: str) -> Q:
        filters = self.filters
        chosen = Q()
        for name in ("connection", "mapping", "direction", "problem", "job"):
            value = getattr(filters, name)
            if value:
                chosen &= Q(
                    **{_COLUMNS[name] if name == leader else f"plain_{name}": value}
                )
        if filters.record:
            name = "record_key" if leader == "record" else "plain_record"
            chosen &= Q(**{f"{name}__in": filters.record})
        chosen &= self._of_problems(leader) & self._of_time(leader)
        column = "settled_reason" if leader == "reason" else "plain_reason"
        chosen &= filters.of_reason(column)
        for name, part in filters.beyond_scope().items():
            if name in {"settled", "unsettled"}:
                chosen &= part
        return chosen & self._of_text(leader)

    def _of_text(self, leader: str) -> Q:
        found = self.found
        if found is None:
            return Q()
        if leader != "text":
            return found.matching
        among = found.among(chips_of(self.filters.state)) or Q()
        return among if found.is_tested else found.matching & among

    def _of_problems(self, leader: str) -> Q:
        wanted = {
            name: value
            for name in ("who", "category")
            if (value := getattr(self.filters, name))
        }
        if not wanted:
            return Q()
        problems = Problem.objects.filter(**wanted).order_by().values("id")
        column = "problem_id" if leader == "problems" else "plain_problem"
        return Q(**{f"{column}__in": problems})

    def _of_time(self, leader: str) -> Q:
        column = self.filters.bounded
        leads = self._in_time or self.few
        if self.filters.moment:
            walked = not self.few and self.sort.column == column
            leads = leader == "moment" or walked
        column = column if leads else f"plain_{column}"
        between = Q()
        if self.filters.since:
            between &= Q(**{f"{column}__gte": self.filters.since})
        if self.filters.until:
            between &= Q(**{f"{column}__lte": self.filters.until})
        return between


def _of_any_cause(filters: ErrorFilter) -> ErrorFilter | None:
    """Beside a filter by *who* or *category* of one state, that state without it."""
    rest = replace(filters, who="", category="")
    one_state = len(chips_of(filters.state)) == 1
    return rest if rest != filters and one_state and is_rolled_up(rest) else None


def _is_every_tenth(filters: ErrorFilter, cuts: tuple[Cut, ...], count: int) -> bool:
    """Whether its causes leave so much of a state that walking finds a page.

    No index has the rows of several problems in the list's order, and sorting reads all
    of them. At worst the walk reads ten rows for each that would have been sorted.
    """
    rest = _of_any_cause(filters)
    whole = count_chips(rest, cuts).of(filters.state) if rest else None
    return whole is not None and whole <= 10 * count


@lru_cache(maxsize=512)
def _statements(
    reading: _Reading, limit: int, backwards: bool, beyond: bool
) -> list[Statement]:
    """The statements of a page, for any key."""
    slots = (_SLOTS[reading.sort.name], Slots.KEY)
    queries = reading.queries(slots if beyond else None, limit, backwards=backwards)
    return [
        listed(
            *each,
            column=reading.sort.column,
            descending=reading.sort.descending is not backwards,
            slots=slots if beyond else (),
        )
        for each in queries
    ]


_SLOTS: dict[str, Any] = {
    **dict.fromkeys(_MOMENTS, Slots.MOMENT),
    "occurrences": Slots.COUNT,
    "record": Slots.TEXT,
}
_SETTLED = {Chip.RESOLVED.value, ALL}
"""The states that can show a row with a reason."""
_BELOW, _ID = "below", "id"
"""Leaders that no filter names: the index below a cut, and the key."""
_WITHOUT_CHIP = {"record", "job", "text", "reason", "unsettled", _BELOW, _ID}
"""Leaders whose index does not begin with, or go on by, the chip."""
_COLUMNS = {**EXACT, "job": "job_id"}


def _plain(column: str) -> Unindexed:
    number = column.endswith("_id")
    field: Field[Any, Any] = BigIntegerField() if number else CharField()
    return Unindexed(column, output_field=field)
