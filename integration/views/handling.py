"""Entries that a person ignores, opens again or resolves: some, or all of a list."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from integration import tasks
from integration.choices import OperationKind, OperationState, Role
from integration.core.texts import read_number
from integration.forms.handling import IgnoreForm
from integration.forms.setup import ReasonForm, reason_of
from integration.http import RefusalTold, SignedInRequest, role_required, safe_next
from integration.models import Operation
from integration.services import handling
from integration.services.error_filters import parse_filter
from integration.services.handling import HANDLING
from integration.services.handling_of_many import (
    confirm_handling,
    count_ready,
    prepare_handling,
)
from integration.services.retry_preview import prepared_for
from integration.views.addresses import read_words, say_dropped
from integration.views.wording import query_words

DONE = "done"
"""The session's key of the operation that the next page tells of, with its Undo."""


def selected(request: SignedInRequest) -> list[int]:
    """The chosen entries; nonsense among them is left out."""
    return [key for key in map(read_number, request.POST.getlist("entry")) if key]


def act_on_selected(
    request: SignedInRequest, act: Callable[[list[int]], Operation]
) -> HttpResponse:
    """Carry it out and go back to where the person was, with Undo or a sentence."""
    keys = selected(request)
    if not keys:
        messages.warning(request, _("Nothing was selected."))
    else:
        with RefusalTold(request):
            request.session[DONE] = act(keys).pk
    return HttpResponseRedirect(safe_next(request, reverse("errors")))


def act_on_all(request: SignedInRequest, kind: OperationKind) -> HttpResponse:
    """All that match the address: chosen now, and shown before anything changes."""
    filters, dropped = parse_filter(read_words(request.GET))
    say_dropped(request, dropped)
    with RefusalTold(request):
        prepared = prepare_handling(kind, filters, request.user)
        return redirect("handling", prepared.pk)
    return HttpResponseRedirect(safe_next(request, reverse("errors")))


@role_required(Role.OPERATOR)
@never_cache
@require_safe
def preview(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """How many entries would be ignored or resolved; asked for by a button."""
    prepared = prepared_for(operation_id, request.user, HANDLING)
    if prepared is None:
        if Operation.objects.filter(pk=operation_id, kind__in=HANDLING).exclude(
            state=OperationState.PREPARED
        ):
            return redirect("operation", operation_id)
        raise Http404(_("There is no such choice; it may be older than an hour."))
    ready = count_ready(prepared)
    query = prepared.scope["query"]
    ignores = prepared.kind == OperationKind.IGNORE
    context = {
        "section": "errors",
        "operation": prepared,
        "ready": ready,
        "left_out": prepared.rows - ready,
        "ignores": ignores,
        "words": query_words(query, get_language() or "en"),
        "query": urlencode(query),
        "form": IgnoreForm() if ignores else ReasonForm(),
    }
    return render(request, "integration/operations/handling_preview.html", context)


@role_required(Role.OPERATOR)
@require_POST
def start(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """Ignore or resolve exactly what the page showed."""
    form = IgnoreForm(request.POST)
    if not form.is_valid():
        say_no_day(request)
        return redirect("handling", operation_id)
    with RefusalTold(request):
        operation = confirm_handling(
            operation_id, request.user, form.cleaned_data["reason"], form.moment()
        )
        transaction.on_commit(lambda: tasks.announce_handling(operation))
        return redirect("operation", operation.pk)
    return redirect("errors")


def say_no_day(request: SignedInRequest) -> None:
    said = _("This is no day: “%(text)s”.")
    messages.error(request, said % {"text": request.POST.get("until", "")[:40]})


def take_done(request: SignedInRequest) -> Operation | None:
    """What this page tells of: once, unless it has been undone before."""
    key = request.session.pop(DONE, None)
    if key is None:
        return None
    return Operation.objects.exclude(state=OperationState.UNDONE).filter(pk=key).first()


@role_required(Role.OPERATOR)
@require_POST
def ignore(request: SignedInRequest) -> HttpResponse:
    """Out of the open ones until a day, or until the cause grows."""
    if request.POST.get("do") == "all":
        return act_on_all(request, OperationKind.IGNORE)
    form = IgnoreForm(request.POST)
    if not form.is_valid():
        say_no_day(request)
        return HttpResponseRedirect(safe_next(request, reverse("errors")))
    return act_on_selected(
        request,
        lambda keys: handling.ignore_errors(
            keys, request.user, form.moment(), form.cleaned_data["reason"]
        ),
    )


@role_required(Role.OPERATOR)
@require_POST
def reopen(request: SignedInRequest) -> HttpResponse:
    """Ignored no longer."""
    return act_on_selected(
        request,
        lambda keys: handling.reopen_errors(
            keys, request.user, reason_of(request.POST)
        ),
    )


@role_required(Role.OPERATOR)
@require_POST
def resolve(request: SignedInRequest) -> HttpResponse:
    """Settled by a person's hand; it comes back if it fails again."""
    if request.POST.get("do") == "all":
        return act_on_all(request, OperationKind.RESOLVE)
    return act_on_selected(
        request,
        lambda keys: handling.resolve_errors(
            keys, request.user, reason_of(request.POST)
        ),
    )
