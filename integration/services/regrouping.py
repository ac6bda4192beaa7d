"""Open errors move to the cause they have now that somebody taught it, and back.

``due_at`` of a taught article says that its errors are still to be looked for. Whoever
comes looks at every open error that no built-in article knows, in chunks: each is one
transaction that holds the rows, their counts and what was told of them. Killed between
any two, or run by two at once, the rest is found as it is.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Sum

from integration import clock
from integration.choices import Direction, OperationState
from integration.core.causes import Cause
from integration.core.classify import cause_taught, classify
from integration.core.failures import Failure, FailureKind
from integration.core.fingerprint import normalized
from integration.core.records import System
from integration.core.taught import Taught, best_of
from integration.models import (
    ErrorTotal,
    Operation,
    Problem,
    SyncError,
    TableMapping,
    TaughtArticle,
)
from integration.models.articles import TAUGHT
from integration.models.cuts import place
from integration.models.errors import RELEVANT_CHIPS, SyncErrorQuerySet
from integration.services import cells
from integration.services.alerts import note_moved
from integration.services.articles import catalog
from integration.services.error_rows import search_text_of
from integration.services.problems import ensure_problems
from integration.services.settling import (
    Before,
    Writing,
    before,
    cell_of,
    new_changes,
    writing,
)
from integration.services.taught import read_taught

_CHUNK = 500
_SMALL = 5_000
_SAID = (
    *("id", "message", "code", "http_status", "direction", "fingerprint"),
    *("waits_for", "search_text"),
    *("bc_number", "bc_name", "sales_number", "sales_name"),
)
_NUMBERS = ("bc_number", "sales_number")
Said = dict[str, Any]
"""What an error says of its cause, and of its record."""


def is_regrouping_due() -> bool:
    """Whether something was taught whose errors are still to be looked for."""
    return TaughtArticle.objects.filter(due_at__isnull=False).exists()


def is_small() -> bool:
    """Whether it takes no longer than a page may take."""
    rows = ErrorTotal.objects.filter(open_to_teaching("problem__"))
    relevant = rows.filter(state__in=RELEVANT_CHIPS)
    return (relevant.aggregate(total=Sum("n"))["total"] or 0) <= _SMALL


def regroup(max_seconds: float = 300.0) -> bool:
    """Move what is to be moved; ``False``: there was more than time for it.

    Call it again to go on. Time ends after a chunk that moved, so every call comes
    further.
    """
    until = clock.monotonic() + max_seconds
    due = list(TaughtArticle.objects.filter(due_at__isnull=False).order_by("pk"))
    if not due:
        return True
    taught = read_taught()
    operations = {article.key: article.operation_id for article in due}
    for problem in problems_open_to_teaching():
        for rows in open_errors(problem):
            if not judged(problem, rows, taught):
                continue
            _move(problem, [row["id"] for row in rows], taught, operations)
            if clock.monotonic() > until:
                return False
    for article in due:
        _finish(article)
    return True


def call_for_regrouping() -> None:
    """Errors came back that were out of sight: look at them, too."""
    TaughtArticle.objects.filter(withdrawn_at=None).update(due_at=clock.now())


def problems_open_to_teaching() -> Iterator[Problem]:
    """Those that no built-in article knows more of than what was said."""
    rows = SyncError.objects.relevant().order_by()
    found = Problem.objects.filter(open_to_teaching(), pk__in=rows.values("problem_id"))
    yield from found.select_related("connection").order_by("connection_id", "pk")


def open_to_teaching(to: str = "") -> Q:
    """``to`` leads from the rows to their problem."""
    general = [a.id for a in catalog().articles.values() if a.general]
    name = f"{to}article"
    taught = Q(**{f"{name}__startswith": TAUGHT})
    return Q(**{name: ""}) | Q(**{f"{name}__in": general}) | taught


def open_errors(problem: Problem) -> Iterator[list[Said]]:
    """What its errors that are still relevant say, a chunk at a time."""
    last = 0
    rows = SyncError.objects.relevant().filter(problem=problem).order_by("id")
    while chunk := list(rows.filter(id__gt=last).values(*_SAID)[:_CHUNK]):
        last = chunk[-1]["id"]
        yield chunk


def judged(
    problem: Problem, rows: Iterable[Said], taught: Sequence[Taught]
) -> list[tuple[Cause, list[Said]]]:
    """Those of these errors that belong to another cause than their problem's, by it.

    What waits for a record belongs where that record's error does: it is moved with it.
    """
    found: dict[str, tuple[Cause, list[Said]]] = {}
    for row in rows:
        cause = _cause_of(problem, row, taught)
        if cause and _is_other(problem, row, cause):
            found.setdefault(cause.fingerprint, (cause, []))[1].append(row)
    return [found[fingerprint] for fingerprint in sorted(found)]


def _is_other(problem: Problem, row: Said, cause: Cause) -> bool:
    if cause.fingerprint != row["fingerprint"]:
        return True
    # The same, but told in other words since: the list must find them.
    return (
        problem.article.startswith(TAUGHT)
        and search_text_of(row, cause) != row["search_text"]
    )


def _cause_of(problem: Problem, row: Said, taught: Sequence[Taught]) -> Cause | None:
    """What it belongs to now; ``None``: to nothing that was taught, as before."""
    if row["waits_for"]:
        return None
    message = normalized(row["message"])
    lesson = best_of(taught, message)
    if lesson:
        return cause_taught(lesson, message, catalog())
    if problem.article.startswith(TAUGHT):
        return _untaught(_system_of(problem, row), row)
    return None


def _system_of(problem: Problem, row: Said) -> System:
    """Who said it: what the error was called before somebody taught it tells."""
    names = {_untaught(system, row).fingerprint: system for system in System}
    had = Problem.objects.filter(
        connection=problem.connection_id, fingerprint__in=names
    ).values_list("fingerprint", flat=True)
    found = {names[fingerprint] for fingerprint in had}
    return found.pop() if len(found) == 1 else _likely_system(row)


def _untaught(system: System, row: Said) -> Cause:
    return classify(_failure(system, row), catalog())


def _failure(system: System, row: Said) -> Failure:
    kind = FailureKind.REFUSED
    return Failure(system, kind, row["code"], row["message"], row["http_status"])


def _likely_system(row: Said) -> System:
    """By the shape of the code, else by the side that was written."""
    if re.match(r"0x|-?\d{9,10}\Z", row["code"]):
        return System.SALES
    to_sales = row["direction"] == Direction.TO_SALES
    of_business_central = re.match(r"[A-Z][A-Za-z]+_[A-Z]", row["code"])
    return (
        System.SALES
        if to_sales and not of_business_central
        else System.BUSINESS_CENTRAL
    )


@transaction.atomic
def _move(
    problem: Problem,
    ids: Sequence[int],
    taught: Sequence[Taught],
    operations: Mapping[str, int],
) -> None:
    """One chunk, looked at again under the lock of recording."""
    work = writing(problem.connection)
    rows = SyncError.objects.relevant().filter(problem=problem)
    said = list(rows.filter(id__in=ids).values(*_SAID))
    found = judged(problem, said, taught)
    if not found:
        return
    targets = _targets(problem, [cause for cause, _members in found])
    for cause, members in found:
        target = targets[cause.fingerprint]
        if target.pk == problem.pk:
            _tell_anew(work, problem, cause, members)
            continue
        moved = _move_to(work, problem, target, cause, members)
        owner = target.article if target.article in operations else problem.article
        Operation.objects.filter(pk=operations.get(owner, 0)).update(
            rows=F("rows") + moved
        )


def _tell_anew(
    work: Writing, problem: Problem, cause: Cause, members: Sequence[Said]
) -> None:
    """Their cause is the same, in other words: the list must find them by these."""
    told = {row["id"]: row for row in members}
    rows = before(work, SyncError.objects.filter(id__in=told))
    _write(members, cause, problem)
    kept = _that_stay_in_sight(work, rows)
    _write_back([row for row in rows if row not in kept], told, problem)


def _targets(problem: Problem, causes: Sequence[Cause]) -> dict[str, Problem]:
    """The problems of these causes, seen as long as the one they come from."""
    ids = ensure_problems(problem.connection, causes, problem.last_seen)
    rows = Problem.objects.filter(pk__in=ids.values())
    rows.filter(first_seen__gt=problem.first_seen).update(first_seen=problem.first_seen)
    return {row.fingerprint: row for row in rows}


def _move_to(
    work: Writing,
    source: Problem,
    target: Problem,
    cause: Cause,
    members: Sequence[Said],
) -> int:
    """These, and what waits for their records; returns how many moved."""
    said = [*members, *_followers(source, members)]
    rows = before(work, SyncError.objects.filter(id__in=[row["id"] for row in said]))
    free = _free(rows, source, cause)
    told = {row["id"]: row for row in said if row["id"] in free}
    _write(list(told.values()), cause, target)
    moved = _that_stay_in_sight(work, [row for row in rows if row["id"] in told])
    stuck = [row for row in rows if row["id"] in told and row not in moved]
    _write_back(stuck, told, source)
    _count(moved, target)
    if moved:
        note_moved(source, target)
        _keep_what_people_said(source, target)
    return len(moved)


def _followers(source: Problem, said: Sequence[Said]) -> list[Said]:
    """What waits for one of these records under the same cause."""
    numbers = {row[name] for row in said for name in _NUMBERS}
    numbers.discard("")
    if not numbers:
        return []
    waiting = SyncError.objects.relevant().filter(problem=source, waits_for__in=numbers)
    return list(waiting.exclude(id__in=[row["id"] for row in said]).values(*_SAID))


def _free(rows: Sequence[Before], source: Problem, cause: Cause) -> set[int]:
    """Those whose record has no row of that cause already: it would be two."""
    taken = SyncError.objects.filter(
        connection=source.connection_id,
        fingerprint=cause.fingerprint,
        record_key__in=[row["record_key"] for row in rows],
    ).values_list("mapping_key", "direction", "record_key")
    keys = set(taken)
    return {
        row["id"]
        for row in rows
        if (row["mapping_key"], row["direction"], row["record_key"]) not in keys
    }


def _write(said: Sequence[Said], cause: Cause, target: Problem) -> None:
    SyncError.objects.filter(id__in=[row["id"] for row in said]).update(
        problem=target, fingerprint=cause.fingerprint
    )
    rows = [
        SyncError(pk=row["id"], search_text=search_text_of(row, cause)) for row in said
    ]
    SyncError.objects.bulk_update(rows, ["search_text"], batch_size=100)


def _that_stay_in_sight(work: Writing, rows: Sequence[Before]) -> list[Before]:
    """Those that no clean-up takes, or gives back, because of their new cause.

    A row may leave a clean-up's scope, never enter it; and what it hid stays hidden.
    """
    known: SyncErrorQuerySet = SyncError.objects.filter(
        id__in=[row["id"] for row in rows]
    )
    places = dict(known.annotate(place=place(work.cuts)).values_list("id", "place"))
    return [row for row in rows if places[row["id"]] == row["place"]]


def _write_back(
    rows: Sequence[Before], told: Mapping[int, Said], source: Problem
) -> None:
    for row in rows:
        SyncError.objects.filter(id=row["id"]).update(
            problem=source,
            fingerprint=row["fingerprint"],
            search_text=told[row["id"]]["search_text"],
        )


def _count(rows: Sequence[Before], target: Problem) -> None:
    changes = new_changes()
    for row in rows:
        cell = cell_of(row)
        changes[row["place"]][cell] -= 1
        changes[row["place"]][cell._replace(problem_id=target.pk)] += 1
    cells.add(changes)


def _keep_what_people_said(source: Problem, target: Problem) -> None:
    """Who takes care of it, where it went, and what a storm on a mapping is about."""
    if target.assignee_id is None and source.assignee_id is not None:
        Problem.objects.filter(pk=target.pk).update(assignee=source.assignee_id)
    Problem.objects.filter(pk=source.pk).update(moved_to=target)
    TableMapping.objects.filter(
        connection=source.connection_id, failing_cause=source.fingerprint
    ).update(failing_cause=target.fingerprint)


@transaction.atomic
def _finish(article: TaughtArticle) -> None:
    """It is done, unless somebody changed it, or called for it, meanwhile."""
    done = TaughtArticle.objects.filter(
        pk=article.pk, edition=article.edition, due_at=article.due_at
    ).update(due_at=None)
    if done:
        Operation.objects.filter(
            pk=article.operation_id, state=OperationState.RUNNING
        ).update(state=OperationState.DONE, finished_at=clock.now())


def what_would_move(
    taught: Sequence[Taught], article_id: str, within: Q
) -> dict[Problem, list[int]]:
    """Ids of what would belong to this article, by its problem now; nothing is moved.

    What waits for one of these records is among them. Two queries, and of the rows only
    what they say is read, each message once.
    """
    open_ones = Problem.objects.filter(open_to_teaching()).select_related("connection")
    rows = SyncError.objects.relevant().filter(
        within, problem__in=open_ones.values("pk")
    )
    mine: defaultdict[int, list[int]] = defaultdict(list)
    waiting: list[tuple[int, int, str]] = []
    numbers: set[tuple[int, str]] = set()

    @lru_cache(maxsize=_CHUNK)
    def fits(message: str) -> bool:
        lesson = best_of(taught, normalized(message))
        return lesson is not None and lesson.article.id == article_id

    said = rows.order_by().values_list(
        "problem", "id", "waits_for", "message", *_NUMBERS
    )
    for problem, key, waits_for, message, *named in said.iterator():
        if waits_for:
            waiting.append((problem, key, waits_for))
        elif fits(message):
            mine[problem].append(key)
            numbers.update((problem, number) for number in named)
    for problem, key, waits_for in waiting:
        if (problem, waits_for) in numbers:
            mine[problem].append(key)
    found = open_ones.in_bulk(mine)
    return {found[key]: mine[key] for key in sorted(mine)}
