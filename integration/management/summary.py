"""The figures of ``quickstart --check`` (design §10), from the rows the engine left."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Sum

from integration.choices import ErrorState
from integration.management.browser import OpenedPage
from integration.models import Connection, Coupling, Job, SyncError


@dataclass(frozen=True, slots=True)
class Summary:
    """``read``: records in the answers to list and delta reads of mapped entities.

    ``written``: records created or changed on both sides. ``errors_by_problem``: open
    rows, waiting ones included, by English title.
    """

    read: int
    written: int
    couplings: int
    errors_by_problem: dict[str, int]
    pages: list[dict[str, Any]]


def summarize(pages: Iterable[OpenedPage]) -> Summary:
    """Call it when nothing runs any more."""
    outside = Connection.objects.aggregate(read=Sum("records_fetched", default=0))
    totals = Job.objects.aggregate(
        read=Sum("records_fetched"), written=Sum(F("inserted") + F("modified"))
    )
    open_rows = SyncError.objects.filter(state=ErrorState.OPEN)
    by_title = open_rows.values("problem__title").annotate(rows=Count("pk"))
    return Summary(
        read=(totals["read"] or 0) + outside["read"],
        written=totals["written"] or 0,
        couplings=Coupling.objects.count(),
        errors_by_problem={
            row["problem__title"]: row["rows"]
            for row in by_title.order_by("-rows", "problem__title")
        },
        pages=[
            {"url": page.url, "status": page.status, "ms": page.ms, "bytes": page.bytes}
            for page in pages
        ],
    )
