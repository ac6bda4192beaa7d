"""Looking: reads the records of errors again, and has what changed tried at once.

One read per mapping and side serves all of them. A look writes nothing to either
system and settles nothing: what changed becomes due and a run of just these records is
started, as an answer's is. Whatever dies between two lines, the next look, or the next
run of the mapping, goes on (C5, C7).
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from integration import clock
from integration.choices import Category, LookFound, SettledReason
from integration.connectors.errors import Refused, RemoteError
from integration.connectors.throttle import REQUESTS
from integration.core.looks import (
    VERSION_LENGTH,
    Change,
    Failed,
    Seen,
    change_of,
    version_of,
)
from integration.core.outcomes import Presence
from integration.core.records import Direction, System
from integration.models import (
    Connection,
    Look,
    PendingRecord,
    SyncError,
    TableMapping,
)
from integration.services import pending
from integration.services.absent import Found, find
from integration.services.answers import settled_by
from integration.services.connections import check_now_and_then
from integration.services.endpoints import budgets_of
from integration.services.looks import (
    awaited_by,
    claim_looks,
    is_watched,
    keep,
    watch,
    written_since,
)
from integration.services.may_run import why_not
from integration.services.outside_jobs import opened
from integration.services.runs import start_run
from integration.services.sentences import InWords
from integration.services.work import Work

logger = logging.getLogger(__name__)

CHECKED_EVERY = timedelta(seconds=40)
"""What only a check of the set-up can see is looked at so often, while watched."""
_CHECKED = {Category.PERMISSION, Category.CONFIGURATION}
"""Causes that are mended elsewhere than in the record."""
_FOR_WATCHED, _UNASKED = REQUESTS // 2, REQUESTS // 4
"""How much of a budget may be spent when a look still asks: the rest is the runs'."""
_BY_CHECK = "by a check"
"""Stands for the version that was tried because a check passed."""
_Read = Mapping[System, Found | None]
"""Snapshots by id; ``None`` for a side that may not be read."""


def look_at_due() -> list[UUID]:
    """Look at everything that is due; the runs to announce."""
    groups: dict[tuple[int, str], list[Look]] = defaultdict(list)
    for look in claim_looks():
        groups[look.error.connection_id, look.error.mapping_key].append(look)
    started = []
    for (connection_id, name), looks in groups.items():
        run_id = _look_at(connection_id, name, looks)
        started += [run_id] if run_id else []
    return started


def _look_at(connection_id: int, name: str, looks: Sequence[Look]) -> UUID | None:
    """The looks at errors of one mapping; without a name, at those of the set-up."""
    ends = Connection.objects.select_related("business_central", "sales")
    connection = ends.get(pk=connection_id)
    run_id = None
    if _may_ask(connection, looks):
        _check(connection, looks)
        mapping = connection.mappings.filter(name=name).first()
        if mapping and not connection.paused_at and connection.enabled:
            run_id = _look_at_records(mapping, looks)
        _leave(connection, looks)
    for look in looks:
        _end(look)
    return run_id


def _may_ask(connection: Connection, looks: Iterable[Look]) -> bool:
    """Not while a run may need the calls, or a system asks everybody to wait."""
    now = clock.now()
    most = _FOR_WATCHED if any(is_watched(one, now) for one in looks) else _UNASKED
    ends = (connection.business_central, connection.sales)
    standings = [one for one in budgets_of(ends).values() if one]
    return all(one.spent < most and not one.closed for one in standings)


def _check(connection: Connection, looks: Iterable[Look]) -> None:
    """What no record shows is seen by the check of the set-up, which tries it again.

    A sign-in that was refused is left to whoever enters a new one: once more would
    bring the account nearer to being locked.
    """
    now = clock.now()
    asking = [one for one in looks if is_watched(one, now) and _needs_check(one.error)]
    result = check_now_and_then(connection, CHECKED_EVERY) if asking else None
    if result is None:
        return
    connection.refresh_from_db()
    for look in asking:
        if not look.error.record_key:
            is_same = look.error.fingerprint in result.found
            look.looked_at = clock.now()
            look.found = LookFound.SAME if is_same else ""
    _free_unseen(connection, asking, result.causes)


def _free_unseen(
    connection: Connection, looks: Iterable[Look], causes: set[str] | None
) -> None:
    """What the check does not see is over, or is nothing it can see: tried once."""
    freed = set()
    for look in looks:
        cause, is_new = look.error.fingerprint, look.tried != _BY_CHECK
        if is_new and causes is not None and cause not in causes:
            look.tried = _BY_CHECK
            freed.add(cause)
    if freed and pending.release_cured(connection, freed):
        connection.mappings.update(next_run_at=clock.now())


def _needs_check(error: SyncError) -> bool:
    if error.problem.category == Category.AUTHENTICATION:
        return False
    if not error.record_key or error.problem.category in _CHECKED:
        return True
    return bool(error.waits_for) and not awaited_by(error).exists()


def _leave(connection: Connection, looks: Iterable[Look]) -> None:
    """What nobody looks at is not called *being looked at* for ever."""
    rests = bool(connection.paused_at) or not connection.enabled
    for look in looks:
        is_left = rests if look.error.record_key else not _needs_check(look.error)
        if is_left and look.looked_at is None:
            look.looked_at = clock.now()


def _look_at_records(mapping: TableMapping, looks: Sequence[Look]) -> UUID | None:
    try:
        found = _read(mapping, [look.error for look in looks])
    except (RemoteError, InWords) as error:
        logger.info("records not looked at", extra={"reason": str(error)})
        for look in looks:
            look.looked_at, look.found = clock.now(), LookFound.NOT_READ
        return None
    changed = [look for look in looks if _judge(mapping, look, found)]
    return _try(mapping, changed) if changed else None


def _read(mapping: TableMapping, errors: Sequence[SyncError]) -> _Read:
    with opened(mapping) as (work, _sales):
        return {side: _read_side(work, side, errors) for side in System}


def _read_side(work: Work, side: System, errors: Sequence[SyncError]) -> Found | None:
    ids = {_id(error, side) for error in errors} - {""}
    try:
        return find(work, side, sorted(ids))
    except Refused:
        return None


def _judge(mapping: TableMapping, look: Look, found: _Read) -> bool:
    """Note what was found; whether it is to be tried because of that."""
    error = look.error
    row = _pending(mapping, error)
    failed = {side: _failed(look, side, row) for side in System}
    seen = {side: _seen(found[side], failed[side].id) for side in System}
    changes = _changes(_source(error), failed, seen)
    there = {side: seen[side].presence(failed[side]) for side in System}
    is_gone = any(
        there[side] == Presence.DELETED and _presence(error, side) == Presence.EXISTS
        for side in System
    )
    is_back = any(
        there[side] == Presence.EXISTS and _was_out_of_sight(look, side)
        for side in System
    )
    version = version_of(seen)
    is_news = bool(changes or is_gone or is_back) and version != look.tried
    is_news = is_news and error.settled_at is None
    if is_news or error.settled_at or not changes:
        _attribute(look, changes)
    look.looked_at = clock.now()
    look.found = _word(there, is_gone=is_gone, is_tried=is_news or _is_due(row))
    if is_news and why_not(mapping):
        return False
    look.tried = version if is_news else look.tried
    for side in System:
        _note(look, side, there[side], seen[side])
    return is_news


def _pending(mapping: TableMapping, error: SyncError) -> PendingRecord | None:
    side = _source(error)
    return pending.by_record(mapping, side, [error.record_key]).get(error.record_key)


def _source(error: SyncError) -> System:
    return Direction(error.direction).source


def _id(error: SyncError, side: System) -> str:
    return str(getattr(error, f"{side.short}_id"))


def _presence(error: SyncError, side: System) -> str:
    return str(getattr(error, f"{side.short}_presence"))


def _was_out_of_sight(look: Look, side: System) -> bool:
    known = getattr(look, f"{side.short}_presence") or _presence(look.error, side)
    return bool(known == Presence.NO_ACCESS)


def _failed(look: Look, side: System, row: PendingRecord | None) -> Failed:
    error = look.error
    seen_before = getattr(look, f"{side.short}_etag")
    tried = row.etag if row and side is _source(error) else ""
    values = (error.values or {}).get(side.value) or {}
    etag = tried or seen_before
    return Failed(_id(error, side), etag, values, written_since(look, side))


def _seen(found: Found | None, key: str) -> Seen:
    if found is None or key in found.hidden:
        return Seen(may_read=False)
    return Seen(found.present.get(key))


def _changes(
    source: System, failed: Mapping[System, Failed], seen: Mapping[System, Seen]
) -> list[Change]:
    """The source's first."""
    sides = (source, source.other)
    found = (change_of(side, failed[side], seen[side]) for side in sides)
    return [change for change in found if change]


def _attribute(look: Look, changes: Sequence[Change]) -> None:
    """Keep what an error is, or was, mended by; what a failed try disproved is none."""
    error = look.error
    known = (_told(change, error.last_seen) for change in changes)
    told = next((one for one in known if one), None)
    if told and not (error.settled_at and look.change):
        look.change = told
    elif error.settled_at is None:
        look.change = None


def _told(change: Change, failed_at: datetime) -> dict[str, Any] | None:
    """What is older than the failure mended nothing; systems tell whole seconds."""
    is_older = change.at is not None and change.at < failed_at.replace(microsecond=0)
    if is_older and not change.fields:
        return None
    return {
        "side": change.side.value,
        "fields": list(change.fields),
        "at": change.at.isoformat() if change.at and not is_older else "",
    }


def _word(
    there: Mapping[System, Presence], *, is_gone: bool, is_tried: bool
) -> LookFound:
    if Presence.NO_ACCESS in there.values():
        return LookFound.NO_ACCESS
    if is_gone:
        return LookFound.GONE
    return LookFound.CHANGED if is_tried else LookFound.SAME


def _is_due(row: PendingRecord | None) -> bool:
    """Released, and not tried yet."""
    return row is not None and row.attempts == 0 and row.next_attempt_at is not None


def _note(look: Look, side: System, there: Presence, seen: Seen) -> None:
    short = side.short
    setattr(look, f"{short}_presence", "" if there == Presence.NONE else there.value)
    if seen.record:
        setattr(look, f"{short}_etag", seen.record.etag[:VERSION_LENGTH])


@transaction.atomic
def _try(mapping: TableMapping, changed: Sequence[Look]) -> UUID | None:
    """Make them due and start their run; what waits for them goes right after it.

    Where another run is in the way, that one or the next try them; so does the next
    look, for which they are not tried yet, and which knows what that run wrote.
    """
    only = sorted({(_source(one.error), one.error.record_key) for one in changed})
    for side in System:
        keys = [key for system, key in only if system is side]
        pending.release_changed(mapping, side, keys)
    run_id = start_run(mapping, only=only)
    for look in changed:
        look.tried = look.tried if run_id else ""
        look.change = look.change if run_id else None
    waiting = SyncError.objects.relevant().filter(
        problem__in={look.error.problem_id for look in changed}
    )
    names = waiting.exclude(waits_for="").order_by().values("mapping_key").distinct()
    mapping.connection.mappings.filter(name__in=names).update(next_run_at=clock.now())
    return run_id


def _change_of_awaited(error: SyncError) -> dict[str, Any] | None:
    """What mended the record that this one waited for, else that it arrived."""
    mended = SyncError.objects.filter(
        problem=error.problem_id,
        waits_for="",
        settled_reason=SettledReason.RESOLVED,
        settled_at__gte=error.last_seen,
    )
    arrived = mended.select_related("look").order_by("-settled_at").first()
    if arrived is None or arrived.settled_at is None:
        return None
    look = getattr(arrived, "look", None)
    change = look and look.change
    if not (change and change["fields"] and change["at"]):
        side, at = _source(error).value, arrived.settled_at.isoformat()
        change = {"side": side, "fields": [], "at": at}
    return {**change, "of": error.waits_for}


def _person(error: SyncError) -> dict[str, Any] | None:
    """Who settled it: what a person's answer wrote is no change of a record."""
    done = settled_by(error)
    if done is None or error.settled_at is None:
        return None
    return {
        "side": _source(error).value if error.direction else "",
        "fields": [],
        "at": error.settled_at.isoformat(),
        "by": done.by_name,
        "by_hand": error.handled_by is not None,
    }


def _end(look: Look) -> None:
    """A settled error is looked at no more; what replaced a watched one is."""
    look.error.refresh_from_db()
    if look.error.settled_at is None:
        keep(look)
        return
    look.change = _person(look.error) or look.change
    if look.change is None and look.error.waits_for:
        look.change = _change_of_awaited(look.error)
    if look.error.settled_reason == SettledReason.REPLACED and look.watched_until:
        same = SyncError.objects.relevant().filter(
            connection=look.error.connection_id,
            mapping_key=look.error.mapping_key,
            direction=look.error.direction,
            record_key=look.error.record_key,
        )
        for error in same.exclude(record_key=""):
            watch(error)
    keep(look, is_over=True)
