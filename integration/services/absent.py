"""Absent records: no list has them. Gone, or out of the integration user's sight?

Sales leaves what we may not read out of its lists without a word. Only the question
for the record itself tells the two apart: a 404 confirms (protocols §5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from integration.connectors.base import Written
from integration.connectors.errors import remote_error
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind, Presence, Trouble
from integration.core.records import Direction, System
from integration.core.snapshots import Snapshot
from integration.models import Coupling, PendingRecord
from integration.services import pending
from integration.services.couplings import held
from integration.services.endings import Endings, failed_records, of_pair, way_from
from integration.services.pending import Tried
from integration.services.work import Work

_STOPPING = (FailureKind.THROTTLED, FailureKind.CONNECTION)
"""What says nothing about the record, and would be said of any other."""


@dataclass(slots=True)
class Found:
    """What became of records that were asked for.

    ``hidden`` may not be read, or cannot be for now: one bad record stops no other.
    """

    present: dict[str, Snapshot] = field(default_factory=dict)
    hidden: dict[str, Failure] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


def find(work: Work, side: System, ids: Sequence[str]) -> Found:
    """Many at once, and each by itself that no list has."""
    listed = work.read(side, ids)
    found = look_up(work, side, [key for key in ids if key not in listed])
    found.present |= listed
    return found


def look_up(work: Work, side: System, ids: Sequence[str]) -> Found:
    """Each by itself. Raises ``RemoteError`` when nothing would be answered now."""
    found = Found()
    if not ids:
        return found
    place, columns = work.table.place(side), work.table.columns(side)
    results = work.connectors[side].read_each(place, columns, ids)
    for key, result in zip(ids, results, strict=True):
        if isinstance(result, Written):
            [found.present[key]] = work.snapshots(side, [result.record])
        elif result.kind in _STOPPING:
            raise remote_error(result)
        elif result.kind is FailureKind.NOT_FOUND:
            found.gone.append(key)
        else:
            found.hidden[key] = result
    return found


def record_hidden(
    work: Work, side: System, hidden: Sequence[tuple[Coupling, Failure]]
) -> None:
    """Their records of this side could not be read, and are not known to be gone.

    The entry's source is the record in sight, like that of a deletion.
    """
    if not hidden:
        return
    endings, way = Endings(), way_from_left(work, side)
    keys = [held(coupling, way.source, "id") for coupling, _ in hidden]
    read_now = work.spool.versions(way.source, keys)
    for key, (coupling, failure) in zip(keys, hidden, strict=True):
        trouble = Trouble(failure=failure)
        values = {"last": dict(coupling.values)} if coupling.values else None
        outcome = of_pair(OutcomeKind.FAILED, way, coupling, trouble, values)
        endings.outcomes.append(_out_of_sight(side, outcome))
        etag = read_now.get(key) or held(coupling, way.source, "etag")
        endings.tried.append(Tried(way.source, key, etag, str(coupling), trouble))
        if way.source is not side:
            endings.superseded[side].append(held(coupling, side, "id"))
    with transaction.atomic():
        endings.save(work)


def fail_hidden(work: Work, side: System, hidden: Mapping[str, Failure]) -> None:
    """The same without a partner: of these is known what was noted when last tried."""
    if not hidden:
        return
    rows = pending.by_record(work.mapping, side, list(hidden))
    failed = []
    for key, failure in hidden.items():
        row = rows.get(key) or PendingRecord()
        record = Snapshot(key, row.etag, None, {}, name=row.label)
        failed.append((record, Trouble(failure=failure, intent=row.intent)))
    endings = Endings()
    failed_records(endings, side, failed)
    endings.outcomes = [_out_of_sight(side, one) for one in endings.outcomes]
    with transaction.atomic():
        endings.save(work)


def way_from_left(work: Work, side: System) -> Direction:
    """From the record that is left; a one-way mapping has only one way."""
    way = way_from(side.other)
    return way if way in work.table.ways else way_from(side)


def _out_of_sight(side: System, outcome: Outcome) -> Outcome:
    if outcome.failure and outcome.failure.kind is not FailureKind.REFUSED:
        return outcome
    if side is System.BUSINESS_CENTRAL:
        return outcome._replace(bc=outcome.bc._replace(presence=Presence.NO_ACCESS))
    return outcome._replace(sales=outcome.sales._replace(presence=Presence.NO_ACCESS))
