"""Entries that a person ignores or resolves by hand, one or the selected ones."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from integration.choices import Role
from integration.core.texts import read_number
from integration.forms.handling import IgnoreForm
from integration.forms.setup import reason_of
from integration.http import SignedInRequest, role_required, safe_next
from integration.models import Operation
from integration.services import handling
from integration.services.actors import Refused

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
        try:
            request.session[DONE] = act(keys).pk
        except Refused as refusal:
            messages.error(request, str(refusal))
    return HttpResponseRedirect(safe_next(request, reverse("errors")))


def take_done(request: SignedInRequest) -> Operation | None:
    """What this page tells of: once."""
    key = request.session.pop(DONE, None)
    return Operation.objects.filter(pk=key).first() if key else None


@role_required(Role.OPERATOR)
@require_POST
def ignore(request: SignedInRequest) -> HttpResponse:
    """Out of the open ones until a day, or until the cause grows."""
    form = IgnoreForm(request.POST)
    if not form.is_valid():
        messages.error(
            request,
            _("This is no day: “%(text)s”.")
            % {"text": request.POST.get("until", "")[:40]},
        )
        return HttpResponseRedirect(safe_next(request, reverse("errors")))
    return act_on_selected(
        request,
        lambda keys: handling.ignore_errors(
            keys, request.user, form.moment(), form.cleaned_data["reason"]
        ),
    )


@role_required(Role.OPERATOR)
@require_POST
def resolve(request: SignedInRequest) -> HttpResponse:
    """Settled by a person's hand; it comes back if it fails again."""
    return act_on_selected(
        request,
        lambda keys: handling.resolve_errors(
            keys, request.user, reason_of(request.POST)
        ),
    )
