"""Problems: errors by cause."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Role, Who
from integration.filters.errors import chosen_labels, filter_form
from integration.forms.handling import AssigneeForm, CommentForm
from integration.forms.setup import REASON_LENGTH
from integration.http import SignedInRequest, is_fragment, role_required, safe_next
from integration.markup.charts import columns
from integration.markup.looks import look_words, pace_now
from integration.markup.parts import Moments
from integration.models import Problem
from integration.models.folding import folded
from integration.services import problem_history
from integration.services.articles import (
    RenderedArticle,
    is_open_to_teaching,
    title_of,
)
from integration.services.articles import render as render_article
from integration.services.causes import (
    Cause,
    CauseCount,
    causes_of,
    count_of,
    problems_of,
    resolved_of,
)
from integration.services.error_counts import ChipCounts, count_chips
from integration.services.error_filters import FILTER_NAMES, RELEVANT, parse_filter
from integration.services.error_list import PAGE_SIZE
from integration.services.error_sort import NEWEST_FIRST
from integration.services.looks import seen_of_cause
from integration.services.places import read_places
from integration.services.problem_history import history_of
from integration.services.status import read_engine
from integration.services.storm_status import halts_by_cause, halts_of, read_halts
from integration.services.trends import read_trends
from integration.views.addresses import found_or_404, read_words, say_dropped
from integration.views.listings import Listing, chips
from integration.views.targets import Case, addresses
from integration.views.wording import BEYOND, filter_words

HISTORY_SHOWN = 50
CAUSES_SHOWN = 100
CAUSE_NAMES = ("state", "q", *("mapping", "who", "connection", "direction", "category"))
"""What an address may say to choose causes."""


def told(problem: Problem, case: Case) -> RenderedArticle:
    """The problem's article in the reader's language, its links filled in."""
    language = get_language() or "en"
    plain = render_article(
        problem.article, problem.params, language, title=problem.title
    )
    about = replace(case, problem=problem, params=problem.params)
    return render_article(
        problem.article,
        problem.params,
        language,
        links=addresses(about, plain.targets),
        title=problem.title,
    )


def told_context(article: RenderedArticle) -> dict[str, Any]:
    """An article for a template: who fixes it in words, and where its cure leads."""
    return {
        "article": article,
        "who": Who(article.who).label,
        "cure_is_ours": article.cure_link.startswith("/"),
    }


def cause_rows(
    found: Iterable[tuple[Problem, CauseCount]],
) -> list[dict[str, Any]]:
    """Problems as lists show them, told in the reader's language."""
    halts = halts_by_cause()
    return [
        {
            "problem": problem,
            "count": count,
            "halts": halts.get((problem.connection_id, problem.fingerprint), ()),
            **told_context(told(problem, Case(problem.connection))),
        }
        for problem, count in found
    ]


@role_required(Role.VIEWER)
@require_safe
def problems(request: SignedInRequest) -> HttpResponse:
    """Every cause that is still relevant, or those of a filter; most records first."""
    listing = read_causes(request.GET)
    say_dropped(request, listing.dropped)
    filters = listing.filters
    causes = named(causes_of(replace(filters, q="")), filters.q)
    shown, turned = _page_of(causes, listing.after)
    rows = cause_rows(problems_of(shown))
    trends = read_trends([row["problem"].pk for row in rows])
    limits = {
        name: value
        for name, value in listing.words.items()
        if name not in {"state", "q"}
    }
    for row in rows:
        row["trend"] = columns(trends[row["problem"].pk])
        row["query"] = urlencode({**limits, "problem": row["problem"].pk})
    said = filter_words(filters, get_language() or "en")
    is_relevant = filters.state == RELEVANT
    if not is_relevant:
        said = [BEYOND["state"](filters.state), *said]
    counts = ChipCounts({}, exact=False) if filters.q else count_chips(filters, ())
    context: dict[str, Any] = {
        "section": "errors",
        "rows": rows,
        "several_connections": len({row["problem"].connection_id for row in rows}) > 1,
        "records": sum(cause.holds.total for cause in causes),
        "set_up": not is_relevant or any(cause.holds.is_set_up for cause in causes),
        "causes": len(causes),
        "engine": None if rows or said else read_engine(),
        "pace": pace_now(),
        "halts": read_halts(),
        "can_retry": request.user.is_operator
        and not any(cause.holds.resolved for cause in causes),
        "listing": listing,
        "filter_words": said,
        "chips": chips(listing, counts),
        "hidden": [] if is_relevant else [("state", filters.state)],
        "query": urlencode(limits),
        "list_query": query_of(listing),
        **{name: query_of(listing, after) or "?" for name, after in turned.items()},
        **filter_menus(listing),
    }
    return render(request, "integration/problems/list.html", context)


def read_causes(query: QueryDict) -> Listing:
    """Never fails: what makes no sense, or nothing here, is left out and named."""
    given = read_words(query)
    known = {name: given.get(name, "").strip() for name in CAUSE_NAMES}
    filters, dropped = parse_filter({**known, "state": known["state"] or RELEVANT})
    if "state" in dropped:
        filters = replace(filters, state=RELEVANT)
    dropped += [name for name in FILTER_NAMES if given.get(name) and name not in known]
    after = given.get("after", "")
    return Listing(filters, NEWEST_FIRST, PAGE_SIZE, after, "", tuple(dropped))


def query_of(listing: Listing, after: int | str | None = None) -> str:
    """The list by cause as an address has it, "" as it is by itself.

    ``after`` is the cause that its page follows; left out, the one of this page.
    """
    words = {**listing.words, "after": listing.after if after is None else after}
    if listing.filters.state == RELEVANT:
        del words["state"]
    said = urlencode({name: value for name, value in words.items() if value})
    return f"?{said}" if said else ""


def named(causes: list[Cause], text: str) -> list[Cause]:
    """Those whose sentence has each of these words, with accents or without."""
    words, language = folded(text).split(), get_language() or "en"
    if not words:
        return causes
    told = (
        folded(title_of(one.article, one.params, language, one.title)) for one in causes
    )
    return [
        one
        for one, title in zip(causes, told, strict=True)
        if all(word in title for word in words)
    ]


def _page_of(causes: list[Cause], after: str) -> tuple[list[Cause], dict[str, int]]:
    """Those that follow one cause, and after which the next and the previous page are.

    Causes change places with every error: one that is not there any more begins anew.
    """
    places = {str(cause.id): place for place, cause in enumerate(causes, 1)}
    start = places.get(after, 0)
    end, before = start + CAUSES_SHOWN, start - CAUSES_SHOWN
    turned: dict[str, int] = {}
    if end < len(causes):
        turned["next_href"] = causes[end - 1].id
    if start:
        turned["previous_href"] = causes[before - 1].id if before > 0 else 0
    return causes[start:end], turned


def filter_menus(listing: Listing) -> dict[str, Any]:
    """The filter form, with what its menus have chosen."""
    places = read_places()
    offered = {
        "mapping": [(name, name) for name in places.mapping_names],
        "connection": [(str(key), name) for key, name in places.connections.items()],
    }
    form = filter_form(listing.filters, offered)
    return {
        "form": form,
        "chosen": chosen_labels(form),
        "has_connections": len(places.connections) > 1,
    }


def find(problem_id: int) -> Problem:
    """The problem, or 404 in words."""
    rows = Problem.objects.select_related(
        "connection__business_central", "connection__sales", "assignee", "moved_to"
    )
    gone = _("There is no such problem; it may have been removed.")
    return found_or_404(rows, problem_id, gone)


@role_required(Role.VIEWER)
@require_safe
def problem(request: SignedInRequest, problem_id: int) -> HttpResponse:
    """What it means, who fixes it, its records, and what people did about it."""
    found = find(problem_id)
    count = count_of(found)
    halts = halts_of(found)
    over = not (count.relevant or halts)
    nothing_left = _("Nothing is to be done: no entry of it is still relevant.")
    context: dict[str, Any] = {
        "section": "errors",
        "problem": found,
        "list_query": query_of(read_causes(request.GET)),
        "records": count.relevant,
        "resolved": resolved_of(found),
        "share": count,
        "is_set_up": count.is_set_up,
        "became": over and nothing_left,
        "turned": is_fragment(request, "live") and over != ("over" in request.GET),
        "trend": columns(read_trends([found.pk])[found.pk]),
        "look": look_words(seen_of_cause(found), Moments()),
        "pace": pace_now(),
        "halts": halts,
        "assignee_form": AssigneeForm(found),
        "comment_form": CommentForm(),
        "history": list(history_of(found)[:HISTORY_SHOWN]),
        "moved_to": found.moved_to and told(found.moved_to, Case(found.connection)),
        "may_be_taught": is_open_to_teaching(found.article),
        **told_context(told(found, Case(found.connection))),
    }
    return render(request, "integration/problems/detail.html", context)


@role_required(Role.OPERATOR)
@require_POST
def assign(request: SignedInRequest, problem_id: int) -> HttpResponse:
    """Give the cause to a person, or to nobody."""
    found = find(problem_id)
    form = AssigneeForm(found, request.POST)
    if form.is_valid():
        problem_history.assign(found, form.cleaned_data["assignee"], request.user)
    else:
        messages.error(request, _("Nobody of that name may take care of it."))
    return redirect("problem", problem_id)


@role_required(Role.OPERATOR)
@require_POST
def comment(request: SignedInRequest, problem_id: int) -> HttpResponse:
    """Keep what somebody says about the cause."""
    found = find(problem_id)
    form = CommentForm(request.POST)
    if form.is_valid():
        text = form.cleaned_data["comment"]
        problem_history.comment(found, text, request.user)
    else:
        messages.error(
            request,
            _("A comment has between 1 and %(n)s characters.") % {"n": REASON_LENGTH},
        )
    back = reverse("problem", args=[problem_id])
    return HttpResponseRedirect(safe_next(request, back))
