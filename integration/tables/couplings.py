"""Lists of coupled records, and of records the engine has stopped trying."""

from collections.abc import Sequence
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from integration.choices import System
from integration.markup import parts
from integration.markup.records import coupled_sides, side_link
from integration.models import Coupling, PendingRecord
from integration.services.places import Places
from integration.tables.columns import KeysetTable

ASIDE = (
    gettext_noop("It has no exchange rate, and no record uses it."),
    gettext_noop("The filter of the mapping leaves it out."),
)
"""What the engine stores in English when it sets a record aside."""


class CouplingTable(KeysetTable):
    """Pairs with both links."""

    css = "rows"
    pair = tables.Column(verbose_name=gettext_lazy("Pair"), orderable=False)
    bc = tables.Column(verbose_name="Business Central", orderable=False)
    sales = tables.Column(verbose_name="Sales", orderable=False)
    mapping = tables.Column(verbose_name=gettext_lazy("Mapping"), orderable=False)
    coupled = tables.Column(verbose_name=gettext_lazy("Coupled"), orderable=False)

    def __init__(self, rows: Sequence[Coupling], places: Places) -> None:
        super().__init__(rows)
        self.places = places

    def sides(self, coupling: Coupling) -> tuple[Any, Any]:
        mapping = coupling.mapping
        place = self.places.by_key[mapping.connection_id, mapping.name]
        return coupled_sides(vars(coupling), place)

    def cell_pair(self, coupling: Coupling) -> SafeString:
        return format_html(
            '<th scope="row"><a href="{}">{}</a></th>',
            reverse("coupling", args=[coupling.pk]),
            coupling,
        )

    def cell_bc(self, coupling: Coupling) -> SafeString:
        side, _other = self.sides(coupling)
        return format_html('<td><span class="ext">{}</span></td>', side_link(side))

    def cell_sales(self, coupling: Coupling) -> SafeString:
        _other, side = self.sides(coupling)
        return format_html('<td><span class="ext">{}</span></td>', side_link(side))

    def cell_mapping(self, coupling: Coupling) -> SafeString:
        return format_html("<td>{}</td>", coupling.mapping.name)

    def cell_coupled(self, coupling: Coupling) -> SafeString:
        return format_html('<td class="nowrap">{}</td>', parts.ago(coupling.coupled_at))


class SkippedTable(KeysetTable):
    """Records that are not tried any more until they change or someone retries."""

    css = "rows"
    record = tables.Column(verbose_name=gettext_lazy("Record"), orderable=False)
    mapping = tables.Column(verbose_name=gettext_lazy("Mapping"), orderable=False)
    why = tables.Column(verbose_name=gettext_lazy("Why"), orderable=False)
    since = tables.Column(verbose_name=gettext_lazy("Since"), orderable=False)

    def cell_record(self, pending: PendingRecord) -> SafeString:
        return format_html(
            '<th scope="row"><a href="{}?record={}&amp;state=all">{}</a> '
            '<span class="below">{}</span></th>',
            reverse("errors"),
            pending.record_id,
            pending,
            System(pending.side).label,
        )

    def cell_mapping(self, pending: PendingRecord) -> SafeString:
        return format_html("<td>{}</td>", pending.mapping.name)

    def cell_why(self, pending: PendingRecord) -> SafeString:
        return format_html("<td>{}</td>", skip_words(pending))

    def cell_since(self, pending: PendingRecord) -> SafeString:
        return format_html('<td class="nowrap">{}</td>', parts.ago(pending.skipped_at))


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
    return words % {"n": parts.number(pending.attempts)}
