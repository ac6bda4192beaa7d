"""Problems: found or opened by cause, many at once."""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from integration.core.causes import Cause
from integration.models import Connection, Problem
from integration.models.statements import Slots, Statement
from integration.services.looks import Seen, seen_columns

_TITLE_LENGTH = 300


def ensure_problems(
    connection: Connection, causes: Collection[Cause], moment: datetime
) -> dict[str, int]:
    """Ids by fingerprint; new causes get a problem, known ones are seen again."""
    by_fingerprint = {cause.fingerprint: cause for cause in causes}
    known = _ids(connection, by_fingerprint)
    missing = [
        _new_problem(connection, cause, moment)
        for fingerprint, cause in by_fingerprint.items()
        if fingerprint not in known
    ]
    if missing:
        Problem.objects.bulk_create(missing, ignore_conflicts=True)
        known = _ids(connection, by_fingerprint)
    Problem.objects.filter(id__in=known.values(), last_seen__lt=moment).update(
        last_seen=moment
    )
    return known


def _ids(connection: Connection, fingerprints: Collection[str]) -> dict[str, int]:
    found = Problem.objects.filter(connection=connection, fingerprint__in=fingerprints)
    return dict(found.values_list("fingerprint", "id"))


def _new_problem(connection: Connection, cause: Cause, moment: datetime) -> Problem:
    return Problem(
        connection=connection,
        fingerprint=cause.fingerprint,
        article=cause.article,
        params=dict(cause.params),
        title=cause.title[:_TITLE_LENGTH],
        category=cause.category,
        who=cause.who,
        first_seen=moment,
        last_seen=moment,
    )


def cause_of_problem(problem: Problem) -> Cause:
    """The cause a problem stands for."""
    return Cause(
        fingerprint=problem.fingerprint,
        title=problem.title,
        article=problem.article,
        params=problem.params,
        category=problem.category,
        who=problem.who,
    )


_SHOWN = ("title", "article", "params", "who", "category")


def with_problems(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the list with their problem's columns as ``problem__title`` and so on.

    ``seen`` is what retries and looks know of each. One query, by their ids.
    """
    found = list(rows)
    keys = [row["id"] for row in found]
    names = [f"problem__{name}" for name in _SHOWN]
    told = {key: known for key, *known in _shown(len(keys)).rows(*keys)}
    for row in found:
        known = told[row["id"]]
        row.update(zip(names, known, strict=False))
        row["seen"] = Seen.of(known[len(names) :])
    return found


@lru_cache
def _shown(count: int) -> Statement:
    keys = Slots.keys(count)
    rows = Problem.objects.filter(errors__id__in=keys).order_by()
    columns = rows.values_list("errors__id", *_SHOWN, *seen_columns("errors__"))
    return Statement.of(columns, keys)
