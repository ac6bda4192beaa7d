"""Pairs: decide about coupled records and write to whichever side is behind."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from integration import clock
from integration.connectors.base import Update, WriteResult, Written
from integration.core.answers import ConflictRule
from integration.core.decide import Decision, changed_on_both, decide
from integration.core.failures import Failure, FailureKind
from integration.core.mapping import hash_of, travelling
from integration.core.outcomes import Finding, Note, Outcome, OutcomeKind, Trouble
from integration.core.plan import Missing, update
from integration.core.records import Direction, Record, System
from integration.core.snapshots import Snapshot
from integration.models import Coupling
from integration.services import couplings, pending
from integration.services.absent import find, record_hidden
from integration.services.answers import Answer, note_changed
from integration.services.behind import CHUNKS, Coming
from integration.services.deletions import is_lost, record_gone
from integration.services.endings import Endings, of_pair
from integration.services.looks import is_looked_at, note_written
from integration.services.rivals import with_rivals
from integration.services.storms import room
from integration.services.waiting import missing_partner
from integration.services.work import Work

_DOUBTFUL = (FailureKind.STALE, FailureKind.LOST_ANSWER)
"""Somebody else wrote meanwhile, or perhaps we did."""

# Made once: every pair asks for them a dozen times.
_SIDES, _WAYS = tuple(System), tuple(Direction)
_NOTES = {
    ConflictRule.BUSINESS_CENTRAL: Note.BUSINESS_CENTRAL_WON,
    ConflictRule.SALES: Note.SALES_WON,
    ConflictRule.MERGE: Note.MERGED,
}


@dataclass(slots=True)
class Pair:
    """Two coupled records on their way through one run.

    ``bc`` and ``sales`` are what was read now; ``None`` is as it was when last in step.
    ``owing`` are the sides whose record needs an ending in this run; of a pair that is
    new it is ``first``. ``news`` are the sides that hold another version than the one
    tried last; ``held`` are values worked out already. ``agreed`` is what we wrote:
    both sides held it, whatever becomes of it; ``replies`` are what the systems said to
    that, not yet looked at; who ``stirred`` changed more by itself than we wrote. Where
    the record of one side is ``gone``, or ``hidden`` from us, nothing is decided. One
    that ``was_stopped`` is left to the next run.
    ``answer`` is a person's, as long as the records are those that were shown.
    """

    coupling: Coupling
    bc: Snapshot | None = None
    sales: Snapshot | None = None
    owing: set[System] = field(default_factory=set)
    first: OutcomeKind | None = None
    is_pending: bool = False
    news: set[System] = field(default_factory=set)
    decision: Decision = field(default_factory=Decision)
    held: dict[System, Mapping[str, Any]] = field(default_factory=dict)
    wrote: set[Direction] = field(default_factory=set)
    agreed: dict[str, Any] = field(default_factory=dict)
    replies: dict[Direction, Record] = field(default_factory=dict)
    troubles: dict[Direction, Trouble] = field(default_factory=dict)
    gone: System | None = None
    hidden: Failure | None = None
    stirred: set[System] = field(default_factory=set)
    was_stopped: bool = False
    answer: Answer | None = None

    def record(self, side: System) -> Snapshot | None:
        return self.bc if side is System.BUSINESS_CENTRAL else self.sales

    def take(self, side: System, record: Snapshot) -> None:
        self.held.pop(side, None)
        if side is System.BUSINESS_CENTRAL:
            self.bc = record
        else:
            self.sales = record

    def id(self, side: System) -> str:
        here = side is System.BUSINESS_CENTRAL
        return self.coupling.bc_id if here else self.coupling.sales_id

    def etag(self, side: System) -> str:
        record = self.record(side)
        if record:
            return record.etag
        return couplings.held(self.coupling, side, "etag")

    @property
    def base(self) -> Mapping[str, Any] | None:
        """What both last agreed on, in this run if it wrote."""
        base: Mapping[str, Any] | None = self.coupling.values
        return {**(base or {}), **self.agreed} if self.agreed else base

    @property
    def new_base(self) -> dict[str, Any]:
        """What both agree on without anything that is to be written."""
        return {**(self.base or {}), **self.decision.agreed}

    def is_left(self, way: Direction) -> bool:
        """Something is still to be carried over in this direction."""
        return bool(self.decision.fields(way)) and way not in self.wrote


@dataclass(frozen=True, slots=True)
class Updates:
    """What is to be sent of these pairs in one direction, one update for each.
    ``coming`` is the answer, where the call has been made up early."""

    way: Direction
    pairs: Sequence[Pair]
    updates: Sequence[Update]
    coming: Coming[Sequence[WriteResult]] | None = None


def settle_pairs(work: Work, pairs: Sequence[Pair]) -> None:
    """Bring these pairs in step, and record how each ended."""
    judge_pairs(work, pairs)
    write_pairs(work, pairs)


def judge_pairs(work: Work, pairs: Sequence[Pair]) -> None:
    """Decide what must happen to each; nothing is written anywhere."""
    _note_pending(work, pairs)
    for side in System:
        _read_missing(work, side, [p for p in pairs if _needs(work, p, side)])
    for pair in pairs:
        if pair.gone is None:
            _decide(work, pair)


def make_up(work: Work, pairs: Sequence[Pair]) -> Updates | None:
    """What is sent of these as soon as the call that is on its way is answered.

    Only where that is one call to Sales, and too little for a storm to go unnoticed.
    """
    way = Direction.TO_SALES
    if not work.behind.is_beside_a_call or work.is_rehearsal or not work.writes(way):
        return None
    if any(work.writes(way.back) and _is_to_write(pair, way.back) for pair in pairs):
        return None
    found, missing = _updates(work, way, [p for p in pairs if _is_to_write(p, way)])
    is_much = room(work.mapping, work.run.tries) < max(CHUNKS) + len(found.updates)
    if missing or is_much or not found.updates:
        return None
    coming = work.behind.make_up(
        _call(work, found), work.go_on, partial(_record_early, work, found)
    )
    return replace(found, coming=coming)


def _record_early(work: Work, sent: Updates, results: Sequence[WriteResult]) -> None:
    """The run has ended before their turn: what was not done is left to the next."""
    for pair, result in zip(sent.pairs, results, strict=True):
        _take_answer(work, sent.way, pair, result)
    _record(work, [pair for pair in sent.pairs if sent.way in pair.wrote])


def write_pairs(
    work: Work, pairs: Sequence[Pair], early: Updates | None = None
) -> None:
    """Write what was decided, and record how each ended: where all went well, while
    the next call is on its way. What goes ``early`` is all that is to be written."""
    ways = [way for way in Direction if work.writes(way)]
    writing: list[Pair] = []
    others: list[Pair] = []
    for pair in pairs:
        is_behind = any(_is_to_write(pair, way) for way in ways)
        (writing if is_behind else others).append(pair)
    if others:
        _conclude(work, others)
    for portion in [early.pairs] if early else work.portions(writing):
        again: list[Pair] = []
        for way in ways:
            mine = [p for p in portion if _is_to_write(p, way)]
            again += _write(work, way, mine, early)
        for way in ways:
            # Decided again, some go a way that has had its turn.
            _send(work, way, [p for p in again if p.is_left(way) and _may_go(p, way)])
        _name_rivals(work, portion)
        _conclude(work, portion)


def _conclude(work: Work, pairs: Sequence[Pair]) -> None:
    went_well = not any(p.gone or p.troubles or p.was_stopped for p in pairs)
    work.behind.record(partial(_record, work, pairs), may_wait=went_well)
    work.go_on()


def _record(work: Work, pairs: Sequence[Pair]) -> None:
    """Record how these ended; whoever comes now finds them done."""
    _read_replies(work, pairs)
    ended = [pair for pair in pairs if not pair.was_stopped]
    _save(work, [pair for pair in ended if pair.gone is None])
    left = {pair.coupling.pk for pair in ended}
    for side in System:
        gone = [pair for pair in ended if pair.gone is side]
        left -= record_gone(work, side, [p.coupling for p in gone if not p.hidden])
        record_hidden(work, side, [(p.coupling, p.hidden) for p in gone if p.hidden])
    work.spool.finish(left)


def _note_pending(work: Work, pairs: Sequence[Pair]) -> None:
    """A pair with something pending owes an ending on that side, too."""
    for side in System:
        rows = pending.by_record(work.mapping, side, [pair.id(side) for pair in pairs])
        for pair in pairs:
            row, record = rows.get(pair.id(side)), pair.record(side)
            if record and not (row and row.etag == record.etag[:250]):
                pair.news.add(side)
            if row:
                pair.owing.add(side)
                pair.is_pending = True


def _needs(work: Work, pair: Pair, side: System) -> bool:
    """Whether this side must be read: what it held when last in step does not do."""
    if pair.record(side):
        return False
    coupling = pair.coupling
    base = coupling.values
    if base is None or any(
        mapped.bc not in base for mapped in work.table.values if not mapped.is_virtual
    ):
        return True
    if coupling.bc_deleted_at or coupling.sales_deleted_at:
        return True
    # A write needs the version, which a creation in bulk does not answer.
    unsure = not couplings.check(coupling, side)
    return pair.is_pending or unsure or not pair.etag(side)


def _read_missing(work: Work, side: System, pairs: Sequence[Pair]) -> None:
    if not pairs:
        return
    found = find(work, side, [pair.id(side) for pair in pairs])
    for pair in pairs:
        record = found.present.get(pair.id(side))
        if record is None or is_lost(work, side, record):
            pair.gone = side
            pair.hidden = found.hidden.get(pair.id(side))
        else:
            pair.take(side, record)


def _decide(work: Work, pair: Pair) -> None:
    bc, sales = (values_of(work, pair, side) for side in _SIDES)
    pair.answer = _answer(work, pair)
    chosen = pair.answer.chosen if pair.answer else None
    pair.decision = decide(work.table, pair.base, bc, sales, chosen)


def _answer(work: Work, pair: Pair) -> Answer | None:
    """A person's answer, unless a record has changed since it was shown.

    One about a record that was gone is carried out once the coupling is another's.
    """
    answer = work.answers.get(pair.coupling.pk)
    if answer is None or answer.pair != tuple(map(pair.id, System)):
        return None
    for side in System:
        record = pair.record(side)
        if record is None or not answer.fits(side, record):
            note_changed(answer)
            return None
    return answer


def values_of(work: Work, pair: Pair, side: System) -> Mapping[str, Any]:
    """What a side holds now, in terms of the base.

    A side that is as it was left counts as agreeing with the base, even where the other
    system keeps a value in a form of its own (a trimmed text).
    """
    if side not in pair.held:
        pair.held[side] = _worked_out(work, pair, side)
    return pair.held[side]


def _worked_out(work: Work, pair: Pair, side: System) -> Mapping[str, Any]:
    base = pair.coupling.values or {}
    record = pair.record(side)
    if record is None:
        return base
    known = couplings.check(pair.coupling, side)
    if not known or known != record.check:
        return record.values
    left = travelling(work.table, side, record.values)
    return {**record.values, **{name: base[name] for name in left if name in base}}


def _is_to_write(pair: Pair, way: Direction) -> bool:
    return bool(pair.decision.fields(way)) and _may_go(pair, way)


def _may_go(pair: Pair, way: Direction) -> bool:
    ended = pair.gone or pair.was_stopped or pair.troubles.get(way)
    return not ended


def _write(
    work: Work, way: Direction, pairs: Sequence[Pair], early: Updates | None
) -> list[Pair]:
    """One update each; doubtful ones are read and decided again at once, only once.

    Returns those. What went the other way before and is behind again for it is left to
    go once more.
    """
    if early and early.way is way:
        doubtful = _carry_out(work, early)
    else:
        doubtful = _send(work, way, pairs)
    _read_replies(work, doubtful)
    _read_missing(work, way.destination, doubtful)
    again = [pair for pair in doubtful if pair.gone is None]
    for pair in again:
        lost = _failed_with(pair, way, FailureKind.LOST_ANSWER)
        del pair.troubles[way]
        _decide(work, pair)
        if lost and not (pair.decision.conflict or pair.decision.fields(way)):
            pair.wrote.add(way)  # It was done; only the answer got lost.
    _send(work, way, [pair for pair in again if _is_to_write(pair, way)])
    for pair in again:
        if pair.decision.fields(way.back):
            pair.wrote.discard(way.back)
    return again


def _send(work: Work, way: Direction, pairs: Sequence[Pair]) -> list[Pair]:
    """Returns the pairs whose destination somebody, perhaps we, wrote meanwhile."""
    found, missing = _updates(work, way, pairs)
    for pair, what in missing:
        pair.troubles[way] = missing_partner(work, what)
    return _carry_out(work, found)


def _updates(
    work: Work, way: Direction, pairs: Sequence[Pair]
) -> tuple[Updates, list[tuple[Pair, Missing]]]:
    """What is to be sent, and which pairs have to wait for another record."""
    ready: list[Pair] = []
    updates: list[Update] = []
    missing: list[tuple[Pair, Missing]] = []
    side = way.destination
    for pair in pairs:
        columns = update(
            work.table,
            way,
            values_of(work, pair, way.source),
            pair.decision.fields(way),
            work.references,
        )
        if isinstance(columns, Missing):
            missing.append((pair, columns))
        else:
            ready.append(pair)
            updates.append(Update(pair.id(side), columns, pair.etag(side)))
    return Updates(way, ready, updates), missing


def _carry_out(work: Work, sent: Updates) -> list[Pair]:
    """Send these; returns those of which it is doubtful what became of them."""
    way = sent.way
    if work.is_rehearsal:
        for pair in sent.pairs:
            pair.wrote.add(way)
        return []
    for pair, result in zip(sent.pairs, _results(work, sent), strict=True):
        _take_answer(work, way, pair, result)
    return [pair for pair in sent.pairs if _failed_with(pair, way, *_DOUBTFUL)]


def _results(work: Work, sent: Updates) -> Sequence[WriteResult]:
    if not sent.updates:
        return []
    if sent.coming:
        return work.behind.finish(sent.coming)
    return work.behind.meanwhile(_call(work, sent))


def _call(work: Work, sent: Updates) -> Callable[[], Sequence[WriteResult]]:
    side, table = sent.way.destination, work.table
    place, columns = table.place(side), table.columns(side)
    return partial(work.connectors[side].update_many, place, columns, sent.updates)


def _take_answer(work: Work, way: Direction, pair: Pair, result: WriteResult) -> None:
    if isinstance(result, Written):
        pair.wrote.add(way)
        pair.replies[way] = result.record
    elif result.kind is FailureKind.NOT_FOUND:
        pair.gone = way.destination
    elif work.stops(result):
        pair.was_stopped = True
    else:
        pair.troubles[way] = Trouble(failure=result)


def _read_replies(work: Work, pairs: Sequence[Pair]) -> None:
    """What these hold since we wrote; the next call need not wait for that.

    Before anything is decided anew: it was written as the decision says.
    """
    replied = {way: _replied(work, way, pairs) for way in _WAYS}
    for pair in pairs:
        for way in pair.replies:
            side = way.destination
            source, before = (values_of(work, pair, one) for one in (way.source, side))
            written = {name: source[name] for name in pair.decision.fields(way)}
            pair.agreed |= written
            now, known = next(replied[way]), _known_of(work, pair, side)
            if known is not None and _is_stirred(work, side, known, now, written):
                pair.stirred.add(side)
            pair.take(side, now)
            # In terms of the base: the other system may keep it in a form of its own.
            pair.held[side] = {**before, **written}
        pair.replies.clear()


def _replied(work: Work, way: Direction, pairs: Sequence[Pair]) -> Iterator[Snapshot]:
    """The replies to these in one direction, where there is one, in their order."""
    replies = [pair.replies[way] for pair in pairs if way in pair.replies]
    return iter(work.snapshots(way.destination, replies))


def _known_of(work: Work, pair: Pair, side: System) -> Mapping[str, Any] | None:
    """What a side held before we wrote, in its own form; ``None`` where nobody read it
    and it is not sure to be that of the base."""
    record = pair.record(side)
    if record:
        return record.values
    base = pair.coupling.values or {}
    left = couplings.check(pair.coupling, side)
    return base if left == hash_of(work.table, side, base) else None


def _is_stirred(
    work: Work,
    side: System,
    known: Mapping[str, Any],
    now: Snapshot,
    written: Collection[str],
) -> bool:
    """Whether a field holds what nobody wrote: a post code that set its city."""
    return any(
        name in known and name not in written and known[name] != value
        for name, value in travelling(work.table, side, now.values).items()
    )


def _failed_with(pair: Pair, way: Direction, *kinds: FailureKind) -> bool:
    trouble = pair.troubles.get(way)
    failure = trouble.failure if trouble else None
    return failure is not None and failure.kind in kinds


def _name_rivals(work: Work, pairs: Sequence[Pair]) -> None:
    """Whom a person has to open where Sales refused the number of one of these."""
    way = Direction.TO_SALES
    failed = [(pair, pair.bc) for pair in pairs if pair.bc and way in pair.troubles]
    named = with_rivals(work, [(record, pair.troubles[way]) for pair, record in failed])
    for (pair, _), (_, trouble) in zip(failed, named, strict=True):
        own = pair.id(System.SALES)
        others = tuple(one for one in trouble.others if one.id != own)
        pair.troubles[way] = replace(trouble, others=others)


def _save(work: Work, pairs: Sequence[Pair]) -> None:
    endings, now = Endings(), clock.now()
    for pair in pairs:
        _rename(pair)
        _end(work, endings, pair)
    if not work.is_rehearsal and is_looked_at(work.mapping):
        note_written(work.mapping, _written(pairs))
    with transaction.atomic():
        if not work.is_rehearsal:
            handled = [pair for pair in pairs if not pair.decision.conflict]
            for pair in handled:
                _remember(work, pair, now)
            couplings.save(pair.coupling for pair in handled)
        endings.save(work)


def _rename(pair: Pair) -> None:
    """What fails is told by the number and the name that it has now."""
    for side in _SIDES:
        record = pair.record(side)
        if record:
            couplings.rename(pair.coupling, side, record)


def _written(pairs: Sequence[Pair]) -> dict[str, dict[str, Collection[str]]]:
    """Which fields of which side we wrote, by the id of either record.

    After a lost answer it may be any field in which both agree.
    """
    found: dict[str, dict[str, Collection[str]]] = {}
    for pair in pairs:
        decided = pair.decision
        fields: dict[str, Collection[str]] = {
            way.destination.value: decided.fields(way) or pair.new_base
            for way in pair.wrote
        }
        if fields:
            found |= {pair.id(side): fields for side in System}
    return found


def _remember(work: Work, pair: Pair, now: datetime) -> None:
    """What both agree on now, field by field, and which versions say so."""
    coupling = pair.coupling
    base = pair.new_base
    for way in _WAYS:
        names = pair.decision.fields(way)
        if way in pair.wrote:
            source = values_of(work, pair, way.source)
            base |= {name: source[name] for name in names}
            setattr(coupling, f"{way}_at", now)
        setattr(coupling, f"{way}_failed", way in pair.troubles)
    coupling.values = base
    for way in _WAYS:
        record = pair.record(way.source)
        if pair.is_left(way):
            etag = record.etag if record else None
            couplings.unsee(coupling, way.source, etag)
        elif record:
            couplings.see(coupling, way.source, record)
    for side in _unknown(pair):
        couplings.unsee(coupling, side)


def _unknown(pair: Pair) -> set[System]:
    """Who holds what is in no base: it lost and is still to be written over, or it
    changed more by itself than we wrote."""
    if not pair.decision.answered:
        return pair.stirred
    return pair.stirred | {way.destination for way in _WAYS if pair.is_left(way)}


def _end(work: Work, endings: Endings, pair: Pair) -> None:
    """One ending for each side that was read, is pending, or was written from."""
    if pair.decision.conflict:
        _end_conflict(work, endings, pair)
        return
    for way in _WAYS:
        trouble = pair.troubles.get(way)
        if trouble:
            values = _shown(work, pair)
            outcome = of_pair(OutcomeKind.FAILED, way, pair.coupling, trouble, values)
            endings.outcomes.append(outcome)
            endings.tried.append(_tried(pair, way, trouble))
            continue
        if pair.is_left(way):
            _leave(work, endings, pair, way)
            continue
        endings.cleared[way.source].append(pair.id(way.source))
        if way in pair.wrote or way.source in pair.owing:
            outcome = of_pair(_kind(pair, way), way, pair.coupling)
            endings.outcomes.append(_noted(work, pair, way, outcome))


def _leave(work: Work, endings: Endings, pair: Pair, way: Direction) -> None:
    """To a run that has jobs of both directions: this one may have moved the cursor of
    a system, which does not tell of its change again."""
    record = pair.record(way.source)
    if record and not all(map(work.writes, Direction)):
        endings.left[way.source].append(record)


def _noted(work: Work, pair: Pair, way: Direction, outcome: Outcome) -> Outcome:
    """Say who won, in the job that wrote."""
    if not (pair.decision.answered and way in pair.wrote):
        return outcome
    note = Note.ANSWERED if pair.answer else _NOTES[work.table.conflict]
    return outcome._replace(note=note)


def _kind(pair: Pair, way: Direction) -> OutcomeKind:
    if pair.first and way.source in pair.owing:
        return pair.first
    return OutcomeKind.MODIFIED if way in pair.wrote else OutcomeKind.UNCHANGED


def _end_conflict(work: Work, endings: Endings, pair: Pair) -> None:
    """One error, to Sales; the Sales record is skipped with that reason."""
    way, back = Direction.TO_SALES, Direction.TO_BUSINESS_CENTRAL
    bc, sales = (values_of(work, pair, side) for side in System)
    fields = changed_on_both(work.table, pair.base or {}, bc, sales)
    which = f": {', '.join(fields)}" if fields else ", each in other fields"
    finding = Finding(
        "conflict-both-changed",
        {"fields": ",".join(fields)} if fields else {},
        f"{pair.coupling} was changed in Business Central and in Sales since both were "
        f"last in step{which}.",
    )
    trouble = Trouble(finding=finding)
    values = _shown(work, pair)
    outcome = of_pair(OutcomeKind.FAILED, way, pair.coupling, trouble, values)
    endings.outcomes.append(outcome)
    endings.tried.append(_tried(pair, way, trouble))
    endings.superseded[System.SALES].append(pair.id(System.SALES))
    if not work.writes(way):
        _leave(work, endings, pair, back)
    if System.SALES in pair.owing:
        endings.outcomes.append(
            of_pair(OutcomeKind.SKIPPED, back, pair.coupling, trouble)
        )


def _shown(work: Work, pair: Pair) -> dict[str, Any]:
    """Both sides and what they last agreed on, for the page of an error."""
    shown = {side.value: dict(values_of(work, pair, side)) for side in System}
    return {**shown, "last": dict(pair.coupling.values or {})}


def _tried(pair: Pair, way: Direction, trouble: Trouble) -> pending.Tried:
    side, is_first = way.source, way.destination in pair.news
    known = (side, pair.id(side), pair.etag(side), str(pair.coupling))
    return pending.Tried(*known, trouble, is_first)
