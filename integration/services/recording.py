"""Recording failing records: grouped by cause, one row each, in few statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Q

from integration.choices import Chip, ErrorState, SettledReason
from integration.core.causes import Cause
from integration.models import ErrorPayload, SyncError
from integration.models.bulk import upsert
from integration.models.cuts import VISIBLE
from integration.models.dialect import among, among_ids
from integration.services import cells
from integration.services.error_rows import COPIED, Failing, failing_copy
from integration.services.problems import ensure_problems
from integration.services.settling import (
    Before,
    Writing,
    before,
    cell_of,
    new_changes,
    reopen,
    settle,
)
from integration.services.trends import note_failures

_CHUNK = 1_000
_KEY = ("connection_id", "mapping_key", "direction", "record_key", "fingerprint")
_DEFAULTS = {name: getattr(SyncError(), name) for name in COPIED}
_COLUMNS = (
    *_KEY,
    *COPIED,
    *("problem_id", "occurrences", "first_seen", "last_seen", "state", "settled_at"),
    *("settled_reason", "reopened_at", "ignored_until", "handled_by_id", "spared"),
    *("deleted_by_id", "payload_days"),
)
_REPEATED = tuple(name for name in _COLUMNS if name not in {*_KEY, "first_seen"})
"""What a row seen again takes over from its latest attempt."""
_PAYLOAD = ("error_id", "latest")
_SENT = ("request", "response", "recorded_at")
_Row = dict[str, Any]
"""The columns to be written; ``day`` and ``chip``, by which it is counted, besides."""


def record_failing(work: Writing, failing: Sequence[Failing]) -> None:
    """One row per record and cause: made, or seen again and shown again.

    An older open row of the same record with another cause is settled as *replaced*,
    and what waits for that record moves to its new cause.
    """
    for chunk in _distinct_chunks(failing):
        moved = _record_chunk(work, chunk)
        if moved:
            record_failing(work, moved)


def _distinct_chunks(failing: Sequence[Failing]) -> Iterator[list[Failing]]:
    """Chunks in which no record comes twice: one statement cannot write a row twice."""
    chunk: dict[tuple[str, ...], Failing] = {}
    for one in failing:
        record = one.key if not one.record_key else one.key[:3]
        if len(chunk) == _CHUNK or record in chunk:
            yield list(chunk.values())
            chunk = {}
        chunk[record] = one
    if chunk:
        yield list(chunk.values())


def _record_chunk(work: Writing, chunk: Sequence[Failing]) -> list[Failing]:
    """Record these; returns what waited for one of them and now has a new cause."""
    causes = [one.cause for one in chunk]
    problems = ensure_problems(work.connection, causes, work.moment)
    standing = _standing(work, chunk)
    known = {_key_of(row): row for row in standing}
    rows = [_row(work, one, problems, known.get(one.key)) for one in chunk]
    values = [[row[name] for name in _COLUMNS] for row in rows]
    ids = upsert(SyncError, _COLUMNS, values, _KEY, _REPEATED)
    seen_before = [known.get(one.key) for one in chunk]
    _count(rows, seen_before)
    note_failures(_first_of_their_day(rows, seen_before))
    if _wake_what_grows(work, rows, standing):
        standing = _standing(work, chunk)
    _keep_payloads(work, zip(chunk, ids, strict=True), known)
    replaced = _replaced(chunk, standing)
    settle(work, [row for row, _ in replaced], SettledReason.REPLACED)
    return [copy for row, by in replaced for copy in _waiting_for(work, row, by)]


def _standing(work: Writing, chunk: Sequence[Failing]) -> list[Before]:
    """Every row of these records, with whatever cause."""
    wanted = Q(pk__in=[])
    groups: dict[tuple[str, str], list[Failing]] = {}
    for one in chunk:
        groups.setdefault((one.mapping_key, one.direction), []).append(one)
    for (mapping_key, direction), members in groups.items():
        keys = among(sorted({one.record_key for one in members}))
        group = Q(mapping_key=mapping_key, direction=direction, record_key__in=keys)
        wanted |= group
    rows = SyncError.objects.filter(wanted, connection=work.connection)
    return before(work, rows)


def _key_of(row: Before | _Row) -> tuple[str, str, str, str]:
    record = (row["mapping_key"], row["direction"], row["record_key"])
    return (*record, row["fingerprint"])


def _row(
    work: Writing, one: Failing, problems: dict[str, int], old: Before | None
) -> _Row:
    ignored = old is not None and old["state"] == ErrorState.IGNORED
    came_back = old is not None and (
        old["state"] == ErrorState.RESOLVED or old["place"] != VISIBLE
    )
    last_seen = max(work.moment, old["last_seen"]) if old else work.moment
    stands = Chip.WAITING if one.columns.get("waits_for") else Chip.OPEN
    return {
        **_DEFAULTS,
        **one.columns,
        "connection_id": work.connection.pk,
        "mapping_key": one.mapping_key,
        "direction": one.direction,
        "record_key": one.record_key,
        "fingerprint": one.cause.fingerprint,
        "problem_id": problems[one.cause.fingerprint],
        "occurrences": 1 if old is None else old["occurrences"] + 1,
        "first_seen": work.moment if old is None else old["first_seen"],
        "last_seen": last_seen,
        "day": last_seen.date(),
        "chip": (Chip.IGNORED if ignored else stands).value,
        "state": (ErrorState.IGNORED if ignored else ErrorState.OPEN).value,
        "settled_at": None,
        "settled_reason": "",
        "reopened_at": _reopened_at(work, old, came_back=came_back),
        "ignored_until": old["ignored_until"] if old and ignored else None,
        "handled_by_id": old["handled_by_id"] if old and ignored else None,
        "spared": False,
        "deleted_by_id": None,
        "payload_days": None,
    }


def _reopened_at(work: Writing, old: Before | None, *, came_back: bool) -> Any:
    if came_back:
        return work.moment
    return old["reopened_at"] if old is not None else None


def _count(rows: Iterable[_Row], before: Iterable[Before | None]) -> None:
    changes = new_changes()
    for row, old in zip(rows, before, strict=True):
        if old is not None:
            changes[old["place"]][cell_of(old)] -= 1
        changes[VISIBLE][cell_of(row)] += 1
    cells.add(changes)


def _first_of_their_day(
    rows: Iterable[_Row], before: Iterable[Before | None]
) -> Iterator[tuple[int, date]]:
    """Problem and day of those that had not failed on that day yet."""
    for row, old in zip(rows, before, strict=True):
        if old is None or old["day"] < row["day"]:
            yield row["problem_id"], row["day"]


def _wake_what_grows(
    work: Writing, rows: Iterable[_Row], standing: Iterable[Before]
) -> bool:
    """A further record of a cause ends what is ignored until that grows; if any was."""
    known = {_key_of(row) for row in standing if row["state"] != ErrorState.RESOLVED}
    grown = {row["problem_id"] for row in rows if _key_of(row) not in known}
    if not grown:
        return False
    ignored = SyncError.objects.in_chip(Chip.IGNORED).filter(
        problem_id__in=among_ids(list(grown)), ignored_until__isnull=True
    )
    woken = False
    while sleeping := before(work, ignored, most=_CHUNK):
        reopen(sleeping)
        woken = True
    return woken


def _keep_payloads(
    work: Writing,
    pairs: Iterable[tuple[Failing, int]],
    known: Mapping[tuple[str, str, str, str], Before],
) -> None:
    """The first attempt's and the latest's, nothing between (design §5)."""
    payloads = [
        (error, one.key in known, one.request, one.response, work.moment)
        for one, error in pairs
        if one.request or one.response
    ]
    upsert(ErrorPayload, (*_PAYLOAD, *_SENT), payloads, _PAYLOAD, _SENT)


def _replaced(
    chunk: Sequence[Failing], standing: Sequence[Before]
) -> list[tuple[Before, Failing]]:
    """Open rows of a record that now fails for another cause."""
    latest = {one.key[:3]: one for one in chunk if one.record_key}
    replaced = []
    for row in standing:
        one = latest.get(_key_of(row)[:3])
        if one is None or row["state"] == ErrorState.RESOLVED:
            continue
        if row["fingerprint"] != one.cause.fingerprint:
            replaced.append((row, one))
    return replaced


def _waiting_for(work: Writing, row: Before, by: Failing) -> list[Failing]:
    """What waited for this record under its old cause, under its new one."""
    waiting = SyncError.objects.filter(
        connection=work.connection,
        problem_id=row["problem_id"],
        chip__in=[Chip.WAITING, Chip.IGNORED],
        waits_for__in=by.numbers,
    )
    cause: Cause = by.cause
    return [failing_copy(child, cause) for child in waiting]
