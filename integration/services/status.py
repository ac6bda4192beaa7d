"""What the frame of every page says: how much is open, and whether the engine lives."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min, Sum

from integration import clock
from integration.choices import Chip, JobKind, JobState, System
from integration.models import (
    Connection,
    Endpoint,
    ErrorTotal,
    Job,
    PendingRecord,
    SyncError,
    TableMapping,
)
from integration.services.articles import title_of
from integration.services.problems import with_problems

__all__ = [
    "EngineLife",
    "Shell",
    "SystemState",
    "open_setup_errors",
    "read_engine",
    "read_shell",
]

SILENT_AFTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SystemState:
    """One of the two systems in a word: ``answers``, ``refuses`` or ``unchecked``.

    ``at`` is its last success, None when there was none.
    """

    system: System
    state: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Shell:
    """The figures of the top bar."""

    open_errors: int
    systems: tuple[SystemState, ...]


@dataclass(frozen=True, slots=True)
class EngineLife:
    """The proof that the engine is alive; ``mappings`` counts those that run.

    ``skipped`` are records that are not tried any more, in no error's sight.

    ``silent_seconds`` is None while something ran lately, or nothing ever should.
    """

    mappings: int
    last_success: datetime | None
    next_run: datetime | None
    records_read: int
    skipped: int
    silent_seconds: int | None


def read_shell() -> Shell:
    """Three queries."""
    open_errors = ErrorTotal.objects.filter(state=Chip.OPEN).aggregate(n=Sum("n"))
    ran_at = last_success()
    states = [
        state_of(system, endpoints, ran_at)
        for system, endpoints in used_endpoints().items()
    ]
    return Shell(open_errors["n"] or 0, tuple(states))


def used_endpoints() -> dict[System, list[Endpoint]]:
    """The endpoints of enabled connections, by system."""
    found: dict[System, dict[int, Endpoint]] = {
        System.BUSINESS_CENTRAL: {},
        System.SALES: {},
    }
    for connection in Connection.objects.filter(enabled=True).select_related(
        "business_central", "sales"
    ):
        for endpoint in (connection.business_central, connection.sales):
            found[System(endpoint.kind)][endpoint.pk] = endpoint
    return {system: list(rows.values()) for system, rows in found.items()}


def state_of(
    system: System, endpoints: list[Endpoint], ran_at: datetime | None
) -> SystemState:
    """The worst of its endpoints, and when one of them last answered."""
    answered = [
        row.checked_at for row in endpoints if row.check_passed and row.checked_at
    ]
    if ran_at is not None:
        answered.append(ran_at)
    if any(row.check_passed is False for row in endpoints):
        word = "refuses"
    elif answered:
        word = "answers"
    else:
        word = "unchecked"
    return SystemState(system, word, max(answered, default=None))


def last_success() -> datetime | None:
    """When a synchronization last came to its end."""
    rows = Job.objects.filter(state=JobState.SUCCEEDED, kind=JobKind.SYNC)
    return rows.order_by("-id").values_list("finished_at", flat=True).first()


def read_engine() -> EngineLife:
    """Whether runs happen as they should."""
    running = TableMapping.objects.running().exclude(reviewed_at=None)
    plan = running.aggregate(next=Min("next_run_at"), longest=Max("interval_seconds"))
    job = (
        Job.objects.filter(state=JobState.SUCCEEDED, kind=JobKind.SYNC)
        .order_by("-id")
        .first()
    )
    last = job.finished_at if job else None
    return EngineLife(
        mappings=running.count(),
        last_success=last,
        next_run=plan["next"],
        records_read=job.records_read if job else 0,
        skipped=PendingRecord.objects.filter(skipped_at__isnull=False).count(),
        silent_seconds=silence(last, plan["longest"]),
    )


def silence(last: datetime | None, longest_interval: int | None) -> int | None:
    """Seconds since the last success, when no schedule explains so many."""
    if last is None or longest_interval is None:
        return None
    quiet = clock.now() - last
    allowed = max(SILENT_AFTER, timedelta(seconds=3 * longest_interval))
    return int(quiet.total_seconds()) if quiet > allowed else None


def open_setup_errors(connection_id: int, language: str) -> list[dict[str, Any]]:
    """What stands against a connection itself, newest first, with its title."""
    found = SyncError.objects.filter(
        connection=connection_id, mapping_key="", settled_at__isnull=True
    )
    rows = with_problems(found.order_by("-last_seen", "-id").for_list())
    return [
        {
            **row,
            "title": title_of(
                row["problem__article"],
                row["problem__params"],
                language,
                row["problem__title"],
            ),
        }
        for row in rows
    ]
