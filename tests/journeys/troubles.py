"""The addresses of the project, and one for each page of a request that fails."""

from django.core.exceptions import BadRequest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from django.views.csrf import csrf_failure

from syncerrors import urls

TROUBLES = {400: BadRequest, 500: RuntimeError, 503: OperationalError}
handler400 = urls.handler400
handler404 = urls.handler404
handler500 = urls.handler500


def trouble(request: HttpRequest, status: int) -> HttpResponse:
    """Fail as the status says; 403 is what Django answers to an old form."""
    if status not in TROUBLES:
        return csrf_failure(request)
    raise TROUBLES[status]


urlpatterns: list[URLPattern | URLResolver] = [
    *urls.urlpatterns,
    path("trouble/<int:status>/", trouble),
]
