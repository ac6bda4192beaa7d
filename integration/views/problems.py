"""Problems: errors by cause."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from integration.choices import Role, Who
from integration.http import SignedInRequest, role_required
from integration.models import Problem
from integration.services.articles import RenderedArticle
from integration.services.articles import render as render_article
from integration.services.causes import CauseCount, count_of, relevant_problems
from integration.services.status import read_engine
from integration.views.targets import Case, addresses


def told(problem: Problem, case: Case) -> RenderedArticle:
    """The problem's article in the reader's language, its links filled in."""
    language = get_language() or "en"
    plain = render_article(
        problem.article, problem.params, language, title=problem.title
    )
    return render_article(
        problem.article,
        problem.params,
        language,
        links=addresses(replace(case, params=problem.params), plain.targets),
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
    return [
        {
            "problem": problem,
            "count": count,
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
    context: dict[str, Any] = {
        "section": "errors",
        "rows": cause_rows(found),
        "several_connections": several,
        "records": sum(count.relevant for _problem, count in found),
        "causes": len(found),
        "engine": None if found else read_engine(),
    }
    return render(request, "integration/problems/list.html", context)


@role_required(Role.VIEWER)
@require_safe
def problem(request: SignedInRequest, problem_id: int) -> HttpResponse:
    """What it means, who fixes it, and its records."""
    found = (
        Problem.objects.select_related(
            "connection__business_central", "connection__sales"
        )
        .filter(pk=problem_id)
        .first()
    )
    if found is None:
        raise Http404(_("There is no such problem; it may have been removed."))
    article = told(found, Case(found.connection))
    context: dict[str, Any] = {
        "section": "errors",
        "problem": found,
        "records": count_of(found).relevant,
        **told_context(article),
    }
    return render(request, "integration/problems/detail.html", context)
