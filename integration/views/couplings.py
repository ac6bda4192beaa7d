"""Coupled records: which record here is which record there."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, gettext_noop, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from integration.choices import Role
from integration.http import SignedInRequest, role_required
from integration.markup.parts import number
from integration.markup.records import coupled_sides
from integration.models import Coupling, PendingRecord, TableMapping
from integration.models.couplings import CouplingQuerySet
from integration.models.pending import PendingRecordQuerySet
from integration.services.articles import label_of
from integration.services.couplings import in_step
from integration.services.paging import Slice
from integration.services.pending import unlisted
from integration.services.places import place_of, read_places
from integration.views.addresses import (
    chosen,
    found_or_404,
    page_asked,
    say_dropped,
    whole_number,
)

Rows = CouplingQuerySet | PendingRecordQuerySet
TEXT_LENGTH = 100
ASIDE = (
    gettext_noop("It has no exchange rate, and no record uses it."),
    gettext_noop("The filter of the mapping leaves it out."),
    gettext_noop("It has no partner, and this mapping creates none."),
)
"""What the engine stores in English when it sets a record aside."""


@role_required(Role.VIEWER)
@require_safe
def couplings(request: SignedInRequest) -> HttpResponse:
    """Newest first, by mapping, number and name.

    ``?show=in_step`` are the pairs that agree. ``?skipped=1`` are records that are not
    tried any more, ``?show=unlisted`` those not in step that have no entry.
    """
    dropped: list[str] = []
    mapping = whole_number(request.GET, "mapping", dropped)
    text = request.GET.get("q", "").replace("\0", "")[:TEXT_LENGTH].strip()
    show = chosen(request.GET, "show", SHOWN, dropped)
    if request.GET.get("skipped") == "1":
        show = "skipped"
    found = of_mapping(SHOWN[show](), mapping)
    if text:
        found = found.found_by(text)
    page: Slice[Any] = page_asked(request.GET, found, dropped)
    rows: list[tuple[Any, Any]]
    if show in PENDING:
        rows = [(row, pending_words(row)) for row in page.rows]
    else:
        places = read_places()
        rows = [
            (row, coupled_sides(vars(row), places.of_coupling(row)))
            for row in page.rows
        ]
    say_dropped(request, dropped)
    context = {
        "section": "couplings",
        "page": page,
        "rows": rows,
        "mappings": mapping_chips(),
        "mapping": str(mapping) if mapping is not None else "",
        "text": text,
        "show": show,
        "is_pending": show in PENDING,
        "is_filtered": bool(mapping is not None or text or show),
    }
    return render(request, "integration/couplings/list.html", context)


def of_mapping(rows: Rows, mapping: int | None) -> Rows:
    """With their mappings; only those of one, if it is given."""
    found = rows.select_related("mapping")
    return found if mapping is None else found.filter(mapping=mapping)


PENDING: dict[str, Callable[[], PendingRecordQuerySet]] = {
    "skipped": lambda: PendingRecord.objects.filter(skipped_at__isnull=False),
    "unlisted": unlisted,
}
SHOWN: dict[str, Callable[[], Rows]] = {
    "": Coupling.objects.all,
    "in_step": in_step,
    **PENDING,
}


def pending_words(pending: PendingRecord) -> str:
    """Why it is not in step, in the reader's language.

    The engine sets a record aside before any try, or gives up after its last one.
    """
    if pending.skipped_at is None:
        if pending.attempts:
            return _("It is still tried; its entry was deleted.")
        return _("It waits for its first try.")
    if not pending.attempts:
        return _(pending.skip_reason)
    words = ngettext(
        "Gave up after %(n)s attempt.",
        "Gave up after %(n)s attempts.",
        pending.attempts,
    )
    return words % {"n": number(pending.attempts)}


def mapping_chips() -> list[dict[str, str]]:
    """Every mapping; with its connection where a name is not enough."""
    rows = list(TableMapping.objects.in_order().select_related("connection"))
    several = len({row.connection_id for row in rows}) > 1
    return [
        {
            "key": str(row.pk),
            "label": f"{row.name} ({row.connection.name})" if several else row.name,
        }
        for row in rows
    ]


@role_required(Role.VIEWER)
@require_safe
def coupling(request: SignedInRequest, coupling_id: int) -> HttpResponse:
    """Both records and what they last agreed on."""
    rows = Coupling.objects.select_related(
        "mapping__connection__business_central", "mapping__connection__sales"
    )
    gone = _("There is no such coupling; it may have been removed.")
    found = found_or_404(rows, coupling_id, gone)
    bc, sales = coupled_sides(vars(found), place_of(found.mapping))
    language = get_language() or "en"
    context = {
        "section": "couplings",
        "coupling": found,
        "both": [
            (bc, found.to_business_central_at, found.to_business_central_failed),
            (sales, found.to_sales_at, found.to_sales_failed),
        ],
        "values": [
            (label_of(name, language), value)
            for name, value in (found.values or {}).items()
        ],
    }
    return render(request, "integration/couplings/detail.html", context)
