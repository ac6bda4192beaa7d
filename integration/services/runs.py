"""Runs: a mapping's jobs of both directions, claimed, counted and finished together.

The database is the record of what must be done (D5). A run is claimed by one
conditional update that raises ``attempt``; whoever holds an older attempt finds that it
lost the run at its next chunk and stops (fencing).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Least

from integration import clock
from integration.choices import Direction as DirectionChoice
from integration.choices import JobKind, JobState
from integration.connectors.base import Connector
from integration.core.outcomes import Outcome
from integration.core.records import Direction, System
from integration.models import Job, Operation, TableMapping
from integration.models.bulk import add
from integration.models.jobs import ACTIVE_STATES
from integration.services.answers import finish_answers
from integration.services.entries import note
from integration.services.errors import record_outcomes
from integration.services.retry_results import finish_retry, judge_tried
from integration.services.sentences import Told
from integration.services.storms import note_tries


class RunLost(RuntimeError):  # noqa: N818  (a state, named as the design names it)
    """Another worker has taken this run up; what this one does no longer counts."""


@dataclass(slots=True)
class Run:
    """One run of one mapping, as the worker that claimed it sees it.

    ``only`` lists the records asked for; ``None`` reads what changed. ``operation`` is
    the retry whose records it tries. The jobs of a dry
    run are not in the database: only their counts are filled. ``tries`` is for
    ``services.storms``. ``reading_seconds`` is how long both sides took to read.
    """

    id: UUID
    mapping: TableMapping
    kind: str
    jobs: dict[Direction, Job]
    attempt: int
    full: bool
    only: list[tuple[System, str]] | None
    dry_run: bool = False
    operation: int | None = None
    tries: Counter[str] = field(default_factory=Counter)
    reading_seconds: float = 0.0


def start_run(
    mapping: TableMapping,
    kind: str = JobKind.SYNC,
    *,
    full: bool = False,
    only: Sequence[tuple[System, str]] | None = None,
    directions: Collection[Direction] | None = None,
    operation: Operation | None = None,
) -> UUID | None:
    """Queue a run; ``None`` when one of this mapping is queued or running already."""
    run_id = uuid4()
    jobs = _new_jobs(mapping, run_id, kind, directions)
    for job in jobs:
        job.full, job.operation = full, operation
        job.only = None if only is None else [[str(side), key] for side, key in only]
    try:
        with transaction.atomic():
            Job.objects.bulk_create(jobs)
    except IntegrityError:
        return None
    return run_id


def dry_run(
    mapping: TableMapping,
    *,
    full: bool = False,
    directions: Collection[Direction] | None = None,
) -> Run:
    """A run that plans and counts, and leaves nothing behind."""
    run_id = uuid4()
    jobs = _new_jobs(mapping, run_id, JobKind.SYNC, directions)
    by_direction = {Direction(job.direction): job for job in jobs}
    return Run(run_id, mapping, JobKind.SYNC, by_direction, 0, full, None, dry_run=True)


def active_run(mapping: TableMapping) -> Job | None:
    """A job of the run of this mapping that is queued or running."""
    return Job.objects.filter(mapping=mapping, state__in=ACTIVE_STATES).first()


def is_orphaned(now: datetime) -> Q:
    """Running jobs that have lost their worker: its last heartbeat is too old."""
    stale = now - timedelta(seconds=settings.TAKE_UP_SECONDS)
    return Q(state=JobState.RUNNING) & (
        Q(heartbeat_at__lt=stale) | Q(heartbeat_at__gt=now + clock.AHEAD)
    )


def is_ready(now: datetime) -> Q:
    """Queued jobs that are not parked, or whose time has come.

    A job is parked by whoever has just shown a sign of life: one that lies ahead was
    parked before the clock was set back.
    """
    come = Q(parked_until__lte=now) | Q(heartbeat_at__gt=now + clock.AHEAD)
    return Q(state=JobState.QUEUED) & (Q(parked_until=None) | come)


def claim(run_id: UUID, worker: str) -> Run | None:
    """Take a queued run or one whose worker is gone; ``None``: not to be had."""
    now = clock.now()
    free = is_ready(now) | is_orphaned(now)
    taken = Job.objects.filter(free, run=run_id).update(
        state=JobState.RUNNING,
        attempt=F("attempt") + 1,
        worker=worker[:100],
        started_at=Coalesce("started_at", now),
        heartbeat_at=now,
        parked_until=None,
        message="",
        told=None,
    )
    return _load(run_id) if taken else None


def log_outcomes(
    run: Run,
    outcomes: Sequence[Outcome],
    before: Mapping[Direction, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Count, note and record the endings of one chunk, in the caller's transaction.

    ``before``: how those of these were counted that have ended in this run already.
    Raises ``RunLost`` when another worker has taken the run up.
    """
    by_direction: dict[Direction, list[Outcome]] = {way: [] for way in run.jobs}
    for outcome in outcomes:
        by_direction[outcome.direction].append(outcome)
    for direction, ended in by_direction.items():
        if outcomes and not ended:
            continue  # The other direction tells whether the run is still ours.
        job, counts = run.jobs[direction], _counts(ended, before.get(direction, ()))
        if run.dry_run:
            _count_in_memory(job, counts)
        else:
            _log_direction(run, job, ended, counts)
    if run.operation is not None:
        judge_tried(run.operation, run.mapping, outcomes)


def add_fetched(run: Run, *connectors: Connector) -> None:
    """Add what the list and delta reads of each side brought.

    Records of mapped entities only, also those of other mappings (partners).
    """
    mappings = run.mapping.connection.mappings
    for connector in connectors:
        side = connector.system
        column = "entity" if side is System.BUSINESS_CENTRAL else "table"
        places = set(mappings.values_list(column, flat=True))
        records = sum(connector.fetched[place] for place in places)
        way = next((way for way in run.jobs if way.source is side), None)
        job = run.jobs[way] if way else next(iter(run.jobs.values()))
        job.records_fetched += records
        mine(run).filter(pk=job.pk).update(
            records_fetched=F("records_fetched") + records
        )


def finish(run: Run, state: JobState, message: Told | None = None) -> None:
    """End the run, and with it what a retry or an answer wanted of it.

    Where the clock was set back meanwhile, it began at this moment at the latest.
    """
    now = clock.now()
    with transaction.atomic():
        ended = mine(run).update(
            state=state,
            started_at=Least("started_at", now),
            finished_at=now,
            parked_until=None,
            **_said(message),
        )
        if ended and run.operation is not None:
            finish_retry(run.operation, run.mapping, state, message)
        if ended and run.only is not None:
            finish_answers(run.id)


def park(run: Run, seconds: float, message: Told) -> None:
    """Give the worker back and go on later (promise 8)."""
    until = clock.now() + timedelta(seconds=seconds)
    mine(run).update(state=JobState.QUEUED, parked_until=until, **_said(message))


def _said(message: Told | None) -> dict[str, Any]:
    if message is None:
        return {"message": "", "told": None}
    return {"message": message.english, "told": message.key}


def release(run: Run) -> None:
    """Give the run back at once; the next claim goes on where this one stopped."""
    mine(run).update(state=JobState.QUEUED, enqueued_at=None)


def restart(mapping: TableMapping) -> None:
    """Take a run on its way from its worker, which finds it lost; another begins it."""
    Job.objects.filter(mapping=mapping, state=JobState.RUNNING).update(
        state=JobState.QUEUED, enqueued_at=None
    )


def _new_jobs(
    mapping: TableMapping,
    run_id: UUID,
    kind: str,
    directions: Collection[Direction] | None,
) -> list[Job]:
    ways = [
        way
        for way in Direction
        if mapping.direction in {DirectionChoice.BOTH, way.value}
        and (directions is None or way in directions)
    ]
    now = clock.now()
    return [
        Job(mapping=mapping, run=run_id, kind=kind, direction=way.value, created_at=now)
        for way in ways
    ]


def _load(run_id: UUID) -> Run:
    jobs = list(
        Job.objects.filter(run=run_id).select_related(
            "mapping__connection__business_central", "mapping__connection__sales"
        )
    )
    first = jobs[0]
    only = first.only
    return Run(
        id=run_id,
        mapping=first.mapping,
        kind=first.kind,
        jobs={Direction(job.direction): job for job in jobs},
        attempt=first.attempt,
        full=first.full,
        only=None if only is None else [(System(side), key) for side, key in only],
        operation=first.operation_id,
    )


def mine(run: Run) -> QuerySet[Job]:
    """Its jobs, as long as no other worker has taken it up."""
    return Job.objects.filter(run=run.id, attempt=run.attempt, state=JobState.RUNNING)


def _log_direction(
    run: Run, job: Job, outcomes: list[Outcome], counts: Mapping[str, int]
) -> None:
    held = {"id": job.pk, "attempt": run.attempt, "state": JobState.RUNNING}
    if not add(Job, counts, {"heartbeat_at": clock.now()}, held):
        raise RunLost(f"run {run.id} was taken up by another worker")
    if not outcomes:
        return
    note(job, outcomes)
    causes = record_outcomes(job, outcomes)
    note_tries(run.mapping, run.tries, outcomes, causes)


def _counts(outcomes: Iterable[Outcome], before: Iterable[str]) -> dict[str, int]:
    counts = Counter[str](outcome.kind for outcome in outcomes)
    counts.subtract(before)
    if not counts:
        return {}
    named = {str(kind): number for kind, number in counts.items()}
    return {**named, "records_read": counts.total()}


def _count_in_memory(job: Job, counts: Mapping[str, int]) -> None:
    for name, number in counts.items():
        setattr(job, name, getattr(job, name) + number)
