"""Runs in this process, for commands: no worker and no broker is needed."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from integration import clock
from integration.choices import JobKind, JobState
from integration.core.records import Direction
from integration.models import Job, TableMapping
from integration.models.jobs import ACTIVE_STATES, COUNTS
from integration.services.execution import execute, rehearse
from integration.services.runs import active_run, dry_run, start_run

LOOK_AGAIN_SECONDS = 0.5
NOT_ENDED = "Its end could not be stored; it goes on by itself."


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended. ``problem`` says why it could not run; "" when it did."""

    mapping: TableMapping
    jobs: tuple[Job, ...]
    problem: str

    @property
    def failed(self) -> int:
        """Records that failed, in both directions."""
        return sum(job.failed for job in self.jobs)

    def counts(self) -> dict[str, dict[str, int]]:
        """What each direction counted, by the words of a job."""
        return {
            job.direction: {
                name: getattr(job, name) for name in ("records_read", *COUNTS)
            }
            for job in self.jobs
        }


def runnable(mappings: Iterable[TableMapping]) -> list[TableMapping]:
    """Those that may run: not paused, on an enabled connection that is not paused."""
    return [
        mapping
        for mapping in mappings
        if mapping.paused_at is None
        and mapping.connection.enabled
        and mapping.connection.paused_at is None
    ]


def run_now(
    mapping: TableMapping,
    worker: str,
    *,
    kind: str = JobKind.SYNC,
    full: bool = False,
    directions: Collection[Direction] | None = None,
    waiting: Callable[[Job], None] = lambda job: None,
) -> RunReport:
    """One whole run of this mapping, here and now; waits while a worker is at it.

    ``waiting`` is told once of a run in the way.
    """
    in_the_way: UUID | None = None
    while True:
        run_id = start_run(mapping, kind, full=full, directions=directions)
        if run_id:
            execute(run_id, worker)
            return _report(mapping, run_id)
        job = active_run(mapping)
        if job is None:
            continue
        if job.parked_until and job.parked_until > clock.now():
            return _report(mapping, job.run)
        if execute(job.run, worker) is None:
            if job.run != in_the_way:
                in_the_way = job.run
                waiting(job)
            clock.sleep(LOOK_AGAIN_SECONDS)


def workers_ran(mappings: Iterable[TableMapping], since: datetime, but: str) -> bool:
    """Whether workers, not the process ``but``, have run each of these since then."""
    runs = Job.objects.filter(state=JobState.SUCCEEDED, finished_at__gte=since)
    done = set(runs.exclude(worker=but).values_list("mapping", flat=True))
    return {mapping.pk for mapping in mappings} <= done


def rehearse_now(
    mapping: TableMapping,
    *,
    full: bool = False,
    directions: Collection[Direction] | None = None,
) -> RunReport:
    """What a run would do; nothing is written anywhere."""
    run = dry_run(mapping, full=full, directions=directions)
    problem = rehearse(run)
    return RunReport(mapping, tuple(run.jobs.values()), problem)


def _report(mapping: TableMapping, run_id: UUID) -> RunReport:
    jobs = tuple(Job.objects.filter(run=run_id).order_by("direction"))
    stopped = [job for job in jobs if job.state == JobState.FAILED]
    waiting = [job for job in jobs if job.state in ACTIVE_STATES]
    problem = next((job.message or NOT_ENDED for job in (*stopped, *waiting)), "")
    return RunReport(mapping, jobs, problem)
