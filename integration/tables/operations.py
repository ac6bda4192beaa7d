"""The list of operations."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, pgettext_lazy

from integration.markup import parts
from integration.models import Operation
from integration.services.sentences import in_words
from integration.tables.columns import KeysetTable


class OperationTable(KeysetTable):
    """Who did what, why, when."""

    css = "rows"
    what = tables.Column(verbose_name=gettext_lazy("Operation"), orderable=False)
    who = tables.Column(verbose_name=pgettext_lazy("did it", "Who"), orderable=False)
    why = tables.Column(verbose_name=gettext_lazy("Why"), orderable=False)
    rows_count = tables.Column(
        verbose_name=gettext_lazy("Entries"), orderable=False, attrs={"css": "num"}
    )
    state = tables.Column(verbose_name=gettext_lazy("State"), orderable=False)
    when = tables.Column(verbose_name=gettext_lazy("When"), orderable=False)

    def cell_what(self, operation: Operation) -> SafeString:
        return format_html(
            '<th scope="row"><a href="{}">{}</a></th>',
            reverse("operation", args=[operation.pk]),
            operation.get_kind_display(),
        )

    def cell_who(self, operation: Operation) -> SafeString:
        return format_html("<td>{}</td>", operation.by_name)

    def cell_why(self, operation: Operation) -> SafeString:
        return format_html(
            "<td>{}</td>", in_words(operation.scope.get("why"), operation.reason) or "–"
        )

    def cell_rows_count(self, operation: Operation) -> SafeString:
        return format_html(
            '<td class="num">{}</td>',
            parts.number(operation.rows) if operation.rows else "–",
        )

    def cell_state(self, operation: Operation) -> SafeString:
        return format_html(
            "<td>{}</td>", parts.badge(operation.state, operation.get_state_display())
        )

    def cell_when(self, operation: Operation) -> SafeString:
        return format_html(
            '<td class="nowrap">{}</td>', parts.ago(operation.created_at)
        )
