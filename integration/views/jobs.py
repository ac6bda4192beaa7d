"""Jobs: what ran, with its counts, and what it says of single records."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_safe

from integration.choices import JobState, Role
from integration.http import SignedInRequest, role_required
from integration.models import Job
from integration.models.jobs import COUNTS
from integration.services.paging import newest_first
from integration.views.addresses import chosen, say_dropped, whole_number

ENTRIES = 200
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
    page = newest_first(
        found,
        whole_number(request.GET, "after", dropped),
        whole_number(request.GET, "before", dropped),
    )
    say_dropped(request, dropped)
    context = {
        "section": "jobs",
        "page": page,
        "states": STATES,
        "state": state,
        "is_filtered": bool(state or mapping is not None),
    }
    return render(request, "integration/jobs/list.html", context)


@role_required(Role.VIEWER)
@require_safe
def job(request: SignedInRequest, job_id: int) -> HttpResponse:
    """Its counts, what it read, and the records it has something to say about."""
    found = Job.objects.select_related("mapping__connection").filter(pk=job_id).first()
    if found is None:
        raise Http404(_("There is no such job; it may have been removed."))
    entries = list(found.entries.all()[: ENTRIES + 1])
    context: dict[str, Any] = {
        "section": "jobs",
        "job": found,
        "counts": counts_of(found),
        "entries": entries[:ENTRIES],
        "has_more": len(entries) > ENTRIES,
    }
    return render(request, "integration/jobs/detail.html", context)


def counts_of(job: Job) -> list[tuple[str, int]]:
    """The endings of its records; they add up to what it judged."""
    words = {
        "inserted": _("created"),
        "modified": _("changed"),
        "unchanged": _("unchanged"),
        "skipped": _("skipped"),
        "failed": _("failed"),
        "deleted": _("deleted"),
        "coupled": _("coupled"),
        "uncoupled": _("uncoupled"),
        "filtered_out": _("filtered out"),
    }
    return [(words[name], getattr(job, name)) for name in COUNTS]
