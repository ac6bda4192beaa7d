"""Coupled records: which record here is which record there."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, gettext_noop, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from integration.choices import Role
from integration.http import SignedInRequest, role_required
from integration.markup.parts import number
from integration.markup.records import coupled_sides
from integration.models import Coupling, PendingRecord, TableMapping
from integration.services.articles import label_of
from integration.services.paging import Slice, newest_first
from integration.services.places import place_of, read_places
from integration.views.addresses import say_dropped, whole_number

TEXT_LENGTH = 100
ASIDE = (
    gettext_noop("It has no exchange rate, and no record uses it."),
    gettext_noop("The filter of the mapping leaves it out."),
)
"""What the engine stores in English when it sets a record aside."""


@role_required(Role.VIEWER)
@require_safe
def couplings(request: SignedInRequest) -> HttpResponse:
    """Newest first, by mapping and number; ``?skipped=1`` shows what is not tried."""
    dropped: list[str] = []
    mapping = whole_number(request.GET, "mapping", dropped)
    text = request.GET.get("q", "").replace("\0", "")[:TEXT_LENGTH].strip()
    skipped = request.GET.get("skipped") == "1"
    after = whole_number(request.GET, "after", dropped)
    before = whole_number(request.GET, "before", dropped)
    rows: list[tuple[Any, Any]] = []
    if skipped:
        found = PendingRecord.objects.filter(skipped_at__isnull=False)
        page: Slice[Any] = newest_first(found.select_related("mapping"), after, before)
        rows = [(row, skip_words(row)) for row in page.rows]
    else:
        page = newest_first(matching(mapping, text), after, before)
        places = read_places().by_key
        rows = [
            (
                row,
                coupled_sides(
                    vars(row), places[row.mapping.connection_id, row.mapping.name]
                ),
            )
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
        "skipped": skipped,
        "is_filtered": bool(mapping is not None or text or skipped),
    }
    return render(request, "integration/couplings/list.html", context)


def matching(mapping: int | None, text: str) -> Any:
    """Couplings of a mapping, whose number begins so."""
    found = Coupling.objects.select_related("mapping")
    if mapping is not None:
        found = found.filter(mapping=mapping)
    if text:
        found = found.filter(bc_number__startswith=text)
    return found


def skip_words(pending: PendingRecord) -> str:
    """Why it is tried no more, in the reader's language.

    The engine sets a record aside before any try, or gives up after its last one.
    """
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
            "label": f"{row.connection.name}: {row.name}" if several else row.name,
        }
        for row in rows
    ]


@role_required(Role.VIEWER)
@require_safe
def coupling(request: SignedInRequest, coupling_id: int) -> HttpResponse:
    """Both records and what they last agreed on."""
    found = (
        Coupling.objects.select_related(
            "mapping__connection__business_central", "mapping__connection__sales"
        )
        .filter(pk=coupling_id)
        .first()
    )
    if found is None:
        raise Http404(_("There is no such coupling; it may have been removed."))
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
