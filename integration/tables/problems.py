"""The list by cause."""

from dataclasses import dataclass

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from integration.choices import Who
from integration.markup import parts
from integration.models import Problem
from integration.services.articles import RenderedArticle
from integration.services.causes import CauseCount
from integration.tables.columns import KeysetTable


@dataclass(frozen=True, slots=True)
class CauseRow:
    """One problem, told in the reader's language."""

    problem: Problem
    count: CauseCount
    article: RenderedArticle
    several_connections: bool


class ProblemTable(KeysetTable):
    """What is wrong, how many records, who, since when, the cure."""

    css = "list by-cause"
    row_css = "cause-row"
    what = tables.Column(
        verbose_name=gettext_lazy("What is wrong"),
        orderable=False,
        attrs={"css": "c-what"},
    )
    records = tables.Column(
        verbose_name=gettext_lazy("Records"), orderable=False, attrs={"css": "c-n"}
    )
    who = tables.Column(
        verbose_name=pgettext_lazy("who fixes it", "Who"),
        orderable=False,
        attrs={"css": "c-who"},
    )
    first = tables.Column(
        verbose_name=gettext_lazy("First seen"),
        orderable=False,
        attrs={"css": "c-since"},
    )
    seen = tables.Column(
        verbose_name=gettext_lazy("Last seen"), orderable=False, attrs={"css": "c-seen"}
    )
    cure = tables.Column(
        verbose_name=gettext_lazy("Cure"), orderable=False, attrs={"css": "c-cure"}
    )

    def cell_what(self, row: CauseRow) -> SafeString:
        where = ", ".join(row.count.mappings) or _("Set-up")
        if row.several_connections:
            where = f"{where} · {row.problem.connection.name}"
        waiting = row.count.waiting
        note = ngettext("· %(n)s of them waits", "· %(n)s of them wait", waiting) % {
            "n": parts.number(waiting)
        }
        return format_html(
            '<th scope="row" class="c-what"><span class="line"><a class="title" '
            'href="{}">{}</a></span><span class="sub"><span class="mapping">{}</span>'
            '<span class="cut">{}</span></span></th>',
            reverse("problem", args=[row.problem.pk]),
            row.article.title,
            where,
            note if waiting else "",
        )

    def cell_records(self, row: CauseRow) -> SafeString:
        n = row.count.relevant
        return format_html(
            '<td class="c-n"><span class="line end"><a class="big" href="{}?problem={}'
            '&amp;state=relevant">{}</a></span><span class="sub end">{}</span></td>',
            reverse("errors"),
            str(row.problem.pk),
            parts.number(n),
            ngettext("record", "records", n),
        )

    def cell_who(self, row: CauseRow) -> SafeString:
        return format_html(
            '<td class="c-who"><span class="line">{}</span></td>',
            Who(row.article.who).label,
        )

    def cell_first(self, row: CauseRow) -> SafeString:
        return format_html(
            '<td class="c-since"><span class="line">{}</span></td>',
            parts.ago(row.problem.first_seen),
        )

    def cell_seen(self, row: CauseRow) -> SafeString:
        return format_html(
            '<td class="c-seen"><span class="line">{}</span></td>',
            parts.ago(row.problem.last_seen),
        )

    def cell_cure(self, row: CauseRow) -> SafeString:
        link = row.article.cure_link
        if not link:
            return format_html(
                '<td class="c-cure"><a class="btn" href="{}">{}</a></td>',
                reverse("problem", args=[row.problem.pk]),
                _("What to do"),
            )
        if link.startswith("/"):
            return format_html(
                '<td class="c-cure"><a class="btn" href="{}">{}</a></td>',
                link,
                row.article.cure_label,
            )
        return format_html(
            '<td class="c-cure"><a class="btn" href="{}" target="_blank" '
            'rel="noopener"><span>{}</span>{}</a></td>',
            link,
            row.article.cure_label,
            parts.external(),
        )
