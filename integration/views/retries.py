"""Retry: of one record, of a selection, of all that match; and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, ngettext, npgettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from integration import tasks
from integration.choices import ItemOutcome, OperationKind, OperationState, Role
from integration.forms.setup import ReasonForm, reason_of
from integration.http import RefusalTold, SignedInRequest, role_required, safe_next
from integration.markup.parts import number
from integration.models import (
    Connection,
    Operation,
    OperationItem,
    Problem,
    SyncError,
    User,
)
from integration.services import retry, retry_preview
from integration.services.articles import title_of
from integration.services.error_filters import parse_filter
from integration.services.handling import HANDLING
from integration.services.retry_results import UNFINISHED, holding, outcome_counts
from integration.services.sentences import in_words
from integration.views.addresses import chosen, page_asked, read_words, say_dropped
from integration.views.answers import page_of
from integration.views.errors import find
from integration.views.handling import selected
from integration.views.listings import read_listing
from integration.views.wording import query_words, scope_lines

SAID: dict[str, Callable[[int], str]] = {
    ItemOutcome.HEALED: lambda n: ngettext("%(n)s healed", "%(n)s healed", n),
    ItemOutcome.DONE: lambda n: ngettext("%(n)s done", "%(n)s done", n),
    ItemOutcome.FAILED: lambda n: ngettext(
        "%(n)s failed again", "%(n)s failed again", n
    ),
    ItemOutcome.NOT_TRIED: lambda n: ngettext("%(n)s not tried", "%(n)s not tried", n),
    ItemOutcome.CHANGED: lambda n: ngettext(
        "%(n)s had changed meanwhile", "%(n)s had changed meanwhile", n
    ),
    ItemOutcome.GONE: lambda n: ngettext(
        "%(n)s is gone from the list", "%(n)s are gone from the list", n
    ),
    ItemOutcome.CANCELLED: lambda n: ngettext("%(n)s cancelled", "%(n)s cancelled", n),
}
"""What became of how many, in the order of the sentence."""
RESULTS: dict[str, Callable[[int], str]] = {
    ItemOutcome.CHOSEN: lambda n: npgettext("records", "not begun", "not begun", n),
    ItemOutcome.PENDING: lambda n: npgettext(
        "records", "being tried", "being tried", n
    ),
    ItemOutcome.HEALED: lambda n: npgettext("records", "healed", "healed", n),
    ItemOutcome.DONE: lambda n: npgettext("records", "done", "done", n),
    ItemOutcome.FAILED: lambda n: npgettext(
        "records", "failed again", "failed again", n
    ),
    ItemOutcome.NOT_TRIED: lambda n: npgettext("records", "not tried", "not tried", n),
    ItemOutcome.CHANGED: lambda n: npgettext(
        "records", "changed meanwhile", "changed meanwhile", n
    ),
    ItemOutcome.GONE: lambda n: npgettext("records", "gone", "gone", n),
    ItemOutcome.CANCELLED: lambda n: npgettext("records", "cancelled", "cancelled", n),
}
"""The word of each result, beside its number."""


@role_required(Role.OPERATOR)
@require_POST
def one(request: SignedInRequest, error_id: int) -> HttpResponse:
    """Try the record again, now."""
    try:
        found = find(error_id)
    except Http404 as gone:
        if not request.htmx:
            raise
        messages.error(request, str(gone))  # The page of the row says it, read anew.
        return HttpResponse(status=404)
    back = page_of(error_id, read_listing(request.GET))
    holder = holding(found)
    with RefusalTold(request):
        operation = retry.retry_error(found, request.user)
        transaction.on_commit(lambda: tasks.announce_retry(operation))
        say_retry(request, operation, holder)
    if request.htmx:
        # The open page asks for the row by itself: see ``errors_live``.
        return render(request, "integration/_messages.html", {"now": True})
    return HttpResponseRedirect(safe_next(request, back))


def say_retry(
    request: SignedInRequest, operation: Operation, holder: Operation | None
) -> None:
    """What a retry has come to so far."""
    if holder and holder.pk == operation.pk and operation.by_id != request.user.pk:
        said = _("It is being tried again already, for %(name)s.")
        messages.success(request, said % {"name": operation.by_name})
    elif operation.state == OperationState.DONE:
        messages.success(request, _("Tried again: it is in order now."))
    elif operation.state == OperationState.FAILED:
        messages.warning(request, _("Tried again: it failed with the cause shown."))
    else:
        messages.success(
            request, _("It is being tried again; the result will stand in its history.")
        )


@role_required(Role.OPERATOR)
@require_POST
def several(request: SignedInRequest) -> HttpResponse:
    """The selected rows at once; all that match the address after a look at them."""
    with RefusalTold(request):
        if request.POST.get("do") == "all":
            filters, dropped = parse_filter(read_words(request.GET))
            say_dropped(request, dropped)
            prepared = retry_preview.prepare(filters, request.user)
            return redirect("retry", prepared.pk)
        if keys := selected(request):
            operation = retry.retry_selected(keys, request.user)
            transaction.on_commit(lambda: tasks.announce_retry(operation))
            return redirect("operation", operation.pk)
        messages.warning(request, _("Nothing was selected."))
    return HttpResponseRedirect(safe_next(request, reverse("errors")))


@role_required(Role.OPERATOR)
@never_cache
@require_safe
def preview(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """What would be tried, what not and why; asked for by a button."""
    prepared = retry_preview.prepared_for(operation_id, request.user)
    if prepared is None:
        begun = Operation.objects.filter(pk=operation_id, kind=OperationKind.RETRY)
        if begun.exclude(state=OperationState.PREPARED).exists():
            return redirect("operation", operation_id)
        raise Http404(_("There is no such retry; it may be older than an hour."))
    query = prepared.scope["query"]
    context: dict[str, Any] = {
        "section": "errors",
        "operation": prepared,
        "preview": retry_preview.preview(prepared),
        "words": query_words(query, get_language() or "en"),
        "query": urlencode(query),
        "reason_form": ReasonForm(),
    }
    return render(request, "integration/operations/retry_preview.html", context)


@role_required(Role.OPERATOR)
@require_POST
def start(request: SignedInRequest, operation_id: int) -> HttpResponse:
    """Try exactly what the page showed."""
    with RefusalTold(request):
        operation = retry_preview.confirm(
            operation_id, request.user, reason_of(request.POST)
        )
        transaction.on_commit(lambda: tasks.announce_retry(operation))
        return redirect("operation", operation.pk)
    return redirect("errors")


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One record of a retry as the result page shows it."""

    item: OperationItem
    what: str
    has_page: bool
    now: str
    problem: int | None


def result(request: SignedInRequest, operation: Operation) -> HttpResponse:
    """Of an operation on many: progress, how many came to what, and each record."""
    dropped: list[str] = []
    outcome = chosen(request.GET, "outcome", ItemOutcome.values, dropped)
    items = operation.items.select_related("held_by")
    if outcome:
        items = items.filter(outcome=outcome)
    page = page_asked(request.GET, items, dropped)
    say_dropped(request, dropped)
    counts = outcome_counts(operation.pk)
    left = sum(counts.get(one, 0) for one in UNFINISHED)
    total = sum(counts.values())
    context: dict[str, Any] = {
        "section": "setup",
        "side": "operations",
        "operation": operation,
        "scope": scope_lines(operation, get_language() or "en"),
        "outcomes": outcome_links(counts, outcome),
        "outcome": outcome,
        "total": total,
        "done": total - left,
        "left": left,
        "said": said(counts, left),
        "is_unfinished": operation.finished_at is None,
        "can_cancel": request.user.is_operator
        and operation.state == OperationState.RUNNING,
        "can_undo": may_undo(request.user, operation),
        "reason_form": ReasonForm(),
        "page": page,
        "rows": item_rows(page.rows, get_language() or "en"),
    }
    return render(request, "integration/operations/retry.html", context)


def may_undo(user: User, operation: Operation) -> bool:
    """Whether there is something to take back, and this person may."""
    if operation.kind in HANDLING:
        return user.is_operator and operation.state == OperationState.IN_FORCE
    is_hiding = operation.state in {OperationState.IN_FORCE, OperationState.PURGING}
    return user.is_administrator and is_hiding


def outcome_links(
    counts: dict[str, int], chosen_one: str
) -> list[tuple[str, str, int, bool]]:
    """Each outcome there is: value, word, count, whether it is chosen."""
    return [
        (one, word(counts[one]), counts[one], one == chosen_one)
        for one, word in RESULTS.items()
        if counts.get(one)
    ]


def said(counts: dict[str, int], left: int) -> str:
    """Progress, or the result, in one sentence."""
    parts = [
        words(n) % {"n": number(n)}
        for one, words in SAID.items()
        if (n := counts.get(one))
    ]
    if left:
        parts.append(_("%(n)s left") % {"n": number(left)})
    return ", ".join(parts)


def item_rows(items: list[OperationItem], language: str) -> list[ItemRow]:
    """These with their words; three queries."""
    errors = SyncError.objects.visible(Operation.objects.cuts())
    shown = errors.filter(pk__in=[item.error_id for item in items])
    pages = set(shown.values_list("pk", flat=True))
    problems = Problem.objects.in_bulk({item.problem_id for item in items} - {None})
    names = dict(Connection.objects.values_list("pk", "name"))
    rows = []
    for item in items:
        problem = problems.get(item.problem_id)
        now = in_words(item.told)
        if problem:
            now = title_of(problem.article, problem.params, language, problem.title)
        what = item.mapping_key or names.get(item.connection_id or 0, "")
        rows.append(
            ItemRow(
                item,
                what,
                item.error_id in pages,
                now,
                problem.pk if problem else None,
            )
        )
    return rows
