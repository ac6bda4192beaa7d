"""The first page: what is in step, and what is not although no entry says so.

Every figure comes from a roll-up or an index; none reads the table of errors.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    Count,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Coalesce

from integration import clock
from integration.choices import JobKind, JobState
from integration.models import (
    Connection,
    Coupling,
    Endpoint,
    ErrorTotal,
    Job,
    PendingRecord,
    TableMapping,
)
from integration.models.dialect import Unindexed, UtcHour
from integration.models.errors import RELEVANT_CHIPS
from integration.services.pending import unlisted

HOURS = 24
_PLAIN_MAPPING = Unindexed("mapping", output_field=BigIntegerField())


@dataclass(frozen=True, slots=True)
class Hour:
    """The runs that ended in one hour; ``troubled`` ones failed, or records did."""

    runs: int = 0
    troubled: int = 0


@dataclass(frozen=True, slots=True)
class MappingLine:
    """One mapping; ``failing`` are entries still relevant, ``unlisted`` has none.

    ``hours`` are the last 24, the running one last.
    """

    mapping: TableMapping
    in_step: int
    failing: int
    unlisted: int
    last_success: datetime | None
    hours: tuple[Hour, ...]

    @property
    def total(self) -> int:
        return self.in_step + self.failing + self.unlisted


def read_mapping_lines() -> list[MappingLine]:
    """Every mapping in the order it runs; six queries, whatever the size."""
    mappings = mappings_with_last_success()
    coupled = _by_mapping(Coupling.objects.all(), Count("pk"))
    troubled = _by_mapping(_coupled_pending(), Count("coupling", distinct=True))
    out_of_sight = _by_mapping(unlisted(), Count("pk"))
    failing = _failing()
    hours = _hours(clock.now())
    return [
        MappingLine(
            mapping=row,
            in_step=coupled[row.pk] - troubled[row.pk],
            failing=failing[row.connection_id, row.name],
            unlisted=out_of_sight[row.pk],
            last_success=row.last_success,
            hours=hours.get(row.pk, (Hour(),) * HOURS),
        )
        for row in mappings
    ]


def mappings_with_last_success() -> Iterable[Any]:
    """One query: each mapping with its connection and ``last_success``, or ``None``."""
    succeeded = Job.objects.filter(
        mapping=OuterRef("pk"), kind=JobKind.SYNC, state=JobState.SUCCEEDED
    )
    latest = succeeded.order_by("-id").values("finished_at")[:1]
    rows = TableMapping.objects.in_order().select_related("connection")
    return rows.annotate(last_success=Subquery(latest))


def job_at(moment: datetime, mapping: TableMapping, direction: str) -> int | None:
    """The job that was running then: of several that ended later, the first to end."""
    jobs = Job.objects.alias(of=_PLAIN_MAPPING).filter(
        of=mapping.pk, direction=direction, finished_at__gte=moment
    )
    ended = jobs.order_by("finished_at").values_list("pk", "started_at").first()
    if ended is None or ended[1] is None or ended[1] > moment:
        return None
    return int(ended[0])


def running_endpoints() -> list[Endpoint]:
    """Both ends of every connection that runs; two queries."""
    running = Connection.objects.filter(enabled=True, paused_at=None)
    keys = running.values_list("business_central", "sales")
    return list(Endpoint.objects.filter(pk__in={key for pair in keys for key in pair}))


def _by_mapping(rows: QuerySet[Any], figure: Count) -> Counter[int]:
    found = rows.order_by().values_list("mapping").annotate(n=figure)
    return Counter(dict(found))


def _coupled_pending() -> QuerySet[Any]:
    """Pending records that have a partner, with their coupling."""

    def coupling_of(side: str) -> Subquery:
        mine = Coupling.objects.filter(
            mapping=OuterRef("mapping"), **{side: OuterRef("record_id")}
        )
        return Subquery(mine.values("pk")[:1])

    rows = PendingRecord.objects.annotate(
        coupling=Coalesce(coupling_of("bc_id"), coupling_of("sales_id"))
    )
    return rows.filter(coupling__isnull=False)


def _failing() -> Counter[tuple[int, str]]:
    totals = ErrorTotal.objects.filter(state__in=RELEVANT_CHIPS).order_by()
    rows = totals.values_list("connection_id", "mapping_key").annotate(n=Sum("n"))
    return Counter({(connection, name): n for connection, name, n in rows})


def _hours(now: datetime) -> Mapping[int, tuple[Hour, ...]]:
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    rows = (
        Job.objects.filter(kind=JobKind.SYNC, finished_at__gte=first)
        .order_by()
        # By an index of mappings SQLite would group all that ever ran.
        .values_list(_PLAIN_MAPPING, UtcHour("finished_at"))
        .annotate(
            runs=Count("pk"),
            troubled=Count("pk", filter=Q(failed__gt=0) | Q(state=JobState.FAILED)),
        )
    )
    found: dict[int, list[Hour]] = {}
    for mapping, text, runs, troubled in rows:
        hour = datetime.fromisoformat(f"{text}:00+00:00")
        strip = found.setdefault(mapping, [Hour()] * HOURS)
        strip[int((hour - first).total_seconds()) // 3600] = Hour(runs, troubled)
    return {mapping: tuple(strip) for mapping, strip in found.items()}
