"""Deletions: one of two coupled records is gone, or both are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_noop

from integration.connectors.base import Delete, Written
from integration.core.answers import DeletionRule
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Finding, Note, Outcome, OutcomeKind, Trouble
from integration.core.records import System
from integration.core.snapshots import Snapshot
from integration.core.values import as_code
from integration.models import Coupling
from integration.services import couplings, pending
from integration.services.absent import find, record_hidden, way_from_left
from integration.services.answers import Answer, note, note_changed
from integration.services.articles import cause_of
from integration.services.couplings import held
from integration.services.endings import Endings, of_pair, way_from
from integration.services.errors import settle_both_deleted, settle_parted
from integration.services.pending import Tried
from integration.services.rivals import alike, newcomers, own_number
from integration.services.sentences import of_cause
from integration.services.work import Work

_ARTICLES = {
    System.BUSINESS_CENTRAL: "record-deleted-bc",
    System.SALES: "record-deleted-sales",
}
PARTED = gettext_noop(
    "Its coupling was removed; it is left alone until it changes or someone retries it."
)
_NAMES = {System.BUSINESS_CENTRAL: "Business Central", System.SALES: "Sales"}


def confirm_missed(work: Work) -> None:
    """Re-read what was called deleted, or was not seen.

    What is there after all goes to the spool.
    """
    for side in System:
        for ids in work.spool.missed(side):
            known = couplings.by_record(work.mapping, side, ids)
            found = find(work, side, list(known))
            present = {
                key: record
                for key, record in found.present.items()
                if not is_lost(work, side, record)
            }
            back = [(record, known[key].pk) for key, record in present.items()]
            work.spool.add(side, back)
            hidden = [(known[key], why) for key, why in found.hidden.items()]
            record_hidden(work, side, hidden)
            there = present.keys() | found.hidden.keys()
            work.spool.finish(known[key].pk for key in known if key not in present)
            record_gone(work, side, [known[key] for key in known if key not in there])
            work.go_on()


def is_lost(work: Work, side: System, record: Snapshot) -> bool:
    """A currency that is inactive in Sales is as good as gone: nothing can use it."""
    return bool(work.money) and side is System.SALES and not record.passes


@dataclass(slots=True)
class _Gone:
    """Pairs that have lost their record of one side, by what becomes of them.

    ``later``: told by a run of the other direction. ``replaced``: somebody has entered
    the record again, and the coupling is that one's now (behaviours B008). ``unsure``:
    more than once, so that what is left matches none of them.
    """

    side: System
    now: datetime
    left: Mapping[str, Snapshot]
    endings: Endings = field(default_factory=Endings)
    ended: list[Coupling] = field(default_factory=list)
    half: list[Coupling] = field(default_factory=list)
    uncoupled: list[Coupling] = field(default_factory=list)
    restored: list[Coupling] = field(default_factory=list)
    later: list[Coupling] = field(default_factory=list)
    replaced: list[tuple[Coupling, Snapshot]] = field(default_factory=list)
    unsure: list[Coupling] = field(default_factory=list)

    def survivor(self, coupling: Coupling) -> Snapshot:
        return self.left[held(coupling, self.side.other, "id")]

    def gone_id(self, coupling: Coupling) -> str:
        return held(coupling, self.side, "id")


def record_gone(work: Work, side: System, gone: Sequence[Coupling]) -> set[int]:
    """The records of this side are gone.

    Where the others are too, the pairs end; the rest is answered by a person, by the
    mapping's rule, or is an error. Returns the couplings that are another's now, and
    meet in this run.
    """
    if not gone:
        return set()
    others = find(work, side.other, [held(each, side.other, "id") for each in gone])
    left = others.present
    found = _Gone(side, work.moment(), left)
    again = _entered_again(work, found, gone)
    hidden: list[tuple[Coupling, Failure]] = []
    for coupling in gone:
        other = held(coupling, side.other, "id")
        if coupling.pk in again:
            continue
        if other in left:
            _sort_out(work, found, coupling)
        elif other in others.hidden:
            hidden.append((coupling, others.hidden[other]))
        else:
            found.ended.append(coupling)
            found.endings.outcomes.append(_ended(work, side, coupling, found.now))
    if work.is_rehearsal:
        work.log(found.endings.outcomes)
        # The couplings stay: what is missed on both sides would end twice.
        ended = [held(each, side.other, "id") for each in found.ended]
        work.spool.forgive(side.other, ended)
    else:
        _save(work, found)
    record_hidden(work, side.other, hidden)
    work.restored |= {found.survivor(each).id for each in found.restored}
    survivors = map(found.survivor, found.restored + found.unsure)
    work.spool.add(side.other, [(record, None) for record in survivors])
    _meet_again(work, found)
    if work.stopped_by:
        work.go_on()
    return {coupling.pk for coupling, _ in found.replaced}


def _entered_again(work: Work, found: _Gone, gone: Sequence[Coupling]) -> set[int]:
    """Whose lost partner this run has read anew: under another id, with the number by
    which both match. Sales may have several of one number.

    Who wants it restored wants that one, as far as it is as the plan showed it.
    """
    side, again = found.side, set()
    numbers = {r.id: as_code(r.number) for r in found.left.values()}
    if work.run.only is not None:
        _read_newcomers(work, side, numbers.values())
    free = work.spool.numbered(side, [*filter(None, numbers.values())])
    for coupling in gone:
        left = found.left.get(held(coupling, side.other, "id"))
        number = own_number(coupling, side, left) if left else ""
        if left is None or not number:
            continue
        same = alike(work, left, free.pop(number, []))
        answer = work.answers.get(coupling.pk)
        if answer and not _is_wanted(answer, side, left, same):
            continue
        if same:
            again.add(coupling.pk)
        if len(same) == 1:
            found.replaced.append((coupling, same[0]))
        elif same:
            found.unsure.append(coupling)
    return again


def _is_wanted(
    answer: Answer, side: System, left: Snapshot, same: Sequence[Snapshot]
) -> bool:
    """Whether the answer was given for these. One that foresaw nobody couples whom the
    run finds; one that showed somebody couples nobody else."""
    if answer.rule is not DeletionRule.RESTORE or not answer.fits(side.other, left):
        return False
    if not answer.newcomer:
        return True
    shown = [each for each in same if each.id == answer.newcomer]
    return len(same) == 1 and bool(shown) and answer.fits(side, shown[0])


def _read_newcomers(work: Work, side: System, numbers: Collection[str]) -> None:
    """A run of some records alone has not read who was entered since."""
    if work.money:
        return  # Nobody restores currencies, and all of them have been read.
    found = newcomers(work, side, numbers)
    known = work.spool.has(side, [record.id for record in found])
    free = [(record, None) for record in found if record.id not in known]
    work.spool.add(side, free, extra=True)


def _meet_again(work: Work, found: _Gone) -> None:
    """From now on in this run both are a pair that has never been in step.

    What is left and as good as gone is found so when the pair is decided.
    """
    side = found.side
    left = [(found.survivor(each), each.pk) for each, _ in found.replaced]
    usable = [one for one in left if not is_lost(work, side.other, one[0])]
    work.spool.add(side.other, usable)
    for coupling, newcomer in found.replaced:
        ids = {side: newcomer.id, side.other: held(coupling, side.other, "id")}
        here, there = (ids[system] for system in System)
        work.spool.couple([(coupling.pk, here, there)])


def _rule(work: Work, side: System, coupling: Coupling, left: Snapshot) -> DeletionRule:
    """What follows the deletion on ``side``; a person's answer holds as it was shown.

    No rule answers for a currency, and nobody for one that Sales has lost: it is made
    usable again there. What no job of this run may create, or the filter leaves out, is
    not restored, nor what a newcomer was to be coupled for.
    """
    answer = work.answers.get(coupling.pk)
    rule = DeletionRule.NONE if work.money else work.table.deletion
    if answer:
        rule = answer.rule
        if answer.newcomer or not answer.fits(side.other, left):
            note_changed(answer)
            rule = DeletionRule.NONE
    way = way_from(side.other)
    is_for_nobody = bool(work.money) and side is System.SALES
    if is_for_nobody or not work.writes(way_from_left(work, side)):
        return DeletionRule.NONE
    if rule is DeletionRule.RESTORE and not (way in work.table.ways and left.passes):
        return DeletionRule.NONE
    return rule


def _sort_out(work: Work, found: _Gone, coupling: Coupling) -> None:
    survivor = found.survivor(coupling)
    couplings.rename(coupling, found.side.other, survivor)
    rule = _rule(work, found.side, coupling, survivor)
    if rule is DeletionRule.RESTORE:
        found.restored.append(coupling)
        found.endings.superseded[found.side].append(found.gone_id(coupling))
    elif rule is DeletionRule.UNCOUPLE:
        found.uncoupled.append(coupling)
        found.endings.outcomes.append(_uncoupled(work, found.side, coupling))
    elif rule is DeletionRule.DELETE and _is_deleted(work, found, coupling):
        found.ended.append(coupling)
        ended = _ended(work, found.side, coupling, found.now)
        found.endings.outcomes.append(
            ended._replace(kind=OutcomeKind.DELETED, note=Note.DELETED)
        )
    elif work.stopped_by:
        return  # Not tried; the run goes on with it later.
    elif not work.writes(way_from_left(work, found.side)):
        found.later.append(coupling)
    else:
        found.half.append(coupling)
        _record_half(work, found, coupling, survivor)


def _is_deleted(work: Work, found: _Gone, coupling: Coupling) -> bool:
    """Delete what is left, as it was shown; whether it is gone now."""
    side, survivor = found.side.other, found.survivor(coupling)
    [result] = work.connectors[side].delete_many(
        work.table.place(side), [Delete(survivor.id, survivor.etag)]
    )
    if isinstance(result, Written) or result.kind is FailureKind.NOT_FOUND:
        return True
    if work.stops(result):
        return False
    if result.kind is FailureKind.LOST_ANSWER and not work.read(side, [survivor.id]):
        return True
    answer = work.answers[coupling.pk]
    if result.kind is FailureKind.STALE:
        note_changed(answer)
    else:
        note(answer, of_cause(cause_of(result, None)))
    return False


def _save(work: Work, found: _Gone) -> None:
    with transaction.atomic():
        couplings.save(found.half)
        found.endings.save(work)
        _end(work, found.ended)
        _part(work, found.uncoupled + found.restored + found.unsure)
        _replace(work, found)
        _set_aside(work, found)
        pending.want(
            work.mapping,
            found.side.other,
            [found.survivor(each) for each in found.restored],
        )
        # No job of this run may tell of it, and its system may not do so again; nor
        # does a run that was stopped meet again what it has parted.
        pending.keep(
            work.mapping,
            found.side.other,
            [found.survivor(each) for each in found.later + found.unsure],
        )


def _replace(work: Work, found: _Gone) -> None:
    """The couplings are the newcomers'. No run, whatever its jobs, tells of the ids
    that are gone any more."""
    parted = [*found.unsure, *(coupling for coupling, _ in found.replaced)]
    gone_ids = [found.gone_id(coupling) for coupling in parted]
    pending.clear(work.mapping, found.side, gone_ids)
    settle_parted(work.mapping, gone_ids)
    for coupling, newcomer in found.replaced:
        couplings.give(coupling, found.side, newcomer)
        coupling.save(force_update=True)


def _part(work: Work, parted: Sequence[Coupling]) -> None:
    """They are a pair no more, and nothing is wrong with either."""
    if not parted:
        return
    for side in System:
        ids = [held(each, side, "id") for each in parted]
        pending.clear(work.mapping, side, ids)
    Coupling.objects.filter(pk__in=[each.pk for each in parted]).delete()


def _set_aside(work: Work, found: _Gone) -> None:
    """What is left is not created again at once: only when it changes (design §2)."""
    settle_parted(work.mapping, _ids(found.uncoupled))
    side = found.side.other
    if way_from(side) in work.table.ways:
        survivors = map(found.survivor, found.uncoupled)
        pending.set_aside(work.mapping, ((side, left, PARTED) for left in survivors))


def _uncoupled(work: Work, side: System, coupling: Coupling) -> Outcome:
    outcome = of_pair(OutcomeKind.UNCOUPLED, way_from_left(work, side), coupling)
    return outcome._replace(note=Note.UNCOUPLED)


def _record_half(
    work: Work, found: _Gone, coupling: Coupling, survivor: Snapshot
) -> None:
    """A deletion's source is the record that still exists (design §5)."""
    side, endings = found.side, found.endings
    column = couplings.column(side, "deleted_at")
    setattr(coupling, column, getattr(coupling, column) or found.now)
    way = way_from_left(work, side)
    trouble = Trouble(finding=_finding(work, side, coupling))
    last = {"last": dict(coupling.values)} if coupling.values else {}
    values = {side.other.value: dict(survivor.values), **last}
    endings.outcomes.append(of_pair(OutcomeKind.FAILED, way, coupling, trouble, values))
    left = way.source
    record_id = held(coupling, left, "id")
    row = Tried(left, record_id, survivor.etag, str(coupling), trouble)
    endings.tried.append(row)
    if left is not side:
        endings.superseded[side].append(found.gone_id(coupling))


def _finding(work: Work, side: System, coupling: Coupling) -> Finding:
    if work.money and side is System.SALES:
        code = coupling.bc_number
        return Finding(
            "dv-currency-not-found",
            {"currency": code},
            f"Cannot find the currency with the value '{code}' in Dataverse.",
        )
    return Finding(
        _ARTICLES[side],
        {"table": work.table.place(side)},
        f"{coupling} was deleted in {_NAMES[side]} and still exists in "
        f"{_NAMES[side.other]}.",
    )


def _ended(work: Work, side: System, coupling: Coupling, now: datetime) -> Outcome:
    coupling.bc_deleted_at = coupling.bc_deleted_at or now
    coupling.sales_deleted_at = coupling.sales_deleted_at or now
    return of_pair(OutcomeKind.UNCOUPLED, way_from_left(work, side), coupling)


def _end(work: Work, ended: Sequence[Coupling]) -> None:
    """Both are confirmed gone: nothing is left to keep in step."""
    if not ended:
        return
    _part(work, ended)
    settle_both_deleted(work.mapping, _ids(ended))


def _ids(parted: Sequence[Coupling]) -> list[str]:
    """Of the records of both sides."""
    return [each.bc_id for each in parted] + [each.sales_id for each in parted]
