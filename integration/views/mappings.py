"""Mappings: their state, the review of the first contact, and its acceptance."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST, require_safe

from integration import tasks
from integration.choices import EntryKind, JobKind, JobState, Role
from integration.core.answers import ConflictRule, DeletionRule
from integration.forms.setup import IntervalForm, ReasonForm, RulesForm, reason_of
from integration.http import (
    RefusalTold,
    SignedInRequest,
    is_fragment,
    role_required,
)
from integration.markup import parts
from integration.markup.records import RecordSide
from integration.models import Job, JobEntry, TableMapping, User
from integration.models.jobs import ACTIVE_STATES
from integration.services import pauses, review
from integration.services.actors import Refused
from integration.services.mappings import MappingInvalid, answerable, change_rules
from integration.services.places import Place, place_of
from integration.services.schedules import change_interval
from integration.services.sentences import sentence
from integration.services.storm_status import halt_of
from integration.views.addresses import found_or_404
from integration.views.candidates import candidates_of
from integration.views.jobs import noted_of

AMBIGUOUS_SHOWN = 200
POLL_SECONDS = 3
RECENT = 10
OTHER_RULES = gettext_noop("Other rules for conflicts and deletions.")
OTHER_INTERVAL = gettext_noop("Another interval.")


@role_required(Role.VIEWER)
@require_safe
def mappings(request: SignedInRequest) -> HttpResponse:
    """Every mapping in the order it runs, with its state."""
    rows = TableMapping.objects.in_order().select_related("connection")
    context = {"section": "setup", "side": "mappings", "mappings": rows}
    return render(request, "integration/mappings/list.html", context)


def find(mapping_id: int) -> TableMapping:
    """The mapping with its connection and endpoints, or 404 in words."""
    rows = TableMapping.objects.select_related(
        "connection__business_central", "connection__sales"
    )
    return found_or_404(rows, mapping_id, _("There is no such mapping."))


@role_required(Role.VIEWER)
@require_safe
def mapping(request: SignedInRequest, mapping_id: int) -> HttpResponse:
    """State and review; while a review runs, its part of the page asks again."""
    found = find(mapping_id)
    reviews = list(found.jobs.filter(kind=JobKind.REVIEW).order_by("-id")[:2])
    context: dict[str, Any] = {
        "section": "setup",
        "side": "mappings",
        "mapping": found,
        "place": place_of(found),
        "fields": found.fields.all(),
        "recent": list(found.jobs.order_by("-id")[:RECENT]),
        "reason_form": ReasonForm(),
        "accept_form": ReasonForm(auto_id="accept_%s"),
        "interval_form": IntervalForm(found),
        **pause_context(request.user, found),
        **rules_context(found),
        "halted": halt_of(found) if found.paused_at else None,
        "poll_seconds": POLL_SECONDS,
        **review_context(found, reviews),
    }
    if is_fragment(request, "review"):
        return render(request, "integration/mappings/_review.html", context)
    return render(request, "integration/mappings/detail.html", context)


def pause_context(user: User, found: TableMapping) -> dict[str, Any]:
    """Why it is paused, and what this person may do about it."""
    by_storm = pauses.is_paused_by_storm(found)
    may_resume = user.is_operator if by_storm else user.is_administrator
    return {
        "paused_because": pauses.reason_of(found),
        "by_storm": by_storm,
        "can_pause": user.is_administrator and not found.paused_at,
        "can_resume": may_resume and found.paused_at is not None,
    }


def review_context(found: TableMapping, reviews: list[Job]) -> dict[str, Any]:
    """The latest review: running, failed, or its plan with the ambiguous records."""
    latest = reviews[0] if reviews else None
    is_running = latest is not None and latest.state in ACTIVE_STATES
    connection = found.connection
    may_run = connection.enabled and not (connection.paused_at or found.paused_at)
    planned = next((job for job in reviews if job.plan), None)
    return {
        "review": latest,
        "is_running": is_running,
        "is_awaited": latest is None and found.reviewed_at is None and may_run,
        "has_failed": latest is not None and latest.state == JobState.FAILED,
        "plan": plan_lines(planned) if planned else [],
        "ambiguous": ambiguous_records(planned, place_of(found)) if planned else [],
        "can_order": may_run and not (found.reviewed_at or is_running),
        "can_accept": planned is not None and found.reviewed_at is None,
    }


def plan_lines(job: Job) -> list[tuple[str, int, str]]:
    """What accepting would do, in the order of design §6, promise 11.

    What is listed has the address of its list; the review keeps no record of the rest.
    """
    plan = job.plan or {}
    lists = {"ambiguous": "#ambiguous"}
    if plan.get("coupled") == noted_of(job)["coupled"]:
        lists["coupled"] = f"{reverse('job', args=[job.pk])}?result=coupled#records"
    words = [
        ("coupled", _("coupled")),
        ("create_in_sales", _("to create in Sales")),
        ("create_in_business_central", _("to create in Business Central")),
        ("ambiguous", _("ambiguous")),
        ("differ", _("coupled, with values that differ")),
        ("filtered_out", _("filtered out")),
    ]
    return [
        (word, plan[name], lists.get(name, "") if plan[name] else "")
        for name, word in words
        if name in plan
    ]


def ambiguous_records(
    job: Job, place: Place
) -> list[tuple[RecordSide, list[RecordSide]]]:
    """Each record that more than one could be, with its candidates."""
    entries = JobEntry.objects.filter(
        job__run=job.run, kind=EntryKind.AMBIGUOUS
    ).order_by("id")[:AMBIGUOUS_SHOWN]
    return [candidates_of(entry, place) for entry in entries]


def rules_context(found: TableMapping) -> dict[str, Any]:
    """What the mapping answers by itself, and what it could."""
    form = RulesForm(
        initial={
            "conflict": found.update_conflict,
            "deletion": found.deletion_conflict,
        },
        auto_id="rules_%s",
    )
    can = answerable(found)
    if not can.conflicts:
        del form.fields["conflict"]
    if not can.deletions:
        del form.fields["deletion"]
    return {"rules_form": form, "can_answer": can}


@role_required(Role.ADMINISTRATOR)
@require_POST
def rules(request: SignedInRequest, mapping_id: int) -> HttpResponse:
    """Answer conflicts and deletions by other rules from the next run on."""
    found = find(mapping_id)
    sent = {
        "conflict": request.POST.get("conflict", found.update_conflict),
        "deletion": request.POST.get("deletion", found.deletion_conflict),
        "reason": request.POST.get("reason", ""),
    }
    form = RulesForm(sent)
    if not form.is_valid():
        messages.error(request, _("Choose one of the rules offered here."))
        return redirect("mapping", mapping_id)
    try:
        changed = change_rules(
            found,
            request.user,
            form.cleaned_data["reason"] or sentence(OTHER_RULES),
            ConflictRule(form.cleaned_data["conflict"]),
            DeletionRule(form.cleaned_data["deletion"]),
        )
    except (Refused, MappingInvalid) as refusal:
        messages.error(request, str(refusal))
    else:
        if changed:
            messages.success(
                request, _("The rules hold from now on; what is open is tried again.")
            )
        else:
            messages.info(request, _("These were the rules already."))
    return redirect("mapping", mapping_id)


@role_required(Role.ADMINISTRATOR)
@require_POST
def interval(request: SignedInRequest, mapping_id: int) -> HttpResponse:
    """Run so often from now on."""
    found = find(mapping_id)
    form = IntervalForm(found, request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the intervals offered here."))
        return redirect("mapping", mapping_id)
    seconds, why = form.cleaned_data["interval"], form.cleaned_data["reason"]
    why = why or sentence(OTHER_INTERVAL)
    if change_interval(found, request.user, why, seconds):
        said = _("%(mapping)s runs every %(interval)s from now on.")
        words = {"mapping": found.name, "interval": parts.interval(seconds)}
        messages.success(request, said % words)
    else:
        messages.info(request, _("It had this interval already."))
    return redirect("mapping", mapping_id)


@role_required(Role.ADMINISTRATOR)
@require_POST
def accept(request: SignedInRequest, mapping_id: int) -> HttpResponse:
    """Let writing start."""
    found = find(mapping_id)
    with RefusalTold(request):
        review.accept(found, request.user, reason_of(request.POST))
        said = _("Accepted: %(mapping)s is synchronized from now on.")
        messages.success(request, said % {"mapping": found.name})
    return redirect("mapping", mapping_id)


@role_required(Role.ADMINISTRATOR)
@require_POST
def read_again(request: SignedInRequest, mapping_id: int) -> HttpResponse:
    """Let workers make the review, or make it once more; the page follows them."""
    with RefusalTold(request):
        run = review.order(find(mapping_id), request.user)
        transaction.on_commit(lambda: tasks.announce_runs([run]))
    return redirect("mapping", mapping_id)


@role_required(Role.ADMINISTRATOR)
@require_POST
def pause(request: SignedInRequest, mapping_id: int) -> HttpResponse:
    """Try nothing more of it until an administrator resumes it."""
    found = find(mapping_id)
    if pauses.pause_mapping(found, request.user, reason_of(request.POST)):
        said = _("%(mapping)s is paused until an administrator resumes it.")
        messages.success(request, said % {"mapping": found.name})
    else:
        said = _("%(mapping)s was paused already.")
        messages.info(request, said % {"mapping": found.name})
    return redirect("mapping", mapping_id)


@role_required(Role.OPERATOR)
@require_POST
def resume(request: SignedInRequest, mapping_id: int) -> HttpResponse:
    """Go on; after a storm with ten records first."""
    found = find(mapping_id)
    with RefusalTold(request):
        run = pauses.resume_mapping(found, request.user, reason_of(request.POST))
        said = _("%(mapping)s goes on.")
        if run:
            transaction.on_commit(lambda: tasks.announce_runs([run]))
            said = _("Ten records are tried; if one passes, %(mapping)s goes on.")
        messages.success(request, said % {"mapping": found.name})
    return redirect("mapping", mapping_id)
