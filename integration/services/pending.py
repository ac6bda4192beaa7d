"""Pending records: what the engine tries again, and when (promise 6)."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When

from integration import clock
from integration.core.outcomes import Trouble
from integration.core.records import System
from integration.core.retry import WAITS, decide_retry
from integration.core.snapshots import Snapshot
from integration.models import (
    Connection,
    Coupling,
    Operation,
    PendingRecord,
    Problem,
    SyncError,
    TableMapping,
)
from integration.models.bulk import insert_new, upsert
from integration.models.dialect import among
from integration.models.pending import PendingRecordQuerySet
from integration.models.statements import Slots, Statement

_CHUNK = 500
_UNIQUE = ("mapping_id", "side", "record_id")
_TRIED = (
    *("etag", "label", "attempts", "next_attempt_at", "waits_for", "failure", "code"),
    *("fingerprint", "skipped_at", "skip_reason", "intent"),
)
_INTENDED = (
    *("label", "next_attempt_at", "waits_for", "skipped_at", "skip_reason", "intent"),
)
"""What an intent changes: version and attempts stay those of the last try."""
_ASIDE = tuple(name for name in _TRIED if name != "intent")
"""What may have been created from it is looked for all the same."""
_COLUMNS = (*_UNIQUE, *_TRIED, "wanted")
_BLANK = {name: getattr(PendingRecord(), name) for name in _COLUMNS}
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tried:
    """A record whose try failed. ``etag`` is the version that was tried.

    ``is_first``: its partner has changed since the last try, which counts from zero.
    """

    side: System
    record_id: str
    etag: str
    label: str
    trouble: Trouble
    is_first: bool = False


def by_record(
    mapping: TableMapping, side: System, ids: Sequence[str]
) -> dict[str, PendingRecord]:
    # Mostly nothing is pending, and thousands of ids need not be sent to hear that.
    if not (ids and are_there(mapping, side)):
        return {}
    return {row.record_id: row for row in _of(mapping, side, ids)}


def _of_side(mapping: TableMapping, side: System) -> PendingRecordQuerySet:
    return PendingRecord.objects.filter(mapping=mapping, side=side.value)


def _of(
    mapping: TableMapping, side: System, ids: Sequence[str]
) -> PendingRecordQuerySet:
    """Most chunks have none to ask for: whoever calls this looks first."""
    return _of_side(mapping, side).filter(record_id__in=among(ids))


def is_resting(row: PendingRecord, record: Snapshot, now: datetime) -> bool:
    """The version that failed, read again before its time: no new try."""
    if row.etag != record.etag:
        return False
    return row.next_attempt_at is None or row.next_attempt_at > now


def due(mapping: TableMapping, side: System, now: datetime) -> Iterator[list[str]]:
    """Ids to try now, in chunks; each once, whatever becomes of it meanwhile.

    Also those that would wait for longer than any: the clock was set back since.
    """
    if not are_there(mapping, side):
        return
    later = now + clock.AHEAD
    last_but_one, last = later + WAITS[-2], later + WAITS[-1]
    come = (
        Q(next_attempt_at__lte=now)
        | Q(next_attempt_at__gt=last_but_one, attempts__lt=len(WAITS))
        | Q(next_attempt_at__gt=last)
    )
    rows = PendingRecord.objects.filter(come, mapping=mapping, side=side.value)
    yield from _in_chunks(rows.order_by("record_id"))


def uncoupled(mapping: TableMapping, side: System) -> Iterator[list[str]]:
    """Ids of pending records without a partner, in chunks."""
    if not are_there(mapping, side):
        return
    mine = {f"{side.short}_id": OuterRef("record_id")}
    same = Coupling.objects.filter(mapping=mapping, **mine)
    rows = PendingRecord.objects.filter(~Exists(same), mapping=mapping, side=side.value)
    yield from _in_chunks(rows.order_by("record_id"))


def unlisted() -> PendingRecordQuerySet:
    """What is not in step although no entry of the list says so.

    It was set aside, its entry was deleted, or it waits for its first try.
    """
    listed = SyncError.objects.visible(Operation.objects.cuts()).filter(
        settled_at=None,
        connection=OuterRef("mapping__connection"),
        mapping_key=OuterRef("mapping__name"),
        record_key=OuterRef("record_id"),
    )
    # As a value, not as a condition: else PostgreSQL, before it has looked at tables
    # that a storm has just filled, compares each of 50,000 with each of 2,000.
    is_listed = Case(When(Exists(listed), then=True), default=False)
    return PendingRecord.objects.alias(is_listed=is_listed).filter(is_listed=False)


def record_tried(mapping: TableMapping, tried: Sequence[Tried], now: datetime) -> None:
    """Decide when each is tried again, in the caller's transaction.

    Another version than the one tried last counts its attempts from zero.
    """
    rows = []
    for side in System:
        mine = [one for one in tried if one.side is side]
        known = by_record(mapping, side, [one.record_id for one in mine])
        rows += [_row(mapping, one, known.get(one.record_id), now) for one in mine]
    _upsert(rows)


def set_aside(
    mapping: TableMapping, records: Iterable[tuple[System, Snapshot, str]]
) -> None:
    """Not tried until it changes or is wanted: nothing is wrong."""
    now = clock.now()
    rows = (
        _untried(mapping, side, record)
        | {"skipped_at": now, "skip_reason": reason[:500]}
        for side, record, reason in records
    )
    _upsert(rows, _ASIDE)


def keep(mapping: TableMapping, side: System, records: Iterable[Snapshot]) -> None:
    """Never tried, and due, as is what was set aside; what was tried stays as it is."""
    due, kept = {"next_attempt_at": clock.now()}, list(records)
    if not kept:
        return
    rows = [_untried(mapping, side, record) | due for record in kept]
    columns = {name: [row[name] for row in rows] for name in _COLUMNS}
    insert_new(PendingRecord, columns, "record_id")
    known = _of(mapping, side, [record.id for record in kept])
    _release(known.filter(skipped_at__isnull=False))


def want(mapping: TableMapping, side: System, records: Iterable[Snapshot]) -> None:
    """Their deleted partners are to be made again: due now, attempts from zero."""
    due = {"next_attempt_at": clock.now(), "wanted": True}
    rows = (_untried(mapping, side, record) | due for record in records)
    _upsert(rows, (*_TRIED, "wanted"))


def save_intents(
    mapping: TableMapping, intents: Iterable[tuple[Snapshot, dict[str, Any]]]
) -> None:
    """What is about to be created in Business Central, before the call (promise 1)."""
    now = clock.now()
    rows = (
        _untried(mapping, System.SALES, record)
        | {"next_attempt_at": now, "intent": intent}
        for record, intent in intents
    )
    _upsert(rows, _INTENDED)


def intents(mapping: TableMapping) -> Iterator[dict[str, dict[str, Any]]]:
    """Every intent of this mapping by the id of its Sales record, in chunks."""
    if not are_there(mapping, System.SALES):
        return
    rows = PendingRecord.objects.filter(mapping=mapping, side=System.SALES.value)
    held = rows.filter(intent__isnull=False)
    for ids in _in_chunks(held.order_by("record_id")):
        found = held.filter(record_id__in=among(ids)).values_list("record_id", "intent")
        yield {key: intent for key, intent in found if intent}


def forget_intents(mapping: TableMapping, ids: Sequence[str]) -> None:
    """The calls that would have created these never went out."""
    if ids:
        _of(mapping, System.SALES, ids).update(intent=None)


def clear(mapping: TableMapping, side: System, ids: Sequence[str]) -> None:
    """These are in step, or no longer wanted; in the caller's transaction."""
    if ids and are_there(mapping, side):
        _of(mapping, side, ids).delete()


def are_there(mapping: TableMapping, side: System) -> bool:
    """Whether any of this side is pending."""
    return bool(_any_one().raw(mapping.pk, side.value))


@cache
def _any_one() -> Statement:
    """The first of one side of a mapping: asked after every chunk, mostly in vain."""
    rows = PendingRecord.objects.filter(mapping=Slots.KEY, side=Slots.TEXT)
    slots = (Slots.KEY, Slots.TEXT)
    return Statement.of(rows.order_by().values_list("pk")[:1], slots=slots)


def release_all(mapping: TableMapping) -> None:
    """The mapping has changed: whatever failed may pass now."""
    _release(PendingRecord.objects.filter(mapping=mapping))


def _release(rows: QuerySet[PendingRecord]) -> int:
    return rows.update(
        attempts=0,
        next_attempt_at=clock.now(),
        waits_for="",
        skipped_at=None,
        skip_reason="",
    )


def release_changed(mapping: TableMapping, side: System, ids: Sequence[str]) -> None:
    """These, or their partners, are not as they were tried: attempts from zero."""
    if ids:
        _release(_of(mapping, side, ids))


def release_coded(mapping: TableMapping, codes: Collection[str]) -> int:
    """What the mapping answers by another rule now: attempts from zero. How many."""
    rows = PendingRecord.objects.filter(mapping=mapping, code__in=codes)
    return _release(rows)


def release_cured(
    connection: Connection,
    fingerprints: Collection[str],
    mapping: TableMapping | None = None,
) -> int:
    """Their cause is gone: attempts from zero. How many; what waits goes on waiting.

    Which cause a record failed for stands in its open error. ``mapping``: only its own.
    """
    mappings = [mapping] if mapping else list(connection.mappings.all())
    released = 0
    for keys in _failing_for(connection, fingerprints):
        rows = PendingRecord.objects.filter(
            mapping__in=mappings, side__in=[*System], record_id__in=among(keys)
        )
        released += rows.filter(waits_for="").update(
            attempts=0, next_attempt_at=clock.now(), skipped_at=None, skip_reason=""
        )
    return released


def _failing_for(
    connection: Connection, fingerprints: Collection[str]
) -> Iterator[list[str]]:
    causes = Problem.objects.filter(connection=connection, fingerprint__in=fingerprints)
    rows = SyncError.objects.filter(
        problem__in=list(causes.values_list("pk", flat=True)), settled_at=None
    ).order_by("id")
    last = 0
    while found := list(
        rows.filter(id__gt=last).values_list("id", "record_key")[:_CHUNK]
    ):
        last = found[-1][0]
        yield [key for _id, key in found]


def awaited(mapping: TableMapping) -> dict[str, set[str]]:
    """What records of this mapping wait for, with the fingerprints it had then."""
    waiting = PendingRecord.objects.filter(~Q(waits_for=""), mapping=mapping)
    found: dict[str, set[str]] = {}
    rows = waiting.order_by().values_list("waits_for", "fingerprint").distinct()
    for name, fingerprint in rows:
        found.setdefault(name, set()).add(fingerprint)
    return found


def waiting_for(
    mapping: TableMapping, side: System, names: Collection[str]
) -> Iterator[list[str]]:
    """Ids of what waits for one of these, in chunks."""
    rows = PendingRecord.objects.filter(
        mapping=mapping, side=side.value, waits_for__in=names
    )
    yield from _in_chunks(rows.order_by("record_id"))


def release_waiting(mapping: TableMapping, names: Collection[str]) -> None:
    """What these records waited for has arrived, or fails for another reason now."""
    PendingRecord.objects.filter(mapping=mapping, waits_for__in=names).update(
        waits_for="", next_attempt_at=clock.now()
    )


def release_wanted(mapping: TableMapping) -> None:
    """Records set aside that something waits for now."""
    prefix = f"{mapping.name}:"
    names = (
        PendingRecord.objects.filter(
            mapping__connection=mapping.connection_id, waits_for__startswith=prefix
        )
        .order_by()
        .values_list("waits_for", flat=True)
        .distinct()
    )
    numbers = [name.removeprefix(prefix) for name in names]
    wanted = Q(label__in=numbers)
    for number in numbers:
        wanted |= Q(label__startswith=f"{number} ")
    if numbers:
        aside = PendingRecord.objects.filter(mapping=mapping, attempts=0)
        aside.filter(wanted, skipped_at__isnull=False).update(
            skipped_at=None, skip_reason="", next_attempt_at=clock.now()
        )


def _row(
    mapping: TableMapping, one: Tried, known: PendingRecord | None, now: datetime
) -> _Row:
    again = known is not None and known.etag == one.etag[:250] and not one.is_first
    attempts = (known.attempts if known and again else 0) + 1
    trouble = one.trouble
    chosen = decide_retry(trouble.failure, attempts, now, trouble.waits_for)
    return _BLANK | {
        "mapping_id": mapping.pk,
        "side": one.side.value,
        "record_id": one.record_id,
        "etag": one.etag[:250],
        "label": one.label[:250],
        "attempts": attempts,
        "next_attempt_at": chosen.next_attempt_at,
        "waits_for": chosen.waits_for[:150],
        "failure": trouble.message.replace("\0", "")[:500],
        "code": trouble.code[:100],
        "fingerprint": trouble.fingerprint,
        "skipped_at": now if chosen.skip_reason else None,
        "skip_reason": chosen.skip_reason,
        "intent": trouble.intent,
    }


def _untried(mapping: TableMapping, side: System, record: Snapshot) -> _Row:
    """Of a record of which nothing is known but that it is not in step."""
    return _BLANK | {
        "mapping_id": mapping.pk,
        "side": side.value,
        "record_id": record.id,
        "etag": record.etag[:250],
        "label": record.label[:250],
    }


def _upsert(rows: Iterable[_Row], updated: Sequence[str] = _TRIED) -> None:
    # One statement cannot write a row twice.
    latest = {(row["side"], row["record_id"]): row for row in rows}.values()
    columns = {name: [row[name] for row in latest] for name in _COLUMNS}
    upsert(PendingRecord, columns, _UNIQUE, updated)


def _in_chunks(rows: Any) -> Iterator[list[str]]:
    last = ""
    while ids := list(
        rows.filter(record_id__gt=last).values_list("record_id", flat=True)[:_CHUNK]
    ):
        last = ids[-1]
        yield ids
