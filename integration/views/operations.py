"""Operations: who did what, why, to which rows, and the way back."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from integration.choices import OperationKind, OperationState, Role
from integration.forms.setup import ReasonForm, reason_of
from integration.http import RefusalTold, SignedInRequest, role_required, safe_next
from integration.markup.parts import number
from integration.models import Operation
from integration.services import retry
from integration.services.error_filters import parse_filter
from integration.services.handling import HANDLING
from integration.services.handling_of_many import cancel_handling
from integration.services.operations import by_colleagues, recent_operations
from integration.services.undo import undo as undo_operation
from integration.views.addresses import (
    chosen,
    found_or_404,
    page_asked,
    say_dropped,
)
from integration.views.retries import may_undo, result
from integration.views.wording import result_lines, scope_lines, scope_summary


@role_required(Role.VIEWER)
@require_safe
def operations(request: SignedInRequest) -> HttpResponse:
    """Newest first."""
    dropped: list[str] = []
    kind = chosen(request.GET, "kind", OperationKind.values, dropped)
    since = colleagues_since(request.GET, dropped)
    found = by_colleagues(request.user, since) if since else recent_operations()
    if kind:
        found = found.filter(kind=kind)
    page = page_asked(request.GET, found, dropped)
    say_dropped(request, dropped)
    language = get_language() or "en"
    context = {
        "section": "setup",
        "side": "operations",
        "page": page,
        "rows": [(one, scope_summary(one, language)) for one in page.rows],
        "kinds": OperationKind.choices,
        "kind": kind,
        "colleagues_since": since,
    }
    return render(request, "integration/operations/list.html", context)


def colleagues_since(query: QueryDict, dropped: list[str]) -> datetime | None:
    """What others did from a moment on: ``by=colleagues&from=…``, both or neither."""
    by = chosen(query, "by", ["colleagues"], dropped)
    filters, not_read = parse_filter({"from": query.get("from", "")})
    if not_read or bool(by) != bool(filters.since):
        dropped += ["by", "from"]
        return None
    return filters.since


def find(operation_id: int) -> Operation:
    """The operation, or 404 in words."""
    rows = Operation.objects.select_related("by")
    return found_or_404(rows, operation_id, _("There is no such operation."))


@role_required(Role.VIEWER)
@require_safe
def operation(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """Who, why, exact scope, result, Undo."""
    found = find(operation_id)
    if found.state == OperationState.PREPARED:
        page = "retry" if found.kind == OperationKind.RETRY else "handling"
        return redirect(page, found.pk)
    if found.kind == OperationKind.RETRY or found.items.exists():
        return result(request, found)
    context: dict[str, Any] = {
        "section": "setup",
        "side": "operations",
        "operation": found,
        "scope": scope_lines(found, get_language() or "en"),
        "result": result_lines(found),
        "can_undo": may_undo(request.user, found),
        "is_moving": found.kind == OperationKind.TEACH
        and found.state == OperationState.RUNNING,
        "reason_form": ReasonForm(),
    }
    return render(request, "integration/operations/detail.html", context)


@role_required(Role.OPERATOR)
@require_POST
def cancel(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """Leave what was not begun as it is."""
    found = find(operation_id)
    stop = cancel_handling if found.kind in HANDLING else retry.cancel
    with RefusalTold(request):
        stop(found, request.user)
        messages.success(request, _("Cancelled: what was not begun stays as it was."))
    return redirect("operation", operation_id)


@role_required(Role.OPERATOR)
@require_POST
def undo(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """Take back a clean-up (administrators), or what was ignored or resolved."""
    found = find(operation_id)
    back = safe_next(request, reverse("operation", args=[operation_id]))
    with RefusalTold(request):
        done = undo_operation(found, request.user, reason_of(request.POST))
        messages.success(request, restored_words(done))
    return HttpResponseRedirect(back)


def restored_words(operation: Operation) -> str:
    """How many came back, and how many another deletion still hides."""
    restored = operation.result.get("restored", operation.rows)
    said = ngettext("%(n)s entry is back.", "%(n)s entries are back.", restored) % {
        "n": number(restored)
    }
    changed = operation.result.get("changed_since", 0)
    if changed:
        said += " " + ngettext(
            "%(n)s has changed since and stays as it is.",
            "%(n)s have changed since and stay as they are.",
            changed,
        ) % {"n": number(changed)}
    hidden = operation.result.get("still_hidden", 0)
    if not hidden:
        return said
    return f"{said} " + ngettext(
        "%(n)s stays hidden by another deletion.",
        "%(n)s stay hidden by another deletion.",
        hidden,
    ) % {"n": number(hidden)}
