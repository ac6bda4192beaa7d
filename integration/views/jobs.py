"""Jobs: what ran, with its counts, and what it says of single records."""

from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from integration.choices import EntryKind, JobState, Role
from integration.http import SignedInRequest, role_required
from integration.models import Job, JobEntry, Operation, SyncError
from integration.models.jobs import COUNTS
from integration.views.addresses import (
    chosen,
    found_or_404,
    page_asked,
    say_dropped,
    whole_number,
)
from integration.views.couplings import mapping_chips

STATES = (
    (JobState.QUEUED.value, pgettext_lazy("jobs", "Queued")),
    (JobState.RUNNING.value, pgettext_lazy("jobs", "Running")),
    (JobState.SUCCEEDED.value, pgettext_lazy("jobs", "Finished")),
    (JobState.FAILED.value, pgettext_lazy("jobs", "Could not run")),
)
"""Of several: what ``choices`` says is of one."""


@role_required(Role.VIEWER)
@require_safe
def jobs(request: SignedInRequest) -> HttpResponse:
    """Newest first, by state and mapping."""
    dropped: list[str] = []
    state = chosen(request.GET, "state", JobState.values, dropped)
    mapping = whole_number(request.GET, "mapping", dropped)
    found = Job.objects.select_related("mapping__connection")
    if state:
        found = found.filter(state=state)
    if mapping is not None:
        found = found.filter(mapping=mapping)
    page = page_asked(request.GET, found, dropped)
    say_dropped(request, dropped)
    context = {
        "section": "jobs",
        "page": page,
        "states": STATES,
        "state": state,
        "mappings": mapping_chips(),
        "mapping": str(mapping) if mapping is not None else "",
        "is_filtered": bool(state or mapping is not None),
    }
    return render(request, "integration/jobs/list.html", context)


@role_required(Role.VIEWER)
@require_safe
def job(request: SignedInRequest, job_id: int) -> HttpResponse:
    """Its counts, what it read, and the records it has something to say about.

    ``?result=failed`` are those that a count counts.
    """
    rows = Job.objects.select_related("mapping__connection")
    gone = _("There is no such job; it may have been removed.")
    found = found_or_404(rows, job_id, gone)
    dropped: list[str] = []
    result = chosen(request.GET, "result", NOTED, dropped)
    entries = found.entries.filter(kind__in=NOTED[result]) if result else found.entries
    page = page_asked(request.GET, entries.all(), dropped)
    say_dropped(request, dropped)
    errors = errors_of(found, page.rows)
    context: dict[str, Any] = {
        "section": "jobs",
        "job": found,
        "counts": counts_of(found),
        "page": page,
        "entries": [(one, errors.get(one.pk)) for one in page.rows],
        "result": result and WORDS[result],
    }
    return render(request, "integration/jobs/detail.html", context)


WORDS = {
    "inserted": gettext_lazy("created"),
    "modified": gettext_lazy("changed"),
    "unchanged": gettext_lazy("unchanged"),
    "skipped": gettext_lazy("skipped"),
    "failed": gettext_lazy("failed"),
    "deleted": gettext_lazy("deleted"),
    "coupled": gettext_lazy("coupled"),
    "uncoupled": gettext_lazy("uncoupled"),
    "filtered_out": gettext_lazy("filtered out"),
}
NOTED: dict[str, tuple[EntryKind, ...]] = {
    "inserted": (EntryKind.CREATED,),
    "skipped": (EntryKind.SKIPPED,),
    "failed": (EntryKind.FAILED, EntryKind.CONFLICT),
    "deleted": (EntryKind.DELETED,),
    "coupled": (EntryKind.COUPLED,),
    "uncoupled": (EntryKind.UNCOUPLED,),
}
"""The entries of each ending; of the others a job keeps none."""


def counts_of(job: Job) -> list[tuple[str, int, str]]:
    """The endings of its records; they add up to what it judged.

    Each leads to its entries, unless they are not as many: what is left alone once more
    is only counted, and entries are removed in time.
    """
    noted = noted_of(job)
    return [
        (str(WORDS[name]), n, f"?result={name}" if n and n == noted.get(name) else "")
        for name in COUNTS
        for n in [getattr(job, name)]
    ]


def noted_of(job: Job) -> dict[str, int]:
    """How many entries a job has of each ending; one query."""
    kinds = job.entries.order_by().values_list("kind").annotate(Count("pk"))
    found = dict(kinds)
    return {name: sum(found.get(kind, 0) for kind in NOTED[name]) for name in NOTED}


def errors_of(job: Job, entries: list[JobEntry]) -> dict[int, int]:
    """The latest error in sight of each entry of a record that failed; one query."""
    failed = [one for one in entries if one.kind in NOTED["failed"]]
    keys = {key for one in failed for key in (one.bc_id, one.sales_id) if key}
    rows = SyncError.objects.visible(Operation.objects.cuts()).of_mapping(job.mapping)
    rows = rows.filter(record_key__in=keys)
    latest = dict(rows.order_by("last_seen", "pk").values_list("record_key", "pk"))
    return {
        one.pk: latest[key]
        for one in failed
        for key in (one.bc_id, one.sales_id)
        if key in latest
    }
