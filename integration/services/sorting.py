"""Sorting: which records read need a decision; the others are recorded at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from operator import not_

from django.db import transaction

from integration import clock
from integration.core.outcomes import Finding, Outcome, OutcomeKind, Trouble
from integration.core.records import Record, System
from integration.core.snapshots import Snapshot, passing
from integration.core.values import as_code
from integration.models import PendingRecord
from integration.services import couplings, pending
from integration.services.absent import fail_hidden, find, look_up
from integration.services.companies import (
    ELSEWHERE,
    FRESH,
    elsewhere,
    fresh_of,
    unrecorded_since,
)
from integration.services.couplings import Known
from integration.services.currencies import used_codes
from integration.services.endings import (
    Endings,
    failed_records,
    of_pair,
    of_record,
    way_from,
)
from integration.services.errors import settle_both_deleted, settle_parted
from integration.services.pending import Tried
from integration.services.work import Work


@dataclass(slots=True)
class _Sorted:
    """What becomes of one page of records of one side; ``given`` belong elsewhere, and
    ``fresh`` ones perhaps."""

    side: System
    endings: Endings = field(default_factory=Endings)
    seen: list[Known] = field(default_factory=list)
    undecided: list[tuple[Snapshot, int | None]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    blocked: list[tuple[Snapshot, Finding, Known | None]] = field(default_factory=list)
    left_out: list[tuple[Snapshot, Known | None]] = field(default_factory=list)
    given: list[tuple[Snapshot, PendingRecord | None]] = field(default_factory=list)
    fresh: list[Snapshot] = field(default_factory=list)


def sort(
    work: Work, side: System, records: Sequence[Snapshot], *, at_once: bool = False
) -> None:
    """Record what needs no decision, and put the rest into the spool.

    No decision is needed for an echo, a version that failed and is not due, a record
    outside its filter or of another company, and a currency without rate. ``at_once``
    decides about a version handled before, too: its time has come, or somebody asks for
    it.
    """
    ids = [record.id for record in records]
    work.spool.forget(side, ids)
    partners = couplings.known_by_record(work.mapping, side, ids)
    waiting = pending.by_record(work.mapping, side, ids)
    stirred = _stirred(work, side, records, partners)
    free = [record for record in records if record.id not in partners]
    theirs, fresh = _of_others(work, side, free)
    found, now = _Sorted(side), clock.now()
    for record in records:
        partner, row = partners.get(record.id), waiting.get(record.id)
        if record.id in theirs and not (row and row.intent):
            found.given.append((record, row))
        elif work.is_outside(side, record):
            _leave_alone(work, found, record, partner, row)
        elif record.id in fresh:
            found.fresh.append(record)
        elif row and not at_once and pending.is_resting(row, record, now):
            found.endings.outcomes.append(_resting(side, record, partner, row))
        elif problem := work.rate_problem(side, record):
            found.blocked.append((record, problem, partner))
        elif (
            partner
            and not (row or at_once or record.id in stirred)
            and _is_old(side, partner, record)
        ):
            _see(found, record, partner)
        else:
            found.undecided.append((record, partner.id if partner else None))
    _block(work, found)
    _set_aside(work, found)
    _give(work, found)
    _put_off(found)
    _keep(work, found)


def sort_read(work: Work, side: System, records: Sequence[Record]) -> None:
    """As ``sort``, of records as they were read.

    Where none can be known, most of their snapshots can wait: until what came before
    them is on its way to the other system, and nobody waits for them.
    """
    new: list[Record] = []
    if _are_all_new(work, side):
        read = [record.values for record in records]
        passes = passing(work.table.filter(side), read)
        new = [*compress(records, passes)]
        records = [*compress(records, map(not_, passes))]
    sort(work, side, work.snapshots(side, records))
    work.spool.forget(side, [record.id for record in new])
    work.spool.add_read(side, new, partial(work.snapshots, side))


def _are_all_new(work: Work, side: System) -> bool:
    """Whether nothing of this side is coupled, pending, or another mapping's."""
    if work.money or (work.others and side is System.SALES):
        return False
    mapping = work.mapping
    return not (couplings.are_there(mapping) or pending.are_there(mapping, side))


def _of_others(
    work: Work, side: System, records: Sequence[Snapshot]
) -> tuple[set[str], set[str]]:
    """Which of these belong to another company, and which perhaps do."""
    if side is System.BUSINESS_CENTRAL or not work.others:
        return set(), set()
    # In this order: what is recorded since then is found to belong elsewhere.
    since = unrecorded_since(work)
    theirs = elsewhere(work, side, [record.id for record in records])
    return theirs, fresh_of(work, records, since)


def _stirred(
    work: Work,
    side: System,
    records: Sequence[Snapshot],
    partners: Mapping[str, Known],
) -> set[str]:
    """New versions whose partner is pending: a change here, too, has it tried again.

    Even one that takes an edit back, and so ends a conflict.
    """
    other = side.other
    ids = {
        couplings.held(partner, other, "id"): record.id
        for record in records
        if (partner := partners.get(record.id))
        and not couplings.is_echo(partner, side, record)
    }
    return {ids[key] for key in pending.by_record(work.mapping, other, list(ids))}


def _keep(work: Work, found: _Sorted) -> None:
    with transaction.atomic():
        if not work.is_rehearsal:
            couplings.save_seen(found.seen, found.side)
        found.endings.save(work)
    work.spool.add(found.side, found.undecided)
    work.spool.miss(found.side, found.lost)
    _doubt_namesakes(work, found)


def _doubt_namesakes(work: Work, found: _Sorted) -> None:
    """Somebody new has the number of a coupled one: is that one still there?"""
    newcomers = [record for record, coupling in found.undecided if coupling is None]
    numbers = {as_code(record.number) for record in newcomers} - {""}
    if numbers:
        known = couplings.with_number(work.mapping, found.side, numbers)
        work.spool.miss(found.side, known)


def _see(found: _Sorted, record: Snapshot, partner: Known) -> None:
    if couplings.held(partner, found.side, "etag") != record.etag:
        couplings.see(partner, found.side, record)
        found.seen.append(partner)
    way = way_from(found.side)
    found.endings.outcomes.append(of_pair(OutcomeKind.UNCHANGED, way, partner))


def _is_old(side: System, partner: Known, record: Snapshot) -> bool:
    """Nothing that travels has changed since both were in step (promise 4)."""
    if couplings.is_echo(partner, side, record):
        return True
    if not partner.has_met or _is_deleted(partner):
        return False
    known = couplings.held(partner, side, "hash")
    return bool(known) and known == record.check


def _is_deleted(partner: Known) -> bool:
    return bool(partner.bc_deleted_at or partner.sales_deleted_at)


def _leave_alone(
    work: Work,
    found: _Sorted,
    record: Snapshot,
    partner: Known | None,
    row: PendingRecord | None,
) -> None:
    """Outside the filter. A currency that is inactive in Sales is as good as gone.

    One that failed is skipped with that reason: its error stays, and it is tried again
    when the filter lets it through.
    """
    side = found.side
    if row and not (row.skipped_at and row.etag == record.etag):
        found.left_out.append((record, partner))
    if partner is None:
        found.endings.outcomes.append(of_record(OutcomeKind.FILTERED_OUT, side, record))
        return
    if work.money and side is System.SALES:
        found.lost.append(record.id)
    found.endings.outcomes.append(
        of_pair(OutcomeKind.FILTERED_OUT, way_from(side), partner)
    )


def _set_aside(work: Work, found: _Sorted) -> None:
    """What failed before the filter left it out, unless its partner may be gone.

    That is told whatever the filter says, and nobody may have been able to confirm it.
    """
    other = found.side.other
    held = {
        record.id: couplings.held(known, other, "id")
        for record, known in found.left_out
        if known
    }
    there = find(work, other, list(held.values())).present
    work.spool.miss(other, set(held.values()) - there.keys())
    reason = "The filter of the mapping leaves it out."
    for record, _ in found.left_out:
        if record.id not in held or held[record.id] in there:
            found.endings.aside.append((found.side, record, reason))


def _give(work: Work, found: _Sorted) -> None:
    """Another company has these: here nothing is wrong with them any more.

    What we may have created from one is looked for all the same: that is none of these.
    """
    side = found.side
    found.endings.outcomes += [
        of_record(OutcomeKind.FILTERED_OUT, side, record, reason=ELSEWHERE)
        for record, _ in found.given
    ]
    failed = [record.id for record, row in found.given if row]
    if failed and not work.is_rehearsal:
        with transaction.atomic():
            pending.clear(work.mapping, side, failed)
            settle_parted(work.mapping, failed)


def _put_off(found: _Sorted) -> None:
    """To the next run, which may know whose they are."""
    found.endings.left[found.side] += found.fresh
    found.endings.outcomes += [
        of_record(OutcomeKind.SKIPPED, found.side, record, reason=FRESH)
        for record in found.fresh
    ]


def _block(work: Work, found: _Sorted) -> None:
    """Currencies without a rate.

    An error only where the currency is coupled or some record carries it: Business
    Central knows 160 currencies, and nobody misses the rate of one that is not used.
    """
    if not found.blocked:
        return
    asked = {
        record.number.upper() for record, _, partner in found.blocked if not partner
    }
    bc = work.connectors[System.BUSINESS_CENTRAL]
    used = used_codes(work.mapping, asked, bc) if asked else set()
    for record, finding, partner in found.blocked:
        if partner:
            _fail_pair(found, record, partner, Trouble(finding=finding))
        elif record.number.upper() in used:
            failed = (record, Trouble(finding=finding))
            failed_records(found.endings, found.side, [failed])
        else:
            reason = "It has no exchange rate, and no record uses it."
            skipped = of_record(OutcomeKind.SKIPPED, found.side, record, reason=reason)
            found.endings.outcomes.append(skipped)
            found.endings.aside.append((found.side, record, reason))


def _fail_pair(
    found: _Sorted, record: Snapshot, partner: Known, trouble: Trouble
) -> None:
    way = way_from(found.side)
    found.endings.outcomes.append(of_pair(OutcomeKind.FAILED, way, partner, trouble))
    row = Tried(found.side, record.id, record.etag, record.label, trouble)
    found.endings.tried.append(row)


def _resting(
    side: System, record: Snapshot, partner: Known | None, row: PendingRecord
) -> Outcome:
    reason = row.skip_reason or row.failure
    if row.waits_for:
        reason = f"Waits for {row.waits_for.partition(':')[2]}."
    if partner is None:
        return of_record(OutcomeKind.SKIPPED, side, record, reason=reason)
    said = Trouble(finding=Finding("", message=reason))
    return of_pair(OutcomeKind.SKIPPED, way_from(side), partner, said)


def forget(work: Work, side: System, ids: Sequence[str]) -> None:
    """Asked for and in no list: coupled ones are judged later, others by themselves.

    An uncoupled record has no partner, so with it both sides of its error are gone.
    """
    known = couplings.coupled_ids(work.mapping, side, ids)
    work.spool.miss(side, known)
    found = look_up(work, side, [each for each in ids if each not in known])
    if found.present:
        sort(work, side, list(found.present.values()), at_once=True)
    fail_hidden(work, side, found.hidden)
    if found.gone and not work.is_rehearsal:
        with transaction.atomic():
            pending.clear(work.mapping, side, found.gone)
            settle_both_deleted(work.mapping, found.gone, way_from(side))
