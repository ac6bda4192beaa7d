"""Creations: couple what matches, create what has no partner, never twice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from integration import clock
from integration.connectors.base import Create, WriteResult, Written
from integration.connectors.errors import ConnectionRefused, Throttled
from integration.core.decide import decide
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import OutcomeKind, Trouble
from integration.core.plan import Missing, creation, sales_key
from integration.core.records import Direction, System
from integration.core.snapshots import Snapshot, as_sent
from integration.models.bulk import Columns
from integration.services import couplings, pending
from integration.services.behind import CHUNKS, Coming, answered
from integration.services.companies import (
    ELSEWHERE,
    elsewhere,
    taken,
    tried_elsewhere,
)
from integration.services.endings import (
    Endings,
    failed_records,
    of_new_pair,
    of_record,
)
from integration.services.errors import settle_parted
from integration.services.intents import answered_at, find_created, intent_of
from integration.services.pairs import Pair, settle_pairs
from integration.services.rivals import with_rivals
from integration.services.storms import room
from integration.services.waiting import missing_partner
from integration.services.work import Work

_UNSURE = frozenset(
    {FailureKind.LOST_ANSWER, FailureKind.TRANSIENT, FailureKind.EXISTS}
)
"""It may be there all the same."""
_Creation = tuple[Snapshot, Create]
_Both = tuple[Snapshot, Snapshot]
"""Business Central's record, and that of Sales."""
_Coming = Coming[Sequence[WriteResult]]


@dataclass(slots=True)
class _Batch:
    """Records of one side that have no partner, and what became of them.

    ``made`` are partners as the other system answered them; another company is at what
    is ``given``.
    """

    way: Direction
    made: list[tuple[Snapshot, Written]] = field(default_factory=list)
    found: list[tuple[Snapshot, Snapshot]] = field(default_factory=list)
    failed: list[tuple[Snapshot, Trouble]] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    given: list[Snapshot] = field(default_factory=list)
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class _Plan:
    """What is to be created with which columns, and what has to wait for another.
    ``coming`` is the answer, where the call has been made up early."""

    waiting: _Batch
    creates: list[_Creation] = field(default_factory=list)
    coming: _Coming | None = None


def create_alone(work: Work) -> None:
    """Create a partner for every record that has none, or skip it."""
    for way in Direction:
        if not work.writes(way):
            continue
        chunks = work.spool.alone(way.source, *CHUNKS)
        for plan in work.behind.ahead(_plan(work, way, some) for some in chunks):
            _create(work, plan)


def _skip(
    work: Work, way: Direction, records: Sequence[Snapshot]
) -> Sequence[Snapshot]:
    """What failed before is not tried again either; its error stays.

    Returns those whose partner is wanted all the same: a deleted one is made again.
    """
    reason = "It has no partner, and this mapping creates none."
    ids = [record.id for record in records]
    failed = pending.by_record(work.mapping, way.source, ids)
    wanted = [r for r in records if r.id in failed and failed[r.id].wanted]
    endings = Endings()
    for record in records:
        if record in wanted:
            continue
        if record.id in failed:
            endings.aside.append((way.source, record, reason))
        outcome = of_record(OutcomeKind.SKIPPED, way.source, record, reason=reason)
        endings.outcomes.append(outcome)
    with transaction.atomic():
        endings.save(work)
    return wanted


def _give(work: Work, records: Sequence[Snapshot]) -> Sequence[Snapshot]:
    """What another company has tried is left to it. Returns the others."""
    side = System.SALES
    ours = [record.id for record in records if record.id not in work.restored]
    theirs = tried_elsewhere(work, ours)
    if not theirs:
        return records
    given = [record for record in records if record.id in theirs]
    kind, endings = OutcomeKind.FILTERED_OUT, Endings()
    endings.outcomes += [of_record(kind, side, one, reason=ELSEWHERE) for one in given]
    with transaction.atomic():
        endings.save(work)
        if not work.is_rehearsal:
            pending.clear(work.mapping, side, list(theirs))
            settle_parted(work.mapping, theirs)
    work.spool.drop(side, theirs)
    return [record for record in records if record.id not in theirs]


def _plan(work: Work, way: Direction, records: Sequence[Snapshot]) -> _Plan:
    if work.table.only_coupled:
        records = _skip(work, way, records)
    if way.source is System.SALES:
        records = _give(work, records)
    plan = _Plan(_Batch(way))
    for record in records:
        columns = creation(work.table, way, record.values, work.references)
        if isinstance(columns, Missing):
            plan.waiting.failed.append((record, missing_partner(work, columns)))
        else:
            create = Create(sales_key(work.table, record.id), columns)
            plan.creates.append((record, create))
    plan.coming = _make_up(work, plan)
    return plan


def _make_up(work: Work, plan: _Plan) -> _Coming | None:
    """What is sent as soon as all on its way has been created; see ``pairs.make_up``.

    A storm counts what has been recorded, so nothing overtakes what went wrong.
    """
    way, creates = plan.waiting.way, plan.creates
    if not work.behind.is_beside_a_call or way is not Direction.TO_SALES:
        return None
    is_much = room(work.mapping, work.run.tries) < max(CHUNKS) + len(creates)
    if plan.waiting.failed or is_much or not creates:
        return None
    return work.behind.make_up(
        _call(work, way, creates),
        work.go_on,
        partial(_record_early, work, creates),
        _went_well,
    )


def _went_well(before: _Coming) -> bool:
    found = answered(before.result)
    if found.exception():
        return False
    return all(isinstance(result, Written) for result in found.result())


def _record_early(
    work: Work, creates: Sequence[_Creation], results: Sequence[WriteResult]
) -> None:
    """The run has ended before their turn: what was not done is left to the next."""
    batch = _Batch(Direction.TO_SALES)
    batch.made = [
        (record, result)
        for (record, _), result in zip(creates, results, strict=True)
        if isinstance(result, Written)
    ]
    _record(work, batch, [record for record, _ in batch.made])


def _create(work: Work, plan: _Plan) -> None:
    waiting, creates = plan.waiting, plan.creates
    if work.is_rehearsal:
        _rehearse(work, waiting, [record for record, _ in creates])
        return
    if waiting.failed:
        _conclude(work, waiting, [record for record, _ in waiting.failed])
    for portion in [creates] if plan.coming else work.portions(creates):
        batch = _Batch(waiting.way)
        _send(work, batch, portion, plan.coming)
        _conclude(work, batch, [record for record, _ in portion])


def _conclude(work: Work, batch: _Batch, records: Sequence[Snapshot]) -> None:
    went_well = not (batch.failed or batch.found or batch.untried)
    # What Business Central numbered is carried back at once.
    may_wait = went_well and batch.way is Direction.TO_SALES
    work.behind.record(partial(_record, work, batch, records), may_wait=may_wait)
    work.go_on()


def _record(work: Work, batch: _Batch, records: Sequence[Snapshot]) -> None:
    _save(work, batch)
    untried = set(batch.untried)
    ended = [record.id for record in records if record.id not in untried]
    work.spool.drop(batch.way.source, ended)


def _send(
    work: Work, batch: _Batch, creates: Sequence[_Creation], coming: _Coming | None
) -> None:
    side = batch.way.destination
    if side is System.BUSINESS_CENTRAL:
        since = work.moment()
        batch.intents = {r.id: intent_of(r, since) for r, _ in creates}
        with transaction.atomic():
            pending.save_intents(
                work.mapping, [(r, batch.intents[r.id]) for r, _ in creates]
            )
            creates = _ours(work, batch, creates)
    try:
        results = (
            work.behind.finish(coming)
            if coming
            else work.behind.meanwhile(_call(work, batch.way, creates))
        )
    except (Throttled, ConnectionRefused):  # before anything was done
        pending.forget_intents(work.mapping, list(batch.intents))
        raise
    unsure: list[tuple[Snapshot, Trouble]] = []
    ended = work.moment()
    batch.intents = {
        key: answered_at(intent, ended) for key, intent in batch.intents.items()
    }
    for (record, _), result in zip(creates, results, strict=True):
        _take(work, batch, unsure, record, result)
    _look_for(work, batch, unsure)
    if side is System.SALES:
        batch.failed = with_rivals(work, batch.failed)


def _call(
    work: Work, way: Direction, creates: Sequence[_Creation]
) -> Callable[[], Sequence[WriteResult]]:
    side = way.destination
    place, columns = work.table.place(side), work.table.columns(side)
    connector, wanted = work.connectors[side], [create for _, create in creates]
    return lambda: connector.create_many(place, columns, wanted)


def _ours(
    work: Work, batch: _Batch, creates: Sequence[_Creation]
) -> Sequence[_Creation]:
    """Those that no other company is at; the intents of these stand already."""
    theirs = taken(work, [record.id for record, _ in creates])
    pending.forget_intents(work.mapping, list(theirs))
    batch.given = [record for record, _ in creates if record.id in theirs]
    return [one for one in creates if one[0].id not in theirs]


def _take(
    work: Work,
    batch: _Batch,
    unsure: list[tuple[Snapshot, Trouble]],
    record: Snapshot,
    result: WriteResult,
) -> None:
    if isinstance(result, Written):
        batch.made.append((record, result))
    elif work.stops(result):
        batch.untried.append(record.id)
    elif result.kind in _UNSURE:
        intent = batch.intents.get(record.id)
        unsure.append((record, Trouble(failure=result, intent=intent)))
    else:
        batch.failed.append((record, Trouble(failure=result)))


def _look_for(
    work: Work, batch: _Batch, unsure: Sequence[tuple[Snapshot, Trouble]]
) -> None:
    """No answer, or it exists already: is it there? If not, it is tried again later."""
    if not unsure:
        return
    records = [record for record, _ in unsure]
    if batch.way is Direction.TO_SALES:
        keys = {sales_key(work.table, record.id): record.id for record in records}
        found = work.read(System.SALES, list(keys))
        theirs = elsewhere(work, System.SALES, [*found])
        partners = {keys[key]: found[key] for key in found.keys() - theirs}
        troubles: Mapping[str, Trouble] = {}
    else:
        created = find_created(work, records)
        partners, troubles = created.found, created.troubles
        unsure = [(r, _waiting_for(t, created.under_way.get(r.id))) for r, t in unsure]
    for record, trouble in unsure:
        partner = partners.get(record.id)
        if partner:
            batch.found.append((record, partner))
        else:
            batch.failed.append((record, troubles.get(record.id, trouble)))


def _waiting_for(trouble: Trouble, under_way: Trouble | None) -> Trouble:
    """Not tried again before the call that got no answer must be over."""
    failure = trouble.failure
    if failure is None or under_way is None or under_way.failure is None:
        return trouble
    asked = failure.retry_after_seconds or 0.0
    left = max(asked, under_way.failure.retry_after_seconds or 0.0)
    return replace(trouble, failure=replace(failure, retry_after_seconds=left))


def _save(work: Work, batch: _Batch) -> None:
    endings, way, now = Endings(), batch.way, clock.now()
    made, partners = batch.made, _partners(work, way, batch.made)
    sources = [record for record, _ in made]
    both = _in_order(way, zip(sources, partners, strict=True))
    columns = _in_step(work, way, both, now)
    failed_records(endings, way.source, batch.failed)
    endings.outcomes += [
        of_record(OutcomeKind.SKIPPED, way.source, record, reason=ELSEWHERE)
        for record in batch.given
    ]
    with transaction.atomic():
        keys = couplings.make(work.mapping, both, now, columns)
        for record, pair, key in zip(sources, both, keys, strict=True):
            if key is None and way is Direction.TO_BUSINESS_CENTRAL:
                trouble = _named_another(batch, record)
                failed_records(endings, way.source, [(record, trouble)])
                continue
            endings.outcomes.append(of_new_pair(way, *pair))
            endings.cleared[way.source].append(record.id)
        pending.forget_intents(work.mapping, batch.untried)
        endings.save(work)
    _follow_up(work, way, both, keys, columns)
    _settle_found(work, batch)


def _named_another(batch: _Batch, record: Snapshot) -> Trouble:
    """As without an answer: what was created is looked for, and not made again."""
    message = "The answer to the creation names a record that has another partner"
    side, kind = batch.way.destination, FailureKind.LOST_ANSWER
    failure = Failure(side, kind, "batch-answer-missing", message)
    return Trouble(failure=failure, intent=batch.intents.get(record.id))


def _partners(
    work: Work, way: Direction, made: Sequence[tuple[Snapshot, Written]]
) -> Sequence[Snapshot]:
    """What was made, as it stands there."""
    records = [reply.record for _, reply in made]
    if all(reply.is_as_sent for _, reply in made):
        sources = [record for record, _ in made]
        return as_sent(work.table, sources, records, work.references)
    return work.snapshots(way.destination, records)


def _in_order(
    way: Direction, found: Iterable[tuple[Snapshot, Snapshot]]
) -> list[_Both]:
    """Each with its partner, whichever of them was there first."""
    return [(a, b) if way is Direction.TO_SALES else (b, a) for a, b in found]


def _in_step(
    work: Work, way: Direction, both: Sequence[_Both], now: datetime
) -> Columns:
    """New pairs are in step where both hold the same; the rest meets next time, so that
    its version is never an echo."""
    found = [decide(work.table, None, bc.values, sales.values) for bc, sales in both]
    seen = couplings.versions(both)
    for owed in Direction:
        column = couplings.column(owed.source, "hash")
        seen[column] = [
            "" if decision.fields(owed) else check
            for decision, check in zip(found, seen[column], strict=True)
        ]
    agreed = [decision.agreed for decision in found]
    return {**seen, "values": agreed, f"{way}_at": [now] * len(both)}


def _follow_up(
    work: Work,
    way: Direction,
    both: Sequence[_Both],
    keys: Sequence[int | None],
    columns: Columns,
) -> None:
    """What the other side gave a new record (its number) comes back at once."""
    if way is Direction.TO_SALES or not work.writes(Direction.TO_SALES):
        return
    owing = {
        key: pair
        for key, pair, check in zip(keys, both, columns["bc_hash"], strict=True)
        if key and not check
    }
    rows = couplings.by_id([*owing])
    if rows:
        settle_pairs(work, [Pair(row, *owing[key]) for key, row in rows.items()])


def _settle_found(work: Work, batch: _Batch) -> None:
    """Made by an earlier try whose answer was lost: a pair that meets again."""
    if not batch.found:
        return
    both, now = _in_order(batch.way, batch.found), clock.now()
    with transaction.atomic():
        keys = couplings.make(work.mapping, both, now)
    rows = couplings.by_id([key for key in keys if key])
    source = batch.way.source
    pairs = [
        Pair(rows[key], bc, sales, {source}, OutcomeKind.INSERTED)
        for key, (bc, sales) in zip(keys, both, strict=True)
        if key in rows
    ]
    settle_pairs(work, pairs)


def _rehearse(work: Work, batch: _Batch, records: Sequence[Snapshot]) -> None:
    endings = Endings()
    source = batch.way.source
    failed_records(endings, source, batch.failed)
    endings.outcomes += [
        of_record(OutcomeKind.INSERTED, source, record) for record in records
    ]
    endings.save(work)
