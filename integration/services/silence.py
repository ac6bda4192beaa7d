"""Whether a mapping that should run has been without a success for too long."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from integration.choices import AlertChange, JobKind, JobState
from integration.models import AlertSubject, Job, TableMapping
from integration.models.jobs import ACTIVE_STATES

INTERVALS_OF_SILENCE = 3
LONG_RUN = timedelta(hours=1)
"""A run may take so long, whatever the interval, before it counts as silence too."""


def watched(
    mapping: TableMapping,
    subject: AlertSubject | None,
    now: datetime,
    looked_at: datetime | None,
) -> AlertSubject:
    """Expected to run from now on, unless it was already.

    Where nobody looked for as long as it may be silent, the wait begins anew: nothing
    could run then.
    """
    if subject is None:
        return AlertSubject.objects.create(mapping=mapping, since=now, watched_at=now)
    nobody_looked = looked_at is None or now - looked_at > allowed_silence(mapping)
    if subject.watched_at is None or nobody_looked:
        subject.watched_at = now
        subject.save(update_fields=["watched_at"])
    return subject


def change_of_mapping(
    mapping: Any, subject: AlertSubject, now: datetime, *, is_running: bool
) -> AlertChange | None:
    """What is to be told of it now; the subject is kept as it is told from now on."""
    last = mapping.last_success
    if subject.stands:
        if last is None or last <= subject.since:
            return None
        subject.stands, subject.since = False, now
        subject.save(update_fields=["stands", "since"])
        return AlertChange.RUNS_AGAIN
    if not is_running:
        if subject.watched_at is not None:
            subject.watched_at = None
            subject.save(update_fields=["watched_at"])
        return None
    moments = (last, subject.watched_at, mapping.reviewed_at)
    since = max(one for one in moments if one is not None)
    if now - since <= allowed_silence(mapping) or _is_at_work(mapping, since, now):
        return None
    subject.stands, subject.since = True, now
    subject.save(update_fields=["stands", "since"])
    return AlertChange.SILENT


def allowed_silence(mapping: TableMapping) -> timedelta:
    """So long it may be without a success."""
    return timedelta(seconds=INTERVALS_OF_SILENCE * mapping.interval_seconds)


def _is_at_work(mapping: TableMapping, since: datetime, now: datetime) -> bool:
    """Whether the first run of this wait is still under way, and not for too long.

    After one that could not run the next explains nothing: runs that fail one after the
    other would keep it quiet for ever. One that the other side put off is parked.
    """
    runs = Job.objects.filter(mapping=mapping, kind=JobKind.SYNC)
    begun = Q(state__in=ACTIVE_STATES, started_at__gt=now - LONG_RUN, parked_until=None)
    failed = Q(state=JobState.FAILED, finished_at__gte=since)
    return runs.filter(begun).exists() and not runs.filter(failed).exists()
