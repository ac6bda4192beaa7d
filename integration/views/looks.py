"""What has happened to the errors of a page, asked while it is open."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Role
from integration.core.texts import read_number
from integration.http import SignedInRequest, role_required
from integration.markup.looks import look_words, pace
from integration.markup.parts import Moments
from integration.services.error_list import read_chips
from integration.services.looks import seen_of, watch, watch_cause
from integration.views import errors, problems
from integration.views.listings import read_listing

MOST = 200


@role_required(Role.VIEWER, own=True)
@require_POST
def watch_error(request: SignedInRequest, error_id: int) -> HttpResponse:
    """Somebody has opened one of its records: look at it again for half an hour."""
    watch(errors.find(error_id))
    return HttpResponse()


@role_required(Role.VIEWER, own=True)
@require_POST
def watch_problem(request: SignedInRequest, problem_id: int) -> HttpResponse:
    """Somebody has opened the cure of a cause."""
    watch_cause(problems.find(problem_id))
    return HttpResponse()


@role_required(Role.VIEWER)
@require_safe
def errors_live(request: SignedInRequest) -> HttpResponse:
    """What is new about the rows of a list: no row moves, nothing loses the focus."""
    told = map(read_number, request.GET.getlist("entry")[:MOST])
    ids = [key for key in told if key is not None]
    listing = read_listing(_without_entries(request.GET))
    seen, moments = seen_of(ids), Moments()
    context: dict[str, Any] = {
        "entries": errors.entries(ids),
        "pace": pace(seen.values()),
        "looks": [
            (key, look_words(one, moments), one.settled_at) for key, one in seen.items()
        ],
        "query": listing.query(),
        "chips": errors.chips(listing, read_chips(listing.filters)),
        "hidden": errors.hidden_words(listing),
    }
    return render(request, "integration/errors/_rows_live.html", context)


def _without_entries(query: QueryDict) -> QueryDict:
    rest = query.copy()
    rest.pop("entry", None)
    return rest
