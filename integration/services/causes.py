"""By cause: the problems that are still relevant, with how many records each holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q, Sum

from integration.choices import Chip
from integration.models import ErrorTotal, Problem
from integration.models.errors import RELEVANT_CHIPS


@dataclass(frozen=True, slots=True)
class CauseCount:
    """Visible errors of one problem; the ``relevant`` hold the other two."""

    relevant: int = 0
    waiting: int = 0
    ignored: int = 0
    mappings: tuple[str, ...] = ()

    @property
    def is_set_up(self) -> bool:
        """Whether none of them is of a record: they are entries, not records."""
        return self.relevant > 0 and not self.mappings

    @property
    def needs_someone(self) -> bool:
        """Whether any of them is not ignored."""
        return self.relevant > self.ignored


def cause_counts(inside: Q) -> Mapping[int, CauseCount]:
    """Relevant errors by problem, from the roll-up, in one query."""
    rows = (
        ErrorTotal.objects.filter(inside, state__in=RELEVANT_CHIPS)
        .values_list("problem_id", "state", "mapping_key")
        .order_by("mapping_key")
        .annotate(total=Sum("n"))
    )
    counts: dict[int, CauseCount] = {}
    for problem, state, mapping, n in rows:
        known = counts.get(problem, CauseCount())
        names = {*known.mappings, *([mapping] if mapping else [])}
        counts[problem] = CauseCount(
            known.relevant + n,
            known.waiting + (n if state == Chip.WAITING else 0),
            known.ignored + (n if state == Chip.IGNORED else 0),
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


def relevant_problems() -> list[tuple[Problem, CauseCount]]:
    """Most records first, what is wholly ignored last; two queries."""
    counts = cause_counts(Q())
    problems = Problem.objects.select_related(
        "connection__business_central", "connection__sales", "assignee"
    ).filter(pk__in=counts)
    rows = [(problem, counts[problem.pk]) for problem in problems]
    return sorted(
        rows,
        key=lambda row: (not row[1].needs_someone, -row[1].relevant, row[0].title),
    )
