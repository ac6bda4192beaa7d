"""Explain: a pasted message, what it means and what to do; needs no connection."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods

from integration.choices import Role, Who
from integration.forms.setup import MessageForm
from integration.http import SignedInRequest, role_required
from integration.services.articles import is_open_to_teaching
from integration.services.articles import render as render_article
from integration.services.explanations import Explanation
from integration.services.explanations import explain as explain_message


@role_required(Role.VIEWER, own=True)
@require_http_methods(["GET", "HEAD", "POST"])
def explain(request: SignedInRequest) -> HttpResponse:
    """The message travels in the body: it may be long, and private."""
    form = MessageForm(request.POST or None)
    found: list[Explanation] = []
    if request.method == "POST" and form.is_valid():
        found = explain_message(form.cleaned_data["message"])
    context = {
        "section": "setup",
        "side": "explain",
        "form": form,
        "explanations": [told(one) for one in found],
        "is_of_either": len(found) > 1 or any(one.is_of_either for one in found),
        "message": form.cleaned_data["message"] if found else "",
    }
    return render(request, "integration/setup/explain.html", context)


def told(one: Explanation) -> dict[str, Any]:
    """In the reader's language; without links, as it is about no record."""
    cause = one.cause
    article = render_article(
        cause.article, cause.params, get_language() or "en", title=cause.title
    )
    return {
        "is_known": bool(cause.article),
        "may_be_taught": is_open_to_teaching(cause.article),
        "article": article,
        "who": Who(article.who).label,
        "problems": one.known,
    }
