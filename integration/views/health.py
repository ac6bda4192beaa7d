"""What machines ask for, and what a person reads when a page cannot be made."""

import sys

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseServerError,
)
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from integration.choices import CheckState
from integration.http import is_this_machine, language_of, signed_in
from integration.services import doctor
from integration.services.metrics import exposition

RETRY_AFTER_SECONDS = "30"
PLAIN = "text/plain; charset=utf-8"


@login_not_required
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Where browsers look for the icon of what is no page: plain text, a file."""
    return redirect(static("mark.svg"))


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type=PLAIN)


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether this process can do its work: database, migrations and broker.

    503 names the part that cannot, and nothing more: the address is open to all.
    """
    parts = (doctor.check_database(), doctor.check_broker())
    broken = [part.step for part in parts if part.state != CheckState.OK]
    return HttpResponse(
        f"not ready: {', '.join(broken)}\n" if broken else "ok\n",
        content_type=PLAIN,
        status=503 if broken else 200,
    )


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The pages' figures for Prometheus, for whoever has the token.

    Without a token only this machine may ask.
    """
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").encode()
    allowed = (
        constant_time_compare(given, f"Bearer {token}".encode())
        if token
        else is_this_machine(request)
    )
    if not allowed:
        return HttpResponse("not allowed\n", content_type=PLAIN, status=403)
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 in words: ours if the view gave a sentence, else a general one."""
    given = exception.args[0] if exception.args else ""
    ours = isinstance(exception, Http404) and isinstance(given, str) and given
    sentence = given if ours else _("There is nothing at this address.")
    return render(request, "404.html", {"sentence": sentence}, status=404)


@login_not_required
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 in words; one refused for its host came by no middleware of ours."""
    with translation.override(language_of(request, signed_in(request))):
        return HttpResponseBadRequest(render_to_string("400.html"))


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """500 in words; no query, no session: whatever broke may break those too."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return cannot_store(request)
    return HttpResponseServerError(render_to_string("500.html"))


def cannot_store(request: HttpRequest) -> HttpResponse:
    """503 in words: a full disk, a locked database, or one that is away."""
    try:
        person = signed_in(request)
    except (DatabaseError, InterfaceError):
        person = None
    with translation.override(language_of(request, person)):
        page = render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": RETRY_AFTER_SECONDS})
