"""One run of one mapping: read both sides once, decide, write, record."""

import sys
from collections.abc import Iterable, Sequence
from functools import partial

from django.db import transaction

from integration import clock
from integration.connectors.business_central import BusinessCentral
from integration.connectors.errors import RemoteError
from integration.connectors.sales import Sales
from integration.core.outcomes import OutcomeKind
from integration.core.records import System
from integration.models import Coupling, TableMapping
from integration.services import couplings, pending
from integration.services.answers import answers_of, parted
from integration.services.behind import CHUNKS
from integration.services.changes import Cursors, read_both, read_due, read_only
from integration.services.companies import others_of
from integration.services.creations import create_alone
from integration.services.currencies import read_money, read_references
from integration.services.deletions import confirm_missed
from integration.services.endings import way_from
from integration.services.mappings import load_table_map
from integration.services.matching import (
    couple_created,
    couple_matches,
    fail_ambiguous,
)
from integration.services.may_run import Paused
from integration.services.pairs import (
    Pair,
    Updates,
    judge_pairs,
    make_up,
    write_pairs,
)
from integration.services.retry_results import keys_to_try
from integration.services.runs import Run
from integration.services.spool import Spool, SpooledPair
from integration.services.storms import Storm
from integration.services.waiting import arrivals, hasten_waiting, release_arrived
from integration.services.work import Work

_HANDOVER_SECONDS = 0.0005
"""A call's thread needs a moment for each block that comes, and would wait ten times as
long for it while the run computes. It holds for the whole process, a worker's."""


def run_mapping(run: Run, bc: BusinessCentral, sales: Sales) -> None:
    """Both directions of one mapping. A dry run ends at the plan, with counts.

    Safe to repeat after a stop at any point: what was done is found done. Raises
    ``RemoteError`` when a system cannot be read or refuses everything, ``Storm`` when
    everything fails for one cause, ``Paused`` when somebody paused it, ``RunLost`` when
    another worker has the run; the cursors then stay where they were, but for a side of
    which nothing was left when a system refused: what we wrote there comes back once.
    """
    began, start = clock.now(), clock.monotonic()
    sys.setswitchinterval(_HANDOVER_SECONDS)
    with Spool() as spool:
        work = open_work(run, spool, bc, sales)
        cursors = _read(work)
        run.reading_seconds = clock.monotonic() - start
        for connector in work.connectors.values():
            # Putting the run off would take longer: it begins by reading again.
            connector.be_patient(run.reading_seconds)
        try:
            _carry_over(work)
        except (Storm, Paused):
            _keep_untried(work)
            raise
        except RemoteError:
            if cursors and not run.dry_run:
                _move_cursors(work, cursors, filter(spool.is_settled, System))
            raise
        if not run.dry_run:
            hasten_waiting(run.mapping, began)
        if cursors and not run.dry_run:
            _move_cursors(work, cursors, System)


def open_work(run: Run, spool: Spool, bc: BusinessCentral, sales: Sales) -> Work:
    """What the run needs to know before it reads: its mapping, currencies' rates."""
    table = load_table_map(run.mapping)
    return Work(
        run=run,
        table=table,
        connectors={System.BUSINESS_CENTRAL: bc, System.SALES: sales},
        spool=spool,
        read_references=partial(read_references, run.mapping, table, bc, sales),
        money=read_money(table, bc, sales),
        others=others_of(run.mapping),
    )


def _read(work: Work) -> Cursors | None:
    if work.run.operation is not None:
        _read_retried(work, work.run.operation)
        return None
    if work.run.only is not None:
        work.answers = answers_of(work.run.id)
        done = parted(work.answers)
        for side in System:
            ids = [k for system, k in work.run.only if system is side and k not in done]
            read_only(work, side, ids)
        return None
    if not work.is_rehearsal:
        release_arrived(work)
    cursors = read_both(work)
    read_due(work)
    if work.is_rehearsal:
        _read_arrived(work)
    return cursors


def _read_arrived(work: Work) -> None:
    """What a run would release before it reads."""
    names = arrivals(work)
    for side in System:
        for ids in pending.waiting_for(work.mapping, side, names):
            read_only(work, side, ids)


def _read_retried(work: Work, operation: int) -> None:
    for side in System:
        way = way_from(side)
        for ids in keys_to_try(operation, work.mapping, way):
            read_only(work, side, ids)
            work.go_on()


def _carry_over(work: Work) -> None:
    with work.behind.all_recorded():
        confirm_missed(work)
        couple_created(work)
        _settle(work)
        couple_matches(work)
        _settle(work, OutcomeKind.COUPLED)
        fail_ambiguous(work)
        create_alone(work)


def _keep_untried(work: Work) -> None:
    """What a storm or a pause left untried stays pending, for all to see."""
    for side in System:
        if work.writes(way_from(side)):
            for records in work.spool.open(side, coupled=work.table.only_coupled):
                pending.keep(work.mapping, side, records)


def _settle(work: Work, first: OutcomeKind | None = None) -> None:
    """Every pair in the spool that has not been settled yet."""
    judged = (_judged(work, chunk, first) for chunk in work.spool.pairs(*CHUNKS))
    for pairs, early in work.behind.ahead(judged):
        write_pairs(work, pairs, early)


def _judged(
    work: Work, chunk: Sequence[SpooledPair], first: OutcomeKind | None
) -> tuple[list[Pair], Updates | None]:
    rows = couplings.by_id([spooled.coupling for spooled in chunk])
    work.spool.finish({spooled.coupling for spooled in chunk} - rows.keys())
    pairs = [
        _pair(rows[spooled.coupling], spooled, first)
        for spooled in chunk
        if spooled.coupling in rows
    ]
    judge_pairs(work, pairs)
    return pairs, make_up(work, pairs)


def _pair(coupling: Coupling, spooled: SpooledPair, first: OutcomeKind | None) -> Pair:
    both = {System.BUSINESS_CENTRAL: spooled.bc, System.SALES: spooled.sales}
    owing = {side for side, record in both.items() if record}
    for side, record in both.items():
        if record and record.id != couplings.held(coupling, side, "id"):
            couplings.give(coupling, side, record)
    return Pair(coupling, spooled.bc, spooled.sales, owing, first)


def _move_cursors(work: Work, cursors: Cursors, sides: Iterable[System]) -> None:
    """Everything read there is recorded: the next run starts after it (promises 6, 13).

    A side whose changes this run had no job to carry over is read again.
    """
    changes: dict[str, object] = {}
    carried = {side for side in sides if work.answers_for(way_from(side))}
    if System.BUSINESS_CENTRAL in carried:
        changes["bc_cursor"] = cursors.bc
        if cursors.scanned:
            changes["scanned_at"] = clock.now()
    if System.SALES in carried:
        changes["sales_cursor"] = cursors.sales
    with transaction.atomic():
        work.log([])
        TableMapping.objects.filter(pk=work.mapping.pk).update(**changes)
