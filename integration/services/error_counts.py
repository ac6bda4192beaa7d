"""How many errors each chip has under a filter: from the roll-ups, else bounded."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Sum, Value, When

from integration import clock
from integration.choices import Chip
from integration.models import Connection, ErrorTotal, Operation, SyncError
from integration.models.cuts import EXACT, Cut
from integration.models.dialect import Unindexed, table_of
from integration.models.errors import RELEVANT_CHIPS
from integration.models.statements import Statement
from integration.services.error_filters import ALL, ErrorFilter, chips_of
from integration.services.error_ranges import ranges
from integration.services.search import MOST_HITS, Search


@dataclass(frozen=True, slots=True)
class ChipCounts:
    """Errors by chip. ``exact`` False: there are more than were counted ("10,000+").

    ``chips`` is empty when not even a bounded count is cheap.
    """

    chips: dict[str, int]
    exact: bool

    def __hash__(self) -> int:
        return hash((frozenset(self.chips.items()), self.exact))

    def of(self, state: str) -> int | None:
        """How many a state shows; ``None`` when that is not known."""
        if not self.exact:
            return None
        return sum(self.chips.get(chip, 0) for chip in chips_of(state))


def count_chips(
    filters: ErrorFilter, cuts: Sequence[Cut], found: Search | None = None
) -> ChipCounts:
    """One query to three. ``found`` is the search for the filter's text."""
    if is_rolled_up(filters):
        return ChipCounts(_by_chip(totals_statement(filters)), exact=True)
    if found and found.hits is None:
        return ChipCounts({}, exact=False)
    if found and found.is_tested and filters.is_only("q") and not cuts:
        return ChipCounts(found.counts(), exact=True)
    if found:  # What was searched for is hardly searched for again.
        return _counted(_bounded.__wrapped__(filters, tuple(cuts), found))
    believed = _believed(filters, tuple(cuts))
    in_sight = _in_sight().raw()
    counts = believed.get(in_sight)
    if counts is None:
        counts = _counted(_bounded(filters, tuple(cuts), None))
        believed.clear()
        believed[in_sight] = counts
    return counts


def counting_statements(
    filters: ErrorFilter, cuts: tuple[Cut, ...]
) -> Sequence[Statement]:
    """What ``count_chips`` is likely to ask, to be asked together with others."""
    if is_rolled_up(filters):
        return (totals_statement(filters),)
    believed = _believed(filters, cuts)
    return (_in_sight(), *(() if believed else _bounded(filters, cuts, None)))


_BELIEVED_SECONDS = 10.0
"""So long what was counted is believed while nothing was recorded or settled since, and
nobody did anything: whoever turns the pages asks for it each time, and so does each
open page for its news.
"""


def _believed(
    filters: ErrorFilter, cuts: tuple[Cut, ...]
) -> dict[tuple[tuple[Any, ...], ...], ChipCounts]:
    """The last counts, by what was in sight just before."""
    return believed_for(filters, cuts, int(clock.monotonic() // _BELIEVED_SECONDS))


@lru_cache(maxsize=256)
def believed_for(
    _filters: ErrorFilter, _cuts: Sequence[Cut], _period: int
) -> dict[tuple[tuple[Any, ...], ...], ChipCounts]:
    return {}


@cache
def _in_sight() -> Statement:
    """By chip, when any failed last, and the last thing that anybody did."""
    return _summed(
        ErrorTotal.objects.all(),
        f"(SELECT max(last_seen) FROM {table_of(SyncError)})",  # noqa: S608  # only our own names
        f"(SELECT max(id) FROM {table_of(Operation)})",  # noqa: S608  # only our own names
    )


def _counted(bounded: Iterable[Statement]) -> ChipCounts:
    total: Counter[str] = Counter()
    for statement in bounded:
        total.update(_by_chip(statement))
    return ChipCounts(dict(total), exact=total.total() <= MOST_HITS)


def _by_chip(statement: Statement) -> dict[str, int]:
    """Of the one row it finds; without chips that no error has."""
    counts = chain.from_iterable(statement.raw())
    return {chip: int(n) for chip, n in zip(Chip.values, counts, strict=False) if n}


@lru_cache(maxsize=256)
def _bounded(
    filters: ErrorFilter, cuts: Sequence[Cut], found: Search | None
) -> list[Statement]:
    """Counted row by row up to a bound: one statement, two where a cut hides rows."""
    led = filters.bounds_a_moment
    sight = ranges(
        cuts,
        filters.scope(),
        Chip.RESOLVED if filters.reason else ALL,
        "plain_last_seen" if led else "last_seen",
    )
    untested = replace(filters, q="") if found and found.is_tested else filters
    chosen = untested.matching()
    if led and filters.bounded == "first_seen":
        chosen &= Q(chip__in=Chip.values)
    parts = [chosen & sight.above]
    if found or filters.record or led or sight.below is None:
        parts = [chosen & sight.sight & ((found and found.among(Chip.values)) or Q())]
    else:
        # Beside its own index SQLite would not look below the cut by the right one.
        bare = replace(filters, reason="").matching()
        parts.append(bare & filters.of_reason("plain_reason") & sight.below)
    rows = SyncError.objects.alias(
        plain_reason=Unindexed("settled_reason", output_field=CharField()),
        plain_last_seen=Unindexed("last_seen"),
    )
    if filters.job and not (found or filters.record or led):
        return [_by_ranges(rows.filter(chosen & sight.sight))]
    # SQLite takes no computed column from an index: only what is not settled, which few
    # are, has its chip looked up in the table.
    rows = rows.annotate(unsettled=Case(When(settled_at__isnull=True, then=F("chip"))))
    # PostgreSQL would else read the table from its start until it has enough.
    in_time = not filters.scope() and set(filters.beyond_scope()) <= _IN_TIME
    order: tuple[str, ...] = ("-last_seen", "-id") if in_time else ()
    if led:
        order = () if filters.bounded == "first_seen" else (f"-{filters.bounded}",)
    # To group them would take half as long again.
    each = (
        "count(*) - count(unsettled)"
        if chip is Chip.RESOLVED
        else f"count(*) FILTER (WHERE unsettled = '{chip}')"
        for chip in Chip
    )
    by_chip = f"SELECT {', '.join(each)} FROM ({{}}) AS bounded"  # noqa: S608  # only our own names
    return [
        Statement.of(
            rows.filter(part)
            .order_by(*order)
            .values_list("unsettled")[: MOST_HITS + 1],
            around=by_chip,
        )
        for part in parts
    ]


def _by_ranges(rows: QuerySet[SyncError]) -> Statement:
    """Of what an index has chip by chip: nothing but its own columns is looked at."""
    found = rows.order_by("-last_seen", "-id").values_list(Value(1))
    return Statement.of(
        *(found.filter(chip=chip)[: MOST_HITS + 1] for chip in Chip.values),
        each="(SELECT count(*) FROM ({}) AS counted)",
        between=", ",
        around="SELECT {}",
    )


_IN_TIME = {"from", "to", "reason", "settled"}
"""Parts of a filter whose index has its rows in the order of last seen."""


def is_rolled_up(filters: ErrorFilter) -> bool:
    """Whether the roll-up knows how many there are."""
    beyond = set(filters.beyond_scope()) - {"who", "category"}
    return not (beyond or filters.q or filters.record)


@lru_cache(maxsize=256)
def totals_statement(filters: ErrorFilter) -> Statement:
    """By chip, from the roll-up, which knows this filter."""
    return _summed(ErrorTotal.objects.filter(rolled_up(filters)))


def _summed(totals: QuerySet[ErrorTotal], *besides: str) -> Statement:
    each = (f"sum(n) FILTER (WHERE state = '{chip}')" for chip in Chip)
    return Statement.of(
        totals.order_by().values_list("state", "n"),
        around=f"SELECT {', '.join((*each, *besides))} FROM ({{}}) AS counted",  # noqa: S608  # only our own names
    )


def rolled_up(filters: ErrorFilter) -> Q:
    """What the roll-up knows of a filter, but the state."""
    chosen = Q()
    for name, value in filters.scope().items():
        chosen &= Q(**{EXACT[name]: value})
    if filters.who:
        chosen &= Q(problem__who=filters.who)
    if filters.category:
        chosen &= Q(problem__category=filters.category)
    return chosen


def relevant_of(
    connection: Connection, fingerprints: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Problem and number of its visible relevant errors, by the cause's fingerprint."""
    rows = ErrorTotal.objects.filter(
        connection=connection,
        problem__fingerprint__in=fingerprints,
        state__in=RELEVANT_CHIPS,
    ).order_by()
    counted = rows.values_list("problem__fingerprint", "problem_id")
    return {row[0]: (row[1], row[2]) for row in counted.annotate(total=Sum("n"))}
