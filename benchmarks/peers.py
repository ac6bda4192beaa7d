"""The addresses of the benchmarks: the product's, and what it is measured against."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def ok(request: HttpRequest) -> HttpResponse:
    """The floor inside Django: session and user loaded, nothing else."""
    return HttpResponse(f"ok {request.user.pk}")


urlpatterns = [path("ok", ok), path("", include("syncerrors.urls"))]
