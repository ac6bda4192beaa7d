"""What has happened to the errors of a page, asked while it is open."""

from functools import partial
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Chip, Role
from integration.core.texts import read_number
from integration.http import SignedInRequest, role_required
from integration.markup.looks import pace
from integration.models import Operation
from integration.services.error_filters import chips_of, parse_filter
from integration.services.error_list import read_chips, sort_of
from integration.services.looks import rows_of, watch, watch_cause
from integration.services.places import read_places
from integration.services.status import read_relevant
from integration.tables.errors import renewed, tell
from integration.views import errors, problems
from integration.views.listings import chips, read_listing

MOST = 200


@role_required(Role.VIEWER, own=True)
@require_POST
def watch_error(request: SignedInRequest, error_id: int) -> HttpResponse:
    """Somebody has opened one of its records: look at it again for half an hour.

    What a viewer opens is not tried again: the click is heard and changes nothing.
    """
    error = errors.find(error_id)
    if request.user.is_operator:
        watch(error)
    return HttpResponse()


@role_required(Role.VIEWER, own=True)
@require_POST
def watch_problem(request: SignedInRequest, problem_id: int) -> HttpResponse:
    """Somebody has opened the cure of a cause."""
    problem = problems.find(problem_id)
    if request.user.is_operator:
        watch_cause(problem)
    return HttpResponse()


@role_required(Role.VIEWER)
@require_safe
def errors_live(request: SignedInRequest) -> HttpResponse:
    """What is new about the rows of a list: no row moves, nothing loses the focus.

    What is not among them yet is told in a line that leads to it.
    """
    told = map(read_number, request.GET.getlist("entry")[:MOST])
    ids = [key for key in told if key is not None]
    listing = read_listing(_without_entries(request.GET))
    cuts = Operation.objects.cuts()
    rows, listed = rows_of(ids, cuts), chips_of(listing.filters.state)
    there = [row for row in rows if not row["deletion"]]
    healed = [row for row in there if row["settled_at"] and row["chip"] not in listed]
    if healed:
        tell(healed, read_places())
    since = parse_filter({"from": request.GET.get("since", "")})[0].since
    counts, new = read_chips(listing.filters, cuts, since)
    first = request.GET.get("first") == "1"
    context: dict[str, Any] = {
        "live_query": errors.live_query(
            ids, listing, since or listing.asked_at, new, first=first
        ),
        "pace": pace(row["seen"] for row in rows),
        "rows": renewed(rows, listed),
        "listing": listing,
        "list_words": listing.title(sort_of(listing.filters, listing.sort)),
        "total": counts.of(listing.filters.state),
        "shown": sum(row["chip"] in listed for row in there),
        "first": first,
        "query": listing.query(),
        "new": new,
        "new_told": read_number(request.GET.get("told", "")) or 0,
        "newest_first": listing.query(sort=""),
        "counts": counts,
        "chips": partial(chips, listing, counts),
        "hidden": partial(errors.hidden_words, listing),
        "shell": {"open": read_relevant().get(Chip.OPEN, 0)},
    }
    return render(request, "integration/errors/_rows_live.html", context)


def _without_entries(query: QueryDict) -> QueryDict:
    rest = query.copy()
    rest.pop("entry", None)
    return rest
