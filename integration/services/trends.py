"""Trends: how many records failed for a cause on each of the last days."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date, timedelta

from integration import clock
from integration.models import ProblemDay
from integration.models.bulk import add_counts

DAYS = 7
"""Shown; older ones are kept."""
Trend = tuple[int, ...]
"""Records of each day, oldest first, today last."""


def note_failures(failed: Iterable[tuple[int, date]]) -> None:
    """Count records by problem and UTC day, in the caller's transaction."""
    counts = Counter(failed)
    rows = [(*key, n) for key, n in sorted(counts.items())]
    add_counts(ProblemDay, ("problem_id", "day"), rows)


def read_trends(problems: Collection[int]) -> dict[int, Trend]:
    """Of these problems; one query. What did not fail has only zeros."""
    today = clock.now().date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    rows = ProblemDay.objects.filter(problem__in=problems, day__gte=days[0])
    known = {
        (row[0], row[1]): row[2] for row in rows.values_list("problem", "day", "n")
    }
    return {
        problem: tuple(known.get((problem, day), 0) for day in days)
        for problem in problems
    }
