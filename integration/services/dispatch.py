"""What is due: claimed here by conditional updates, carried out by workers (D6).

Two schedulers do no harm: whoever moves ``next_run_at`` first has the mapping.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from integration import clock
from integration.choices import JobKind, JobState, OperationState
from integration.models import Job, Operation, TableMapping
from integration.models.jobs import ACTIVE_STATES
from integration.services.runs import is_orphaned, is_ready, start_run

LOST_MESSAGE = timedelta(seconds=60)
"""A queued run that nobody took for so long is announced again: its message may be
lost (the broker was wiped). A second message does no harm, a run is claimed once."""


def due_runs() -> list[UUID]:
    """Runs to announce to the workers now."""
    now = clock.now()
    found = [*forgotten_runs(now), *claim_due_mappings(now)]
    Job.objects.filter(run__in=found).update(enqueued_at=now)
    return found


def is_purge_due() -> bool:
    """Whether a clean-up is past its undo date, or its removal was interrupted."""
    hiding = {OperationState.IN_FORCE, OperationState.PURGING}
    return Operation.objects.filter(
        state__in=hiding, undo_until__lte=clock.now()
    ).exists()


def forgotten_runs(now: datetime) -> list[UUID]:
    """Queued runs nobody took, parked ones whose time has come, and orphans."""
    never = Q(enqueued_at=None) | Q(enqueued_at__gt=now + clock.AHEAD)
    lost = never | Q(enqueued_at__lte=now - LOST_MESSAGE)
    ended = never | Q(
        enqueued_at__lte=now - timedelta(seconds=settings.TAKE_UP_SECONDS)
    )
    queued = is_ready(now) & Q(parked_until=None) & lost
    parked = is_ready(now) & Q(parked_until__isnull=False) & (lost | ended)
    rows = Job.objects.filter(queued | parked | is_orphaned(now) & ended)
    return list(rows.order_by("run").values_list("run", flat=True).distinct())


def claim_due_mappings(now: datetime) -> list[UUID]:
    """Start the run of each mapping that is due and whose dependencies are at rest."""
    due = _due(now)
    busy = set(
        Job.objects.filter(state__in=ACTIVE_STATES).values_list("mapping", flat=True)
    )
    waiting = {mapping.pk for mapping in due}
    started = []
    for mapping in due:
        needs = {needed.pk for needed in mapping.depends_on.all()}
        if needs & (busy | waiting) or mapping.pk in busy:
            continue
        run_id = _claim(mapping, now)
        if run_id:
            started.append(run_id)
    return started


def _due(now: datetime) -> list[TableMapping]:
    """In order; without those that only wait for a person to accept their review."""
    reviewed = Job.objects.filter(
        mapping=OuterRef("pk"), kind=JobKind.REVIEW, state=JobState.SUCCEEDED
    )
    awaiting_acceptance = Q(Exists(reviewed), reviewed_at=None)
    running = TableMapping.objects.running().exclude(awaiting_acceptance)
    mappings = running.in_order().prefetch_related("depends_on")
    return [mapping for mapping in mappings if _is_due(mapping, now)]


def _is_due(mapping: TableMapping, now: datetime) -> bool:
    """Also if it is further ahead than its interval: the clock was set back."""
    at = mapping.next_run_at
    latest = now + timedelta(seconds=mapping.interval_seconds) + clock.AHEAD
    return at is None or not now < at <= latest


def _claim(mapping: TableMapping, now: datetime) -> UUID | None:
    following = now + timedelta(seconds=mapping.interval_seconds)
    unclaimed = TableMapping.objects.filter(
        pk=mapping.pk, next_run_at=mapping.next_run_at
    )
    if not unclaimed.update(next_run_at=following):
        return None
    kind = JobKind.SYNC if mapping.reviewed_at else JobKind.REVIEW
    return start_run(mapping, kind)
