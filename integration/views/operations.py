"""Operations: who did what, why, to which rows, and the way back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from integration.choices import OperationKind, Role
from integration.http import SignedInRequest, role_required
from integration.models import Operation
from integration.services import cleanup
from integration.services.operations import recent_operations
from integration.services.paging import newest_first
from integration.tables.operations import OperationTable
from integration.views.addresses import chosen, say_dropped, whole_number
from integration.views.wording import result_lines, scope_lines

__all__ = ["operation", "operations", "undo"]


@require_safe
@role_required(Role.VIEWER)
def operations(request: SignedInRequest) -> HttpResponse:
    """Newest first."""
    dropped: list[str] = []
    kind = chosen(request.GET, "kind", OperationKind.values, dropped)
    found = recent_operations()
    if kind:
        found = found.filter(kind=kind)
    page = newest_first(
        found,
        whole_number(request.GET, "after", dropped),
        whole_number(request.GET, "before", dropped),
    )
    say_dropped(request, dropped)
    context = {
        "section": "setup",
        "page_name": "operations",
        "page": page,
        "table": OperationTable(page.rows),
        "kinds": OperationKind.choices,
        "kind": kind,
    }
    return render(request, "integration/operations/list.html", context)


def find(operation_id: int) -> Operation:
    """The operation, or 404 in words."""
    found = Operation.objects.select_related("by").filter(pk=operation_id).first()
    if found is None:
        raise Http404(_("There is no such operation."))
    return found


@require_safe
@role_required(Role.VIEWER)
def operation(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """Who, why, exact scope, result, Undo."""
    found = find(operation_id)
    context: dict[str, Any] = {
        "section": "setup",
        "page_name": "operations",
        "operation": found,
        "scope": scope_lines(found),
        "result": result_lines(found),
        "can_undo": request.user.is_administrator and cleanup.can_undo(found),
    }
    return render(request, "integration/operations/detail.html", context)


@require_POST
@role_required(Role.ADMINISTRATOR)
def undo(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """Take a clean-up back."""
    found = find(operation_id)
    cleanup.undo(found, request.user)
    messages.success(request, _("The deletion was taken back."))
    return redirect("operation", operation_id)
