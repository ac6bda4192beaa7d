"""Matching: find the partners of uncoupled records before anything is created."""

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from integration import clock
from integration.core.outcomes import Finding, OutcomeKind, Trouble
from integration.core.records import System
from integration.core.snapshots import Snapshot
from integration.services import couplings, pending
from integration.services.companies import ELSEWHERE, taken, without_others
from integration.services.endings import (
    Endings,
    failed_records,
    of_record,
    way_from,
)
from integration.services.intents import Created, find_created, told_of
from integration.services.spool import Ambiguous
from integration.services.work import Work

Match = tuple[Snapshot, Snapshot]


def couple_created(work: Work) -> None:
    """What an interrupted run created in Business Central, and never heard of."""
    if work.is_rehearsal or not next(pending.intents(work.mapping), None):
        return
    for records in work.spool.alone(System.SALES):
        _couple_created(work, records)
    for records in work.spool.alone(System.BUSINESS_CENTRAL):
        for intents in pending.intents(work.mapping):
            _recall(work, told_of(work.table, intents, records))


def _recall(work: Work, ids: Sequence[str]) -> None:
    """Business Central may tell of it when its Sales record is not in this run: it
    rests, or the filter leaves it out by now."""
    side = System.SALES
    known = work.spool.has(side, ids) | couplings.coupled_ids(work.mapping, side, ids)
    found = work.read(side, [each for each in ids if each not in known])
    work.spool.add(side, [(record, None) for record in found.values()])
    work.spool.drop(side, [record.id for record in found.values()])
    _couple_created(work, list(found.values()))


def _couple_created(work: Work, records: Sequence[Snapshot]) -> None:
    created = find_created(work, records)
    by_id = {record.id: record for record in records}
    partners = [(partner, None) for partner in created.found.values()]
    work.spool.add(System.BUSINESS_CENTRAL, partners)
    _couple(work, [(made, by_id[key]) for key, made in created.found.items()])
    _fail_doubtful(work, created, by_id)


def _fail_doubtful(work: Work, created: Created, by_id: Mapping[str, Snapshot]) -> None:
    """Neither is created again, nor those here that could be it created there.

    What may still be under way is not, either: it is looked for when that is over.
    """
    here, there = System.BUSINESS_CENTRAL, System.SALES
    endings = Endings()
    troubles = created.troubles | created.under_way
    failed = [(by_id[key], trouble) for key, trouble in troubles.items()]
    failed_records(endings, there, failed)
    failed_records(endings, here, list(created.doubtful.values()))
    with transaction.atomic():
        endings.save(work)
    work.spool.drop(there, troubles)
    work.spool.drop(here, created.doubtful)


def couple_matches(work: Work) -> None:
    """Couple what matches uniquely (promise 11); the pairs wait in the spool."""
    _gather_partners(work)
    work.spool.match(work.table)
    for found in work.spool.matched():
        if work.is_rehearsal:
            _rehearse(work, found)
        else:
            _couple(work, found)


def fail_ambiguous(work: Work) -> None:
    """What could be the partner of several is an error, and is never created."""
    for group in work.spool.ambiguous():
        endings = Endings()
        for side in System:
            mine = [each for each in group if each.side is side and not each.is_extra]
            failed_records(
                endings, side, [(each.record, ambiguity(work, each)) for each in mine]
            )
        with transaction.atomic():
            endings.save(work)


def ambiguity(work: Work, found: Ambiguous) -> Trouble:
    record = found.record
    names = ", ".join(each.label or each.id for each in found.candidates)
    return Trouble(
        finding=Finding(
            "match-ambiguous",
            # One cause has many records, so only the message names whose they are.
            message=f"{record.label} could be the same as several: {names}.",
        ),
        others=found.candidates,
    )


def _gather_partners(work: Work) -> None:
    """Uncoupled records that did not change now may still be the partner.

    Where something meets one, its own side is asked too: a twin that did not change
    makes it ambiguous. Only when there is something to couple.
    """
    alone = [side for side in System if work.spool.count_alone(side)]
    others = [side.other for side in alone]
    for side in others:
        _gather(work, side)
    if work.spool.meets(work.table):
        for side in alone:
            if side not in others:
                _gather(work, side)


def _gather(work: Work, side: System) -> None:
    """Where all uncoupled ones would be created they are all pending; else the whole
    side is read, unless this run has done so: then only those that rest are missing.
    """
    creates_all = len(work.table.ways) > 1 and not work.table.only_coupled
    if creates_all or _is_read(work, side):
        _gather_pending(work, side)
    else:
        _gather_all(work, side)


def _is_read(work: Work, side: System) -> bool:
    """Whether this run reads the whole side anyway."""
    here = side is System.BUSINESS_CENTRAL
    cursor = work.mapping.bc_cursor if here else work.mapping.sales_cursor
    return work.run.only is None and (work.run.full or not cursor)


def _gather_pending(work: Work, side: System) -> None:
    for ids in pending.uncoupled(work.mapping, side):
        known = work.spool.has(side, ids)
        found = work.read(side, [each for each in ids if each not in known])
        _add_extra(work, side, found.values())


def _gather_all(work: Work, side: System) -> None:
    mapping, columns = work.mapping, work.table.columns(side)
    for page in work.connectors[side].read_all(work.table.place(side), columns):
        ids = [record.id for record in page.records]
        known = couplings.coupled_ids(mapping, side, ids) | work.spool.has(side, ids)
        rest = [record for record in page.records if record.id not in known]
        _add_extra(work, side, work.snapshots(side, rest))


def _add_extra(work: Work, side: System, records: Iterable[Snapshot]) -> None:
    passing = [record for record in records if record.passes]
    ours = without_others(work, side, passing)
    work.spool.add(side, [(record, None) for record in ours], extra=True)


def _couple(work: Work, matches: Sequence[Match]) -> None:
    """Both are in the spool; from now on they are a pair that meets."""
    now = clock.now()
    with transaction.atomic():
        theirs = taken(work, [sales.id for _, sales in matches])
        ours = [match for match in matches if match[1].id not in theirs]
        made = couplings.make(work.mapping, ours, now)
        work.log([])
        _give(work, [match for match in matches if match[1].id in theirs])
    work.spool.couple(
        (key, bc.id, sales.id)
        for key, (bc, sales) in zip(made, ours, strict=True)
        if key
    )


def _give(work: Work, matches: Sequence[Match]) -> None:
    """Another company took these accounts since they were read: what would have been
    their partner here is looked at again by the next run."""
    if not matches:
        return
    endings, kinds = Endings(), (OutcomeKind.SKIPPED, OutcomeKind.FILTERED_OUT)
    for pair in matches:
        for side, record, kind in zip(System, pair, kinds, strict=True):
            outcome = of_record(kind, side, record, reason=ELSEWHERE)
            endings.outcomes.append(outcome)
            work.spool.drop(side, [record.id])
    here = System.BUSINESS_CENTRAL
    if way_from(here) in work.table.ways:
        endings.left[here] += [bc for bc, _ in matches]
    endings.save(work)


def _rehearse(work: Work, matches: Sequence[Match]) -> None:
    endings = Endings()
    for pair in matches:
        for side, record in zip(System, pair, strict=True):
            endings.outcomes.append(of_record(OutcomeKind.COUPLED, side, record))
    endings.save(work)
