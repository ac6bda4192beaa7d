"""By cause: the problems of some errors, with how many records each holds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Q, Sum

from integration.choices import Chip
from integration.models import ErrorTotal, Problem
from integration.models.dialect import among_ids
from integration.models.errors import RELEVANT_CHIPS
from integration.services.error_counts import rolled_up
from integration.services.error_filters import RELEVANT, ErrorFilter, chips_of


@dataclass(frozen=True, slots=True)
class CauseCount:
    """Visible errors of one problem; the ``relevant`` hold the waiting and ignored."""

    relevant: int = 0
    waiting: int = 0
    ignored: int = 0
    resolved: int = 0
    mappings: tuple[str, ...] = ()

    @property
    def is_set_up(self) -> bool:
        """Whether none of them is of a record: they are entries, not records."""
        return self.total > 0 and not self.mappings

    @property
    def total(self) -> int:
        return self.relevant + self.resolved

    @property
    def needs_someone(self) -> bool:
        """Whether any of them is not ignored."""
        return self.relevant > self.ignored


def cause_counts(
    inside: Q, chips: Collection[str] = RELEVANT_CHIPS
) -> Mapping[int, CauseCount]:
    """Errors of these chips by problem, from the roll-up, in one query."""
    rows = (
        ErrorTotal.objects.filter(inside, state__in=chips)
        .values_list("problem_id", "state", "mapping_key")
        .order_by("mapping_key")
        .annotate(total=Sum("n"))
    )
    counts: dict[int, CauseCount] = {}
    for problem, state, mapping, n in rows:
        known = counts.get(problem, CauseCount())
        names = {*known.mappings, *([mapping] if mapping else [])}
        counts[problem] = CauseCount(
            known.relevant + (n if state != Chip.RESOLVED else 0),
            known.waiting + (n if state == Chip.WAITING else 0),
            known.ignored + (n if state == Chip.IGNORED else 0),
            known.resolved + (n if state == Chip.RESOLVED else 0),
            tuple(sorted(names)),
        )
    return counts


def count_of(problem: Problem) -> CauseCount:
    """What one problem holds now."""
    return cause_counts(Q(problem=problem)).get(problem.pk, CauseCount())


def resolved_of(problem: Problem) -> int:
    """How many of its visible errors are settled."""
    rows = ErrorTotal.objects.filter(problem=problem, state=Chip.RESOLVED)
    return int(rows.aggregate(total=Sum("n"))["total"] or 0)


class Cause(NamedTuple):
    """One problem as a list by cause finds it, before it is read as a whole."""

    id: int
    article: str
    params: Mapping[str, str]
    title: str
    holds: CauseCount


def relevant_problems() -> list[tuple[Problem, CauseCount]]:
    """What is not settled."""
    return problems_of(causes_of(ErrorFilter(state=RELEVANT)))


def causes_of(filters: ErrorFilter) -> list[Cause]:
    """Those of a filter that the roll-up knows, with how many errors of it they hold.

    Most records first, what is wholly ignored last; two queries.
    """
    counts = cause_counts(rolled_up(filters), chips_of(filters.state))
    rows = Problem.objects.filter(pk__in=among_ids(list(counts)))
    found = rows.values_list("id", "article", "params", "title")
    return sorted(
        (Cause(*row, counts[row[0]]) for row in found),
        key=lambda one: (not one.holds.needs_someone, -one.holds.total, one.title),
    )


def problems_of(causes: Sequence[Cause]) -> list[tuple[Problem, CauseCount]]:
    """The problems of these causes, in this order; one query."""
    problems = Problem.objects.select_related(
        "connection__business_central", "connection__sales", "assignee"
    ).in_bulk([cause.id for cause in causes])
    return [
        (problems[cause.id], cause.holds) for cause in causes if cause.id in problems
    ]
