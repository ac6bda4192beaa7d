"""What machines ask for, and what a person reads when a page cannot be made."""

from django.contrib.auth.decorators import login_not_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseServerError,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 in words: ours if the view gave a sentence, else a general one."""
    given = exception.args[0] if exception.args else ""
    ours = isinstance(exception, Http404) and isinstance(given, str) and given
    sentence = given if ours else _("There is nothing at this address.")
    return render(request, "404.html", {"sentence": sentence}, status=404)


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """500 in words; no query, no session: whatever broke may break those too."""
    return HttpResponseServerError(render_to_string("500.html"))
