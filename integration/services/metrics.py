"""The figures of the pages for Prometheus, read at each scrape.

Every figure comes from a roll-up, an index or a small table; none reads the table of
errors, whatever its size.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import CharField, Count, Q, QuerySet, Sum
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from integration import clock
from integration.models import Connection, ErrorTotal, Job, PendingRecord
from integration.models.dialect import Unindexed
from integration.models.errors import RELEVANT_CHIPS
from integration.models.jobs import ACTIVE_STATES
from integration.services.overview import mappings_with_last_success

DAY = timedelta(days=1)


class Figures(Collector):
    """Seven queries; labels are names of connections and mappings, and stored words."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        totals = ErrorTotal.objects.order_by()
        relevant = totals.filter(state__in=RELEVANT_CHIPS)
        who = {"connection": "connection__name", "who": "problem__who"}
        yield _counted(
            "syncerrors_errors",
            "Visible errors, as the chips of the list count them.",
            {**who, "mapping": "mapping_key", "state": "state"},
            totals,
            Sum("n"),
        )
        yield _counted(
            "syncerrors_problems",
            "Causes with errors that are not solved.",
            who,
            relevant,
            Count("problem", distinct=True),
        )
        yield from _jobs()
        yield _pending()
        yield from _connections()
        yield _ages()


def exposition() -> bytes:
    """All figures as they are now, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    return generate_latest(registry)


def _counted(
    name: str, words: str, labels: dict[str, str], rows: QuerySet[Any], figure: Any
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=list(labels))
    for *values, n in rows.values_list(*labels.values()).annotate(figure=figure):
        family.add_metric([str(value) for value in values], n)
    return family


def _jobs() -> Iterator[GaugeMetricFamily]:
    by_state = {"state": "state"}
    jobs = Job.objects.order_by()
    active = jobs.filter(state__in=ACTIVE_STATES)
    words = "Jobs that wait or run."
    yield _counted("syncerrors_jobs", words, by_state, active, Count("pk"))
    words = "Jobs that ended in the last 24 hours."
    ended = jobs.filter(finished_at__gt=clock.now() - DAY)
    # By the index of states SQLite would group all that ever ended.
    ended = ended.annotate(ending=Unindexed("state", output_field=CharField()))
    by_ending = {"state": "ending"}
    yield _counted("syncerrors_jobs_ended", words, by_ending, ended, Count("pk"))


def _pending() -> GaugeMetricFamily:
    """What is tried again, by when: at its time, when another arrives, or never."""
    labels = ["connection", "mapping", "kind"]
    words = "Records out of step that are tried again, or no more (skipped)."
    family = GaugeMetricFamily("syncerrors_pending_records", words, labels=labels)
    kinds = {
        "due": Count("pk", filter=Q(next_attempt_at__isnull=False)),
        "waiting": Count("pk", filter=~Q(waits_for="")),
        "skipped": Count("pk", filter=Q(skipped_at__isnull=False)),
    }
    names = ("mapping__connection__name", "mapping__name")
    rows = PendingRecord.objects.order_by().values(*names).annotate(**kinds)
    for row in rows:
        for kind in kinds:
            family.add_metric([*(row[name] for name in names), kind], row[kind])
    return family


def _connections() -> Iterator[GaugeMetricFamily]:
    enabled = GaugeMetricFamily(
        "syncerrors_connection_enabled", "1: it may run.", labels=["connection"]
    )
    paused = GaugeMetricFamily(
        "syncerrors_connection_paused", "1: it is paused.", labels=["connection"]
    )
    for one in Connection.objects.all():
        enabled.add_metric([one.name], one.enabled)
        paused.add_metric([one.name], one.paused_at is not None)
    yield from (enabled, paused)


def _ages() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "syncerrors_last_success_age_seconds",
        "Since the last run of a mapping that came to its end.",
        labels=["connection", "mapping"],
    )
    now = clock.now()
    for row in mappings_with_last_success():
        if row.last_success:
            age = (now - row.last_success).total_seconds()
            family.add_metric([row.connection.name, row.name], age)
    return family
