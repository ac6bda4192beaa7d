"""Problems: errors by cause."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Role, Who
from integration.forms.handling import AssigneeForm, CommentForm
from integration.forms.setup import REASON_LENGTH
from integration.http import SignedInRequest, is_fragment, role_required, safe_next
from integration.markup.charts import columns
from integration.markup.looks import look_words, pace_now
from integration.markup.parts import Moments
from integration.models import Problem
from integration.services import problem_history
from integration.services.articles import RenderedArticle, is_open_to_teaching
from integration.services.articles import render as render_article
from integration.services.causes import (
    CauseCount,
    count_of,
    relevant_problems,
    resolved_of,
)
from integration.services.looks import seen_of_cause
from integration.services.problem_history import history_of
from integration.services.status import read_engine
from integration.services.storm_status import halts_by_cause, halts_of, read_halts
from integration.services.trends import read_trends
from integration.views.targets import Case, addresses

HISTORY_SHOWN = 50


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
    """Every cause that is still relevant, most records first."""
    found = relevant_problems()
    several = len({problem.connection_id for problem, _count in found}) > 1
    trends = read_trends([problem.pk for problem, _count in found])
    rows = cause_rows(found)
    for row in rows:
        row["trend"] = columns(trends[row["problem"].pk])
    context: dict[str, Any] = {
        "section": "errors",
        "rows": rows,
        "several_connections": several,
        "records": sum(count.relevant for _problem, count in found),
        "set_up": any(count.is_set_up for _problem, count in found),
        "causes": len(found),
        "engine": None if found else read_engine(),
        "pace": pace_now(),
        "halts": read_halts(),
    }
    return render(request, "integration/problems/list.html", context)


def find(problem_id: int) -> Problem:
    """The problem, or 404 in words."""
    found = (
        Problem.objects.select_related(
            "connection__business_central", "connection__sales", "assignee", "moved_to"
        )
        .filter(pk=problem_id)
        .first()
    )
    if found is None:
        raise Http404(_("There is no such problem; it may have been removed."))
    return found


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
