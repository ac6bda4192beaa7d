"""Articles: every known cause, who fixes it and how."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from integration.choices import Category, Role, Who
from integration.core.articles import Article
from integration.forms.setup import ReasonForm
from integration.http import SignedInRequest, role_required
from integration.models import TaughtArticle
from integration.services.articles import RenderedArticle, all_articles
from integration.services.articles import render as render_article
from integration.services.causes import count_of
from integration.services.taught import find_taught
from integration.services.teaching import problems_of, taught_articles


@role_required(Role.VIEWER)
@require_safe
def articles(request: SignedInRequest) -> HttpResponse:
    """By category."""
    language = get_language() or "en"
    rows = [
        (
            article.id,
            render_article(article.id, sample_of(article), language),
            str(Category(article.category).label),
            str(Who(article.who).label),
        )
        for article in all_articles()
    ]
    rows.sort(key=lambda row: (row[2], row[1].title))
    context = {
        "section": "setup",
        "side": "articles",
        "rows": rows,
        "taught": [
            (one.key, told_of(one), Who(one.who).label) for one in taught_articles()
        ],
    }
    return render(request, "integration/setup/articles.html", context)


def sample_of(article: Article) -> dict[str, str]:
    """Its example, without a system's own words: they are of no reader's language."""
    return {name: value for name, value in article.sample.items() if name != "text"}


@role_required(Role.VIEWER)
@require_safe
def article(request: SignedInRequest, article_id: str) -> HttpResponse:
    """One cause, told with an example."""
    taught = find_taught(article_id)
    if taught:
        return _taught(request, taught)
    found = next((one for one in all_articles() if one.id == article_id), None)
    if found is None:
        raise Http404(_("There is no such article."))
    context = {
        "section": "setup",
        "side": "articles",
        "article": render_article(found.id, sample_of(found), get_language() or "en"),
        "who": Who(found.who).label,
    }
    return render(request, "integration/setup/article.html", context)


def told_of(article: TaughtArticle) -> RenderedArticle:
    """In the reader's language."""
    params = {"edition": article.edition}
    return render_article(article.key, params, get_language() or "en")


def _taught(request: SignedInRequest, article: TaughtArticle) -> HttpResponse:
    """Its words, its patterns, and what it has now."""
    context = {
        "section": "setup",
        "side": "articles",
        "article": told_of(article),
        "who": Who(article.who).label,
        "taught": article,
        "patterns": article.patterns.splitlines(),
        "problems": [
            (problem, count_of(problem).relevant)
            for problem in problems_of(article).select_related("connection")
        ],
        "reason_form": ReasonForm(),
    }
    return render(request, "integration/setup/article.html", context)
