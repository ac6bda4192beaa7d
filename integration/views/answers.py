"""What a person answers to a conflict or a deletion: a plan first, then only that."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from integration import tasks
from integration.choices import Role, System
from integration.forms.setup import ReasonForm, reason_of
from integration.http import RefusalTold, SignedInRequest, role_required
from integration.markup.parts import number
from integration.services.actors import Refused
from integration.services.answer_plans import (
    Plan,
    PlanRow,
    Take,
    plan,
)
from integration.services.answering import give_answer, run_of, to_type
from integration.views.errors import find
from integration.views.listings import Listing, read_listing

FIELD = "field-"


TITLES: dict[Take, Callable[[], str]] = {
    Take.BUSINESS_CENTRAL: lambda: _("Take Business Central's values"),
    Take.SALES: lambda: _("Take Sales' values"),
    Take.FIELDS: lambda: _("Choose field by field"),
    Take.RESTORE: lambda: _("Restore the deleted record"),
    Take.UNCOUPLE: lambda: _("Remove the coupling"),
    Take.DELETE: lambda: _("Delete the other record, too"),
}


@role_required(Role.OPERATOR)
@never_cache
@require_safe
def answer_plan(request: SignedInRequest, error_id: int) -> HttpResponse:
    """Which field of which record gets which value, read from both systems now."""
    error = find(error_id)
    listing = read_listing(request.GET)
    back = page_of(error_id, listing)
    chosen = {
        name.removeprefix(FIELD): str(value)
        for name, value in request.GET.items()
        if name.startswith(FIELD)
    }
    try:
        take = Take(request.GET.get("take", ""))
    except ValueError:
        messages.warning(request, _("Choose one of the answers offered here."))
        return redirect(back)
    try:
        found = plan(error, take, request.user, chosen)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(back)
    context: dict[str, Any] = {
        "section": "errors",
        "error": error,
        "listing": listing,
        "back": back,
        "plan": found,
        "title": title(found),
        "is_choosing": take is Take.FIELDS and not chosen,
        "consequences": consequences(found),
        "button": button(found),
        "is_danger": is_danger(found),
        "typed": to_type(found.coupling) if take is Take.DELETE else "",
        "reason_form": ReasonForm(),
    }
    return render(request, "integration/errors/answer.html", context)


def page_of(error_id: int, listing: Listing) -> str:
    """The error's page, in the list that the person came from."""
    query = listing.query()
    return f"{reverse('error', args=[error_id])}{'?' if query else ''}{query}"


def title(found: Plan) -> str:
    """What is done, if not what was asked for: somebody has done that already."""
    return _("Couple what was entered again") if found.instead else TITLES[found.take]()


def consequences(found: Plan) -> list[str]:
    """What doing it means, in sentences."""
    left = str(System(found.left).label) if found.left else ""
    gone = str(System(found.left.other).label) if found.left else ""
    systems = {"left": left, "gone": gone}
    if found.instead:
        return [
            _(
                "%(record)s has its number in %(gone)s by now: both are coupled, and "
                "no record is created."
            )
            % {**systems, "record": found.instead.label},
            *overwritten(found),
        ]
    if found.take is Take.RESTORE:
        return [
            _(
                "The record is created again in %(gone)s from its values in %(left)s, "
                "and both are coupled. Only the fields shown come back."
            )
            % systems,
            _(
                "Where a record without partner in %(gone)s has the same number by "
                "then, or the same name and post code or e-mail, it is coupled instead "
                "of a new one being created."
            )
            % systems,
        ]
    if found.take is Take.UNCOUPLE:
        return [
            _(
                "Nothing is written or deleted in either system: the record in "
                "%(left)s stays what it is."
            )
            % systems,
            _(
                "It is left alone from now on, and stands among the skipped ones: no "
                "partner is created for it until it changes, its mapping is changed, "
                "or someone retries it."
            ),
        ]
    if found.take is Take.DELETE:
        return [
            _(
                "The record is deleted in %(left)s. It cannot be brought back from "
                "here; what it holds now is shown below."
            )
            % systems
        ]
    return [*overwritten(found)]


def is_danger(found: Plan) -> bool:
    """Whether something is lost that cannot be brought back from here."""
    if found.instead:
        return bool(found.rows)
    return found.take not in {Take.RESTORE, Take.UNCOUPLE}


def overwritten(found: Plan) -> list[str]:
    """How many fields of which record, and what is lost by it."""
    said: list[str] = []
    for side in System:
        rows = [row for row in found.rows if row.written == side.value]
        if rows:
            said.append(
                ngettext(
                    "%(n)s field is overwritten in %(system)s.",
                    "%(n)s fields are overwritten in %(system)s.",
                    len(rows),
                )
                % {"n": number(len(rows)), "system": side.label}
            )
    if said:
        lost = _("What stands there now is lost; it cannot be brought back from here.")
        said.append(lost)
    return said


def button(found: Plan) -> str:
    """The verb, with what it is done to."""
    if found.instead:
        return _("Couple both")
    if found.left:
        systems = {
            "left": System(found.left).label,
            "gone": System(found.left.other).label,
        }
        words = {
            Take.RESTORE: _("Restore in %(gone)s"),
            Take.DELETE: _("Delete in %(left)s"),
            Take.UNCOUPLE: _("Remove coupling"),
        }
        return words[found.take] % systems
    written: list[PlanRow] = [row for row in found.rows if row.written]
    return ngettext("Overwrite %(n)s field", "Overwrite %(n)s fields", len(written)) % {
        "n": number(len(written))
    }


@role_required(Role.OPERATOR)
@require_POST
def give(request: SignedInRequest, error_id: int) -> HttpResponse:
    """Do what the plan showed; the error's page follows it."""
    error = find(error_id)
    back = page_of(error_id, read_listing(request.GET))
    with RefusalTold(request):
        operation = give_answer(
            request.POST.get("token", ""),
            error,
            request.user,
            typed=request.POST.get("typed", ""),
            reason=reason_of(request.POST),
        )
        run = run_of(operation)
        if run is not None:
            transaction.on_commit(lambda: tasks.announce_runs([run]))
        said = _("It is being carried out; the result will stand in its history.")
        messages.success(request, said)
    return HttpResponseRedirect(back)
