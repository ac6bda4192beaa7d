"""The list of errors as a file to keep: CSV and XLSX."""

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from integration import clock
from integration.choices import Role
from integration.http import SignedInRequest, role_required
from integration.services import export
from integration.services.error_chunks import Row
from integration.services.error_list import sort_of
from integration.services.error_sort import Sort
from integration.views.listings import Listing, read_listing
from integration.views.wording import filter_words

_T = TypeVar("_T")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@role_required(Role.VIEWER)
@require_safe
def csv_file(request: SignedInRequest) -> HttpResponseBase:
    """Streamed. The head's last cell says when it was made and of what."""
    listing, now = read_listing(request.GET), clock.now()
    if listing.dropped:
        return back_to_list(request)
    sort = sort_of(listing.filters, listing.sort)
    words = {"moment": iso(now), "list": list_words(listing, sort)}
    head = [*export.heads(), _("Exported %(moment)s: %(list)s") % words]
    write = csv_writer(request)
    pieces = chain([write([head])], rows(request, listing, sort, write))
    return csv_answer(pieces, file_name(now))


def csv_writer(request: SignedInRequest) -> Callable[[Iterable[Sequence[Any]]], bytes]:
    """With the separator that was asked for or is usual in the language."""
    usual = "semicolon" if language().startswith("fr") else "comma"
    asked = request.GET.get("delimiter", usual)
    return export.csv_writer(DELIMITERS.get(asked, DELIMITERS[usual]))


def csv_answer(pieces: Iterable[bytes], name: str) -> HttpResponseBase:
    """Streamed, with the mark by which Excel knows UTF-8."""
    content = chain([codecs.BOM_UTF8], pieces)
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


@role_required(Role.VIEWER)
@require_safe
def xlsx_file(request: SignedInRequest) -> HttpResponseBase:
    """Written to a temporary file first: an XLSX is a ZIP, whose index is its end."""
    listing, now = read_listing(request.GET), clock.now()
    if listing.dropped:
        return back_to_list(request)
    sort = sort_of(listing.filters, listing.sort)
    about = [(_("Exported"), iso(now)), (_("List"), list_words(listing, sort))]
    lines = rows(request, listing, sort, list)
    file = export.write_xlsx(lines, export.heads(), about)
    name = f"{file_name(now)}.xlsx"
    return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)


def back_to_list(request: SignedInRequest) -> HttpResponseBase:
    """A file of another list than was asked for would pass for it; the page says so."""
    return redirect(f"{reverse('errors')}?{request.GET.urlencode()}")


def rows(
    request: SignedInRequest,
    listing: Listing,
    sort: Sort,
    make: Callable[[list[Row]], _T],
) -> Iterator[_T]:
    address = request.build_absolute_uri(reverse("errors"))
    return export.read_rows(listing.filters, sort, language(), address, make)


def language() -> str:
    return get_language() or "en"


def list_words(listing: Listing, sort: Sort) -> str:
    """Errors: open, newest first, mapping CUSTOMER."""
    return ", ".join((listing.title(sort), *filter_words(listing.filters, language())))


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def file_name(moment: datetime) -> str:
    return f"errors-{moment:%Y-%m-%dT%H%M%SZ}"
