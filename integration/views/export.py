"""The list of errors as a file to keep: CSV and XLSX."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

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
from integration.services.error_list import sort_of
from integration.services.error_sort import Sort
from integration.views.listings import Listing, read_listing
from integration.views.wording import filter_words

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
    lines = rows(request, listing, sort)
    return csv_answer(request, lines, head, file_name(now))


def csv_answer(
    request: SignedInRequest,
    lines: Iterable[list[export.Row]],
    head: Sequence[str],
    name: str,
) -> HttpResponseBase:
    """Streamed, with the separator that was asked for or is usual in the language."""
    usual = "semicolon" if language().startswith("fr") else "comma"
    delimiter = DELIMITERS.get(request.GET.get("delimiter", usual), DELIMITERS[usual])
    pieces = export.write_csv(lines, head, delimiter)
    response = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
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
    file = export.write_xlsx(rows(request, listing, sort), export.heads(), about)
    name = f"{file_name(now)}.xlsx"
    return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)


def back_to_list(request: SignedInRequest) -> HttpResponseBase:
    """A file of another list than was asked for would pass for it; the page says so."""
    return redirect(f"{reverse('errors')}?{request.GET.urlencode()}")


def rows(
    request: SignedInRequest, listing: Listing, sort: Sort
) -> Iterator[list[export.Row]]:
    address = request.build_absolute_uri(reverse("errors"))
    return export.read_rows(listing.filters, sort, language(), address)


def language() -> str:
    return get_language() or "en"


def list_words(listing: Listing, sort: Sort) -> str:
    """Errors: open, newest first, mapping CUSTOMER."""
    return ", ".join((listing.title(sort), *filter_words(listing.filters, language())))


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def file_name(moment: datetime) -> str:
    return f"errors-{moment:%Y-%m-%dT%H%M%SZ}"
