"""Connections: their state, their check, a new secret or password."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Role
from integration.forms.setup import ReasonForm, SecretForm, reason_of
from integration.http import SignedInRequest, role_required, safe_next
from integration.models import Connection, Endpoint
from integration.services import connections as services
from integration.services import pauses
from integration.services.status import open_setup_errors
from integration.views.addresses import found_or_404
from integration.views.check import every, last_examined, tell


def find(connection_id: int) -> Connection:
    """The connection with both endpoints, or 404 in words."""
    return found_or_404(every(), connection_id, _("There is no such connection."))


@role_required(Role.VIEWER)
@require_safe
def connections(request: SignedInRequest) -> HttpResponse:
    """Each with both systems and its state."""
    context = {"section": "setup", "side": "connections", "connections": every()}
    return render(request, "integration/connections/list.html", context)


@role_required(Role.VIEWER)
@require_safe
def connection(request: SignedInRequest, connection_id: int) -> HttpResponse:
    """State, the last check, open set-up errors, and what an administrator may do."""
    found = find(connection_id)
    endpoints = [
        (endpoint, SecretForm(endpoint))
        for endpoint in (found.business_central, found.sales)
    ]
    context: dict[str, Any] = {
        "section": "setup",
        "side": "connections",
        "connection": found,
        "paused_because": pauses.reason_of(found),
        "endpoints": endpoints,
        "one": last_examined(found),
        "errors": open_setup_errors(found.pk, get_language() or "en"),
        "reason_form": ReasonForm(),
        "is_paused_by_failure": pauses.is_paused_by_failure(found),
        "mappings": found.mappings.in_order(),
    }
    return render(request, "integration/connections/detail.html", context)


@role_required(Role.ADMINISTRATOR)
@require_POST
def check(request: SignedInRequest, connection_id: int) -> HttpResponse:
    """Ask both systems now."""
    tell(request, services.check_connection(find(connection_id), request.user))
    back = reverse("connection", args=[connection_id])
    return HttpResponseRedirect(safe_next(request, back))


@role_required(Role.ADMINISTRATOR)
@require_POST
def enable(request: SignedInRequest, connection_id: int) -> HttpResponse:
    """Check, then let it run; refused with the check's lines if it is not fit."""
    try:
        result = services.enable(
            find(connection_id), request.user, reason_of(request.POST)
        )
    except services.NotFit as refusal:
        tell(request, refusal.result)
    else:
        tell(request, result)
        messages.success(request, _("The connection is enabled."))
    return redirect("connection", connection_id)


@role_required(Role.ADMINISTRATOR)
@require_POST
def pause(request: SignedInRequest, connection_id: int) -> HttpResponse:
    """Start no further run until somebody resumes it; one on its way ends."""
    found = find(connection_id)
    if pauses.pause(found, request.user, reason_of(request.POST)):
        messages.success(
            request, _("The connection is paused until somebody resumes it.")
        )
    else:
        messages.info(request, _("The connection was paused already."))
    return redirect("connection", connection_id)


@role_required(Role.ADMINISTRATOR)
@require_POST
def resume(request: SignedInRequest, connection_id: int) -> HttpResponse:
    """Go on after a pause; what a failure paused, only a passed check resumes."""
    found, reason = find(connection_id), reason_of(request.POST)
    if pauses.is_paused_by_failure(found):
        tell(request, services.check_connection(found, request.user, reason))
    elif pauses.resume(found, request.user, reason):
        messages.success(request, _("The connection goes on; every mapping runs now."))
    else:
        messages.info(request, _("The connection was not paused."))
    return redirect("connection", connection_id)


@role_required(Role.ADMINISTRATOR)
@require_POST
@sensitive_post_parameters()
def secret(
    request: SignedInRequest, connection_id: int, endpoint_id: int
) -> HttpResponse:
    """Keep a new secret or password, encrypted, and check it at once."""
    found = find(connection_id)
    endpoint = endpoint_of(found, endpoint_id)
    form = SecretForm(endpoint, request.POST)
    if not form.is_valid():
        wrong = "expires" in form.errors
        messages.error(
            request,
            _("Nothing was saved: this is no day on which a secret ends.")
            if wrong
            else _("Nothing was saved: enter the new secret."),
        )
        return redirect("connection", connection_id)
    results = services.save_secret(
        endpoint,
        form.cleaned_data["secret"],
        request.user,
        form.cleaned_data["reason"],
        form.moment(),
    )
    for result in results:
        if result.connection.pk == found.pk:
            tell(request, result)
    return redirect("connection", connection_id)


def endpoint_of(connection: Connection, endpoint_id: int) -> Endpoint:
    """One of the connection's two endpoints, or 404 in words."""
    for endpoint in (connection.business_central, connection.sales):
        if endpoint.pk == endpoint_id:
            return endpoint
    raise Http404(_("There is no such connection."))
