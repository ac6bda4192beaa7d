"""The two clean-up actions: what would go, then exactly that."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Chip, Role, SettledReason
from integration.core.texts import read_number
from integration.forms.setup import ReasonForm, reason_of
from integration.http import SignedInRequest, role_required
from integration.services import cleanup, cleanup_preview
from integration.services.actors import Refused
from integration.services.error_filters import ALL, ErrorFilter, parse_filter
from integration.services.operations import refuse_undone
from integration.services.places import read_places
from integration.tables.errors import KeptTable
from integration.views.addresses import read_words, say_dropped
from integration.views.handling import DONE
from integration.views.titles import titles_of
from integration.views.wording import filter_words, name_words

MOST_DAYS = 3650
KEPT_SHOWN = 100
TYPED_SHOWN = 20


def older_than_of(text: str) -> tuple[int | None, bool]:
    """The days of the address; False when they make no sense."""
    if not text:
        return None, True
    days = read_number(text, MOST_DAYS)
    return days, days is not None


@role_required(Role.ADMINISTRATOR)
@never_cache
@require_safe
def preview(request: SignedInRequest) -> HttpResponse:
    """What would be deleted now, and what is kept because it is still relevant."""
    filters, dropped = parse_filter(read_words(request.GET))
    older_than, fits = older_than_of(request.GET.get("older_than", ""))
    everything = request.GET.get("all") == "1"
    if not fits or (older_than is None) != everything:
        messages.warning(
            request, _("Choose one of the two: older than some days, or all entries.")
        )
        return redirect("errors")
    say_dropped(request, dropped)
    every_kept = request.GET.get("kept") == "all"
    shown = {"shown": KEPT_SHOWN} if every_kept else {}
    wanted = cleanup_preview.CleanupRequest(older_than, filters)
    found = cleanup_preview.preview(wanted, request.user, **shown)
    language = get_language() or "en"
    titles = titles_of(found.kept, language)
    rows = [{**row, "title": titles[row["problem_id"]]} for row in found.kept]
    context: dict[str, Any] = {
        "section": "errors",
        "preview": found,
        "older_than": older_than,
        "query": urlencode(filters.query()),
        "filter_words": filter_words(filters, language, only_scope=True),
        "ignored": [
            (name_words(part, filters.moment), part.beyond) for part in found.ignored
        ],
        "reasons": reason_links(found),
        "table": KeptTable(rows, read_places()),
        "kept_href": rows_link(found, state=ALL, unsettled=found.instant),
        "scope_query": rows_query(found, state=ALL),
        "shows_all": every_kept or len(rows) == found.relevant,
        "delete_href": delete_address(older_than, filters),
        "reason_form": ReasonForm(),
        "relevant_form": ReasonForm(auto_id="relevant_%s"),
        "typed": request.GET.get("typed", "")[:TYPED_SHOWN],
        "wrong": "typed" in request.GET and cleanup.number_to_type(found.relevant),
    }
    return render(request, "integration/cleanup/preview.html", context)


def rows_link(found: cleanup_preview.Preview, **chosen: Any) -> str:
    """The list of some of the preview's entries, as they were at its instant."""
    return f"{reverse('errors')}?{rows_query(found, **chosen)}"


def rows_query(found: cleanup_preview.Preview, **chosen: Any) -> str:
    filters = found.request.filters
    rows = ErrorFilter(
        q=filters.q,
        connection=filters.connection,
        mapping=filters.mapping,
        direction=filters.direction,
        problem=filters.problem,
        record=filters.record,
        until=found.cutoff,
        **chosen,
    )
    return urlencode(rows.query())


def reason_links(found: cleanup_preview.Preview) -> list[tuple[str, int, str]]:
    """Each reason with its count and the list of exactly its rows."""
    finished = {"state": Chip.RESOLVED.value, "settled": found.instant}
    return [
        (
            str(SettledReason(reason).label),
            count,
            rows_link(found, reason=reason, **finished),
        )
        for reason, count in found.reasons.items()
        if count
    ]


@role_required(Role.ADMINISTRATOR)
@require_POST
def delete(request: SignedInRequest) -> HttpResponse:
    """Delete exactly what the preview showed, or less; then back to the list."""
    filters, _dropped = parse_filter(read_words(request.GET))
    older_than, _fits = older_than_of(request.GET.get("older_than", ""))
    listing = urlencode(filters.query())
    try:
        operation = cleanup.delete(
            request.POST.get("token", ""),
            cleanup_preview.CleanupRequest(older_than, filters),
            request.user,
            include_relevant=request.POST.get("do") == "delete-all",
            typed=request.POST.get("typed", ""),
            reason=reason_of(request.POST),
        )
        refuse_undone(operation)
    except cleanup.WrongNumber:
        typed = request.POST.get("typed", "")[:TYPED_SHOWN]
        return HttpResponseRedirect(preview_address(older_than, filters, typed=typed))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(preview_address(older_than, filters))
    request.session[DONE] = operation.pk
    return HttpResponseRedirect(f"{reverse('errors')}{'?' if listing else ''}{listing}")


def preview_address(older_than: int | None, filters: ErrorFilter, **said: str) -> str:
    """The preview again, with the same filter; ``typed``: which number was wrong."""
    return f"{reverse('cleanup')}?{query_of(older_than, filters, **said)}"


def delete_address(older_than: int | None, filters: ErrorFilter) -> str:
    return f"{reverse('cleanup_delete')}?{query_of(older_than, filters)}"


def query_of(older_than: int | None, filters: ErrorFilter, **said: str) -> str:
    what = {"all": "1"} if older_than is None else {"older_than": str(older_than)}
    return urlencode({**filters.query(), **what, **said})
