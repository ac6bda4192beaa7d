"""Problems: found or opened by cause, many at once."""

from collections.abc import Collection
from datetime import datetime

from integration.core.causes import Cause
from integration.models import Connection, Problem
from integration.models.dialect import among, among_ids

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
    seen = Problem.objects.filter(id__in=among_ids(list(known.values())))
    seen.filter(last_seen__lt=moment).update(last_seen=moment)
    return known


def _ids(connection: Connection, fingerprints: Collection[str]) -> dict[str, int]:
    found = Problem.objects.filter(
        connection=connection, fingerprint__in=among(list(fingerprints))
    )
    return dict(found.order_by().values_list("fingerprint", "id"))


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
