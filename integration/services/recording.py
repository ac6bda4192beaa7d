"""Recording failing records: grouped by cause, one row each, in few statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import Q

from integration.choices import Chip, ErrorState, SettledReason
from integration.core.causes import Cause
from integration.models import ErrorPayload, SyncError
from integration.models.bulk import Columns, upsert
from integration.models.cuts import VISIBLE
from integration.models.dialect import among, among_ids
from integration.services import cells
from integration.services.cells import Cell
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
_UNSETTLED = {
    "settled_at": None,
    "settled_reason": "",
    "spared": False,
    "deleted_by_id": None,
    "payload_days": None,
}
"""What whatever fails now is, however it stood before."""
_GROUPS = ("problem_id", "connection_id", "mapping_key", "direction")
_PAYLOAD = ("error_id", "latest")
_SENT = ("request", "response", "recorded_at")
_Seen = Sequence[Before | None]
"""What of a chunk is known already, in its order."""


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
    seen = [known.get(one.key) for one in chunk]
    columns = _columns(work, chunk, problems, seen)
    repeated = [name for name in columns if name not in {*_KEY, "first_seen"}]
    ids = upsert(SyncError, columns, _KEY, repeated)
    days = [moment.date() for moment in columns["last_seen"]]
    _count(columns, days, seen)
    note_failures(_first_of_their_day(columns["problem_id"], days, seen))
    if _wake_what_grows(work, columns["problem_id"], seen):
        standing = _standing(work, chunk)
    _keep_payloads(work, chunk, ids, seen)
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


def _key_of(row: Before) -> tuple[str, str, str, str]:
    record = (row["mapping_key"], row["direction"], row["record_key"])
    return (*record, row["fingerprint"])


def _columns(
    work: Writing, chunk: Sequence[Failing], problems: Mapping[str, int], seen: _Seen
) -> dict[str, list[Any]]:
    """What is written of these, by column."""
    said = [one.columns for one in chunk]
    fingerprints = [one.cause.fingerprint for one in chunk]
    return {
        "connection_id": [work.connection.pk] * len(chunk),
        "mapping_key": [one.mapping_key for one in chunk],
        "direction": [one.direction for one in chunk],
        "record_key": [one.record_key for one in chunk],
        "fingerprint": fingerprints,
        "problem_id": [problems[fingerprint] for fingerprint in fingerprints],
        **{
            name: [columns.get(name, default) for columns in said]
            for name, default in _DEFAULTS.items()
        },
        **_standing_columns(work, seen),
        **{name: [value] * len(chunk) for name, value in _UNSETTLED.items()},
    }


def _standing_columns(work: Writing, seen: _Seen) -> dict[str, list[Any]]:
    """What depends on how a row stood before; what is ignored stays so."""
    now = work.moment
    ignored = [
        old if old and old["state"] == ErrorState.IGNORED else {} for old in seen
    ]
    return {
        "occurrences": [old["occurrences"] + 1 if old else 1 for old in seen],
        "first_seen": [old["first_seen"] if old else now for old in seen],
        "last_seen": [max(now, old["last_seen"]) if old else now for old in seen],
        "state": [old.get("state", ErrorState.OPEN.value) for old in ignored],
        "reopened_at": [_reopened_at(work, old) for old in seen],
        "ignored_until": [old.get("ignored_until") for old in ignored],
        "handled_by_id": [old.get("handled_by_id") for old in ignored],
    }


def _reopened_at(work: Writing, old: Before | None) -> Any:
    if old is None:
        return None
    came_back = old["state"] == ErrorState.RESOLVED or old["place"] != VISIBLE
    return work.moment if came_back else old["reopened_at"]


def _count(
    columns: Mapping[str, Sequence[Any]], days: Sequence[date], seen: _Seen
) -> None:
    changes = new_changes()
    for old in filter(None, seen):
        changes[old["place"]][cell_of(old)] -= 1
    groups = [columns[name] for name in _GROUPS]
    chips = map(_chip, columns["state"], columns["waits_for"])
    changes[VISIBLE].update(map(Cell, days, *groups, chips))
    cells.add(changes)


def _chip(state: str, waits_for: str) -> str:
    if state == ErrorState.IGNORED:
        return Chip.IGNORED.value
    return (Chip.WAITING if waits_for else Chip.OPEN).value


def _first_of_their_day(
    problems: Iterable[int], days: Iterable[date], seen: _Seen
) -> Iterator[tuple[int, date]]:
    """Problem and day of those that had not failed on that day yet."""
    for problem, day, old in zip(problems, days, seen, strict=True):
        if old is None or old["day"] < day:
            yield problem, day


def _wake_what_grows(work: Writing, problems: Iterable[int], seen: _Seen) -> bool:
    """A further record of a cause ends what is ignored until that grows; if any was."""
    grown = {
        problem
        for problem, old in zip(problems, seen, strict=True)
        if old is None or old["state"] == ErrorState.RESOLVED
    }
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
    work: Writing, chunk: Sequence[Failing], ids: Sequence[int], seen: _Seen
) -> None:
    """The first attempt's and the latest's, nothing between (design §5)."""
    kept = [place for place, one in enumerate(chunk) if one.request or one.response]
    columns: Columns = {
        "error_id": [ids[place] for place in kept],
        "latest": [seen[place] is not None for place in kept],
        "request": [chunk[place].request for place in kept],
        "response": [chunk[place].response for place in kept],
        "recorded_at": [work.moment] * len(kept),
    }
    upsert(ErrorPayload, columns, _PAYLOAD, _SENT)


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
