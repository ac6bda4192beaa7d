"""The addresses of the benchmarks: the product's, and what it is measured against.

The peers show the same columns of the same rows as our list of errors.
"""

from typing import Any

import django_tables2 as tables
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from integration.admin import AnyAdmin
from integration.models import SyncError

_COLUMNS = (
    *("id", "problem", "mapping_key", "record_label", "sales_number", "sales_name"),
    *("direction", "chip", "occurrences", "last_seen"),
)


def ok(request: HttpRequest) -> HttpResponse:
    """The floor inside Django: session and user loaded, nothing else."""
    return HttpResponse(f"ok {request.user.pk}")


class StockAdmin(AnyAdmin):
    """Django's admin as its documentation shows it."""

    list_display = _COLUMNS
    list_filter = ("state", "mapping_key", "direction")
    list_select_related = ("problem",)
    list_per_page = 50

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class PlainTable(tables.Table):  # type: ignore[misc]  # the library has no types
    """django-tables2 as its tutorial shows it."""

    class Meta:
        model = SyncError
        fields = _COLUMNS


def naive(request: HttpRequest) -> HttpResponse:
    """A table of all rows, paged."""
    return _table(request, {"per_page": 50})


def lazy(request: HttpRequest) -> HttpResponse:
    """The same, without counting them."""
    pages = {"per_page": 50, "paginator_class": tables.LazyPaginator}
    return _table(request, pages)


def _table(request: HttpRequest, pages: dict[str, Any]) -> HttpResponse:
    rows = SyncError.objects.filter(chip="open").select_related("problem")
    table = PlainTable(rows.order_by("-last_seen", "-id"))
    tables.RequestConfig(request, paginate=pages).configure(table)
    return render(request, "django_tables2/table.html", {"table": table})


class OpenSite(admin.AdminSite):
    """For whoever is signed in."""

    def has_permission(self, request: HttpRequest) -> bool:
        return True


stock = OpenSite("stock")
stock.register(SyncError, StockAdmin)

urlpatterns = [
    path("peers/ok", ok),
    path("peers/admin/", stock.urls),
    path("peers/naive", naive),
    path("peers/lazy", lazy),
    path("", include("syncerrors.urls")),
]
