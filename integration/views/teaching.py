"""Teaching an article: what it would match is shown, then it is saved."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from integration import tasks
from integration.choices import Role
from integration.core.explain import LONGEST, read_pasted
from integration.core.taught import suggested
from integration.forms.articles import TeachForm, empty_form, form_of
from integration.forms.setup import reason_of
from integration.http import RefusalTold, SignedInRequest, role_required
from integration.markup.parts import number
from integration.models import Problem, SyncError, TaughtArticle
from integration.services import teaching
from integration.services.actors import Refused
from integration.services.articles import title_of
from integration.services.regrouping import is_small, regroup
from integration.services.taught import find_taught
from integration.services.teaching import Preview
from integration.views.addresses import whole_number

ERRORS_SHOWN = 50
SECONDS_INLINE = 2.0
METHODS = ["GET", "HEAD", "POST"]


@role_required(Role.ADMINISTRATOR)
@require_http_methods(METHODS)
def teach(request: SignedInRequest) -> HttpResponse:
    """A new article, empty or begun with a message; it travels in the body."""
    if request.method != "POST":
        return _page(request, empty_form(_message_of_problem(request)))
    if "message" in request.POST:
        text = read_pasted(request.POST["message"][:LONGEST]).message
        return _page(request, empty_form(suggested(text)))
    return _answer(request, None)


@role_required(Role.ADMINISTRATOR)
@require_http_methods(METHODS)
def change(request: SignedInRequest, article_id: str) -> HttpResponse:
    """Another pattern, other words."""
    article = find(article_id)
    if request.method != "POST":
        return _page(request, form_of(article), article)
    return _answer(request, article)


@role_required(Role.ADMINISTRATOR)
@require_POST
def withdraw(request: SignedInRequest, article_id: str) -> HttpResponse:
    """It explains nothing any more."""
    article = find(article_id)
    with RefusalTold(request):
        teaching.withdraw(article, request.user, reason_of(request.POST))
        messages.success(request, _("The article was withdrawn."))
        return _moved(article) or redirect("articles")
    return redirect("articles")


def find(article_id: str) -> TaughtArticle:
    """A taught one that is in force, or 404 in words."""
    found = find_taught(article_id)
    if found is None or found.withdrawn_at:
        raise Http404(_("There is no such article."))
    return found


def _message_of_problem(request: SignedInRequest) -> str:
    """A pattern for what a problem's latest error says."""
    key = whole_number(request.GET, "problem", [])
    rows = SyncError.objects.filter(problem=key, waits_for="") if key else None
    row = rows.order_by("-last_seen", "-id").first() if rows is not None else None
    return suggested(row.message) if row else ""


def _answer(request: SignedInRequest, article: TaughtArticle | None) -> HttpResponse:
    """The preview; saved only if the person has seen it for these patterns."""
    form = TeachForm(request.POST)
    if not form.is_valid():
        return _page(request, form, article)
    wanted = form.article(article)
    has_seen = form.cleaned_data["seen"] == wanted.patterns
    try:
        if request.POST.get("do") == "save" and has_seen:
            return _save(request, form, wanted, is_new=article is None)
        found = teaching.preview(wanted)
    except Refused as refusal:
        form.add_error("patterns", str(refusal))
        return _page(request, form, article)
    if request.POST.get("do") == "save":
        messages.warning(request, _("Look at what it matches now, then save."))
    data = request.POST.copy()
    data["seen"] = data["patterns"] = wanted.patterns
    return _page(request, TeachForm(data), article, found)


def _save(
    request: SignedInRequest, form: TeachForm, wanted: TaughtArticle, *, is_new: bool
) -> HttpResponse:
    reason = form.cleaned_data["reason"]
    if is_new:
        teaching.teach(wanted, request.user, reason, form.cleaned_data["key"])
    else:
        teaching.change(wanted, request.user, reason)
    messages.success(request, _("The article was saved."))
    return _moved(wanted) or redirect("article", wanted.key)


def _moved(article: TaughtArticle) -> HttpResponse | None:
    """A few errors at once; many by a worker: the page that tells how far that is."""
    if is_small() and regroup(SECONDS_INLINE):
        return None
    tasks.announce(tasks.move_to_taught)
    return redirect("operation", article.operation_id)


def _page(
    request: SignedInRequest,
    form: TeachForm,
    article: TaughtArticle | None = None,
    found: Preview | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "section": "setup",
        "side": "articles",
        "form": form,
        "taught": article,
        **(_found(found) if found else {}),
    }
    return render(request, "integration/setup/teach.html", context)


def title(problem: Problem) -> str:
    """What a problem is called today."""
    return title_of(
        problem.article, problem.params, get_language() or "en", problem.title
    )


def _found(found: Preview) -> dict[str, Any]:
    shown = found.newest(ERRORS_SHOWN)
    rows = SyncError.objects.in_bulk(shown)
    return {
        "preview": found,
        "matched": ngettext(
            "It matches %(n)s open error.",
            "It matches %(n)s open errors.",
            found.errors,
        )
        % {"n": number(found.errors)},
        "problems": [
            (problem, title(problem), len(ids)) for problem, ids in found.found.items()
        ],
        "errors": [rows[key] for key in shown if key in rows],
        "more": max(found.errors - ERRORS_SHOWN, 0),
    }
