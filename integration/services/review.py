"""Review: the first contact creates nothing until it is accepted (promise 11)."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import EntryKind, JobKind, OperationKind
from integration.connectors.business_central import BusinessCentral
from integration.connectors.sales import Sales
from integration.core.decide import decide
from integration.core.outcomes import Outcome, OutcomeKind
from integration.core.plan import ReviewPlan
from integration.core.records import Direction, System
from integration.core.snapshots import Snapshot
from integration.models import Coupling, Job, JobEntry, Operation, TableMapping
from integration.services import couplings
from integration.services.actors import Actor, Refused
from integration.services.companies import tried_elsewhere, without_others
from integration.services.endings import of_pair, of_record, way_from
from integration.services.matching import couple_matches
from integration.services.operations import record_operation
from integration.services.runs import Run, start_run
from integration.services.sentences import Told, sentence
from integration.services.spool import Ambiguous, Spool
from integration.services.sync import open_work
from integration.services.work import Work


def review_mapping(run: Run, bc: BusinessCentral, sales: Sales) -> None:
    """Read both sides whole, couple what matches uniquely, and say what would follow.

    It may run again until it is accepted: the numbers are those of now. ``differ`` are
    pairs whose values are not equal; accepting sends those of Business Central to
    Sales.
    """
    with Spool() as spool:
        work = open_work(run, spool, bc, sales)
        plan = ReviewPlan()
        for side in System:
            _read(work, side, plan)
        couple_matches(work)
        _count_pairs(work, plan)
        _note_ambiguous(work, plan)
        _count_alone(work, plan)
        _keep(work, plan)


def order(mapping: TableMapping, by: Actor) -> UUID:
    """Queue a review of a mapping that is not accepted; the caller announces its run.

    Raises ``Refused``.
    """
    if mapping.reviewed_at:
        raise Refused(_("This review has been accepted; there is nothing to review."))
    with transaction.atomic():
        run_id = start_run(mapping, JobKind.REVIEW)
        if run_id is None:
            raise Refused(_("Both systems are being read already."))
        record_operation(
            OperationKind.REVIEW,
            by=by,
            reason=sentence(gettext_noop("To see what a first contact would do now.")),
            scope=_scope(mapping),
        )
    return run_id


def accept(mapping: TableMapping, by: Actor, reason: str | Told = "") -> Operation:
    """Writing may start: the mapping is due at once. A second click changes nothing.

    Raises ``Refused`` where no review has made a plan that could be accepted.
    """
    now = clock.now()
    plan = _last_plan(mapping)
    if plan is None:
        raise Refused(_("There is no plan to accept yet: the review has not run."))
    with transaction.atomic():
        fresh = TableMapping.objects.filter(pk=mapping.pk, reviewed_at=None).update(
            reviewed_at=now, next_run_at=now
        )
        accepted = Operation.objects.filter(
            kind=OperationKind.ACCEPT, scope__mapping_id=mapping.pk
        )
        if not fresh and (known := accepted.first()):
            return known
        operation = record_operation(
            OperationKind.ACCEPT,
            by=by,
            reason=reason or sentence(gettext_noop("Its plan is as it should be.")),
            scope=_scope(mapping),
            result={"plan": plan},
            key=f"accept {mapping.pk} {now.isoformat()}",
        )
    mapping.refresh_from_db()
    return operation


def _scope(mapping: TableMapping) -> dict[str, Any]:
    return {
        "mapping_id": mapping.pk,
        "mapping": mapping.name,
        "connection": mapping.connection.name,
    }


def _last_plan(mapping: TableMapping) -> object:
    plans = Job.objects.filter(mapping=mapping, plan__isnull=False).order_by("-id")
    return plans.values_list("plan", flat=True).first()


def _read(work: Work, side: System, plan: ReviewPlan) -> None:
    for page in _pages(work, side):
        kept, left = [], []
        ids = [each.id for each in page]
        partners = couplings.known_by_record(work.mapping, side, ids)
        free = [record for record in page if record.id not in partners]
        ours = {*partners, *(one.id for one in without_others(work, side, free))}
        for record in page:
            partner = partners.get(record.id)
            if record.id not in ours or work.is_outside(side, record):
                left.append(record)
            else:
                kept.append((record, partner.id if partner else None))
        plan.filtered_out += len(left)
        work.spool.add(side, kept)
        _log(work, (of_record(OutcomeKind.FILTERED_OUT, side, each) for each in left))


def _pages(work: Work, side: System) -> Iterable[list[Snapshot]]:
    if work.money and side is System.BUSINESS_CENTRAL:
        yield work.snapshots(side, work.money.records)
        return
    columns, place = work.table.columns(side), work.table.place(side)
    for page in work.connectors[side].read_all(place, columns):
        yield work.snapshots(side, page.records)


def _count_pairs(work: Work, plan: ReviewPlan) -> None:
    for chunk in work.spool.pairs():
        rows = Coupling.objects.in_bulk([pair.coupling for pair in chunk])
        outcomes = []
        for pair in chunk:
            coupling = rows[pair.coupling]
            plan.coupled += 1
            if pair.bc and pair.sales:
                found = decide(
                    work.table, coupling.values, pair.bc.values, pair.sales.values
                )
                plan.differ += not found.in_step
            for side, record in (
                (System.BUSINESS_CENTRAL, pair.bc),
                (System.SALES, pair.sales),
            ):
                if record:
                    kind = OutcomeKind.COUPLED
                    outcomes.append(of_pair(kind, way_from(side), coupling))
        _log(work, outcomes)


def _note_ambiguous(work: Work, plan: ReviewPlan) -> None:
    for group in work.spool.ambiguous():
        plan.ambiguous += len(group)
        reason = "It could be the same as several."
        _log(
            work,
            (
                of_record(OutcomeKind.SKIPPED, each.side, each.record, reason=reason)
                for each in group
            ),
            [_entry(work, each) for each in group],
        )


def _entry(work: Work, found: Ambiguous) -> JobEntry:
    record = found.record
    is_bc = found.side is System.BUSINESS_CENTRAL
    way = way_from(found.side)
    job = work.run.jobs.get(way) or next(iter(work.run.jobs.values()))
    return JobEntry(
        job=job,
        kind=EntryKind.AMBIGUOUS,
        bc_id=record.id if is_bc else "",
        sales_id="" if is_bc else record.id,
        label=record.label[:250],
        message="It could be the same as several."[:500],
        detail={
            "side": found.side.value,
            "candidates": [
                {"id": each.id, "number": each.number, "name": each.name}
                for each in found.candidates
            ],
        },
        created_at=clock.now(),
    )


def _count_alone(work: Work, plan: ReviewPlan) -> None:
    for way in Direction:
        if way not in work.table.ways:
            continue
        reason = "It is created when the review is accepted."
        if work.table.only_coupled:
            reason = "It has no partner, and this mapping creates none."
        for alone in work.spool.alone(way.source):
            group = _without_tried(work, plan, way.source, alone)
            _count_creations(work, plan, way, group)
            _log(
                work,
                (
                    of_record(OutcomeKind.SKIPPED, way.source, each, reason=reason)
                    for each in group
                ),
            )


def _without_tried(
    work: Work, plan: ReviewPlan, side: System, alone: list[Snapshot]
) -> list[Snapshot]:
    """Another company has tried these, so that accepting creates nothing of them."""
    if side is System.BUSINESS_CENTRAL:
        return alone
    theirs = tried_elsewhere(work, [record.id for record in alone])
    given = [record for record in alone if record.id in theirs]
    plan.filtered_out += len(given)
    _log(work, (of_record(OutcomeKind.FILTERED_OUT, side, each) for each in given))
    return [record for record in alone if record.id not in theirs]


def _count_creations(
    work: Work, plan: ReviewPlan, way: Direction, group: list[Snapshot]
) -> None:
    if work.table.only_coupled:
        return
    if way is Direction.TO_SALES:
        # A currency without rate is not created, whoever uses it.
        problems = (work.rate_problem(way.source, each) for each in group)
        plan.create_in_sales += sum(problem is None for problem in problems)
    else:
        plan.create_in_business_central += len(group)


def _log(
    work: Work, outcomes: Iterable[Outcome], entries: Iterable[JobEntry] = ()
) -> None:
    with transaction.atomic():
        work.log(outcomes)
        JobEntry.objects.bulk_create(entries)


def _keep(work: Work, plan: ReviewPlan) -> None:
    """On every job of the run, if it is still ours."""
    with transaction.atomic():
        work.log([])
        for job in work.run.jobs.values():
            job.plan = asdict(plan)
            Job.objects.filter(pk=job.pk).update(plan=job.plan)
