"""How a page of the error list is read: what leads, is walked or sorted (D10).

SQLite plans without knowing how many rows a condition leaves, so the list says which
index leads: one column is compared as it is, the others through ``Unindexed``. Up to
10,000 matching rows are read by what selects them and sorted; more are walked in the
order of the sort's own index.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from django.db.models import BigIntegerField, CharField, F, Field, OrderBy, Q
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from integration.choices import Chip
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
from integration.services.error_sort import Key, Sort, read_token
from integration.services.listed_rows import Row, listed, rows_of
from integration.services.search import MOST_HITS, Search, search


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the list: the plan is made once, from counts."""

    filters: ErrorFilter
    sort: Sort
    cuts: tuple[Cut, ...]
    found: Search | None
    few: bool
    """At most 10,000 rows match: read by what selects them, then sort."""
    chips: ChipCounts = field(compare=False)

    @classmethod
    def start(
        cls, filters: ErrorFilter, sort: Sort, cuts: Sequence[Cut] | None = None
    ) -> "Reading":
        """``cuts`` are those in force, where they have been read already."""
        cuts = tuple(Operation.objects.cuts() if cuts is None else cuts)
        found = search(filters.q) if filters.q else None
        chips = count_chips(filters, cuts, found)
        count = chips.of(filters.state)
        few = _are_few(count)
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
        made = page_statements.__wrapped__ if self.found else page_statements
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

    def statements(
        self, columns: Sequence[Any], limit: int, *, beyond: bool
    ) -> list[Statement]:
        """What to ask for these columns of a chunk, for any key; as for ``rows``, the
        first two are the sort's value and the id."""
        slots = (_SLOTS[self.sort.name], Slots.KEY) if beyond else ()
        queries = self.queries(slots or None, limit, backwards=False)
        return [
            Statement.of(
                *(query.values_list(*columns) for query in each),
                slots=slots,
                # An order and a limit within a union stand in a subquery.
                each="SELECT * FROM ({}) AS part",
            )
            for each in queries
        ]

    def chunk(self, limit: int, parts: Iterable[Iterable[Any]]) -> list[Any]:
        """At most ``limit`` rows of what ``statements`` find, in the sort's order."""
        return self._first(limit, parts, itemgetter(0, 1), backwards=False)

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
        by_state = self._one_state or self._each_state
        return self._in_time and by_state and self._leader in {*_COLUMNS, "reason", ""}

    @property
    def _each_state(self) -> bool:
        """Several states, each read by what has it in the list's order, then merged.

        Walked by time, any number of rows of others could stand between. Where one
        column leads and another is tested, a state may have hardly a row that fits: a
        problem is small enough for that, and a job always leads.
        """
        filters = self.filters
        if self._one_state or not self._in_time:
            return False
        if self._job_leads:
            return True
        scope = filters.scope()
        return filters.is_only(*EXACT) and (
            "problem" in scope or len(scope) == 1 or (self.few and not scope)
        )

    @property
    def _job_leads(self) -> bool:
        return bool(self.filters.job) and not (self._text_leads or self.filters.record)

    @property
    def _text_leads(self) -> bool:
        return self.found is not None and self.found.hits is not None

    @property
    def _leader(self) -> str:
        """The part of the filter whose index is used; "": the state's."""
        filters = self.filters
        if not self.few and not self._in_time:
            return ""
        ordered = self._one_state or self.few or self._each_state
        candidates = {
            "text": self._text_leads,
            "record": filters.record,
            "job": self._job_leads,
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


def _are_few(count: int | None) -> bool:
    return count is not None and count <= MOST_HITS


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
def page_statements(
    reading: Reading, limit: int, backwards: bool, beyond: bool
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
    yield from counting_statements(filters, reading.cuts)
    rest = _of_any_cause(filters)
    if rest and _are_few(reading.chips.of(filters.state)):
        yield totals_statement(rest)
    key = read_token(before or after, reading.sort)
    backwards = bool(before) and key is not None
    for statement in page_statements(reading, size + 1, backwards, key is not None)[:1]:
        yield statement.bound(*(key or ()))


_last: dict[tuple[ErrorFilter, Sort], Reading] = {}
_MOST_LAST = 256


def remember(filters: ErrorFilter, sort: Sort, reading: Reading) -> None:
    if len(_last) > _MOST_LAST:
        _last.clear()
    _last[filters, sort] = reading


_SLOTS: dict[str, Any] = {
    "last_seen": Slots.MOMENT,
    "first_seen": Slots.MOMENT,
    "occurrences": Slots.COUNT,
    "record": Slots.TEXT,
}
_SETTLED = {Chip.RESOLVED.value, ALL}
"""The states that can show a row with a reason."""
_BELOW, _ID = "below", "id"
"""Leaders that no filter names: the index below a cut, and the key."""
_WITHOUT_CHIP = {"record", "text", "reason", "unsettled", _BELOW, _ID}
"""Leaders whose index does not begin with, or go on by, the chip."""
_COLUMNS = {**EXACT, "job": "job_id"}


def _plain(column: str) -> Unindexed:
    number = column.endswith("_id")
    field: Field[Any, Any] = BigIntegerField() if number else CharField()
    return Unindexed(column, output_field=field)
