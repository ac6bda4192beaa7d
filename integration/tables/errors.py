"""The list of errors: two lines a row, every one of five questions answered in it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from integration.choices import Chip, Who
from integration.markup import parts
from integration.markup.records import (
    RecordSide,
    side_cell,
    side_link,
    source_and_destination,
)
from integration.services.places import Places
from integration.tables.columns import KeysetTable

Row = Mapping[str, Any]


def sides(error: Row, places: Places) -> tuple[RecordSide, RecordSide]:
    """Source and destination of one row."""
    return source_and_destination(error, places.of(error))


def tell(rows: Sequence[dict[str, Any]], places: Places) -> None:
    """Give each row both its sides and the name of its connection."""
    for row in rows:
        row["source"], row["destination"] = sides(row, places)
        row["connection"] = places.connections[row["connection_id"]]


def said_record(error: Row) -> str:
    """The record as a person knows it; of a set-up error its connection."""
    return str(error["source"].text or error["connection"])


class ErrorTable(KeysetTable):
    """Rows need ``title`` and, made here, both sides. ``query`` is this list's own."""

    css = "list"
    pick = tables.Column(
        verbose_name="", orderable=False, attrs={"css": "c-check"}, empty_values=()
    )
    what = tables.Column(
        verbose_name=gettext_lazy("What is wrong"),
        orderable=False,
        attrs={"css": "c-what"},
    )
    record = tables.Column(verbose_name=gettext_lazy("Source"), attrs={"css": "c-side"})
    destination = tables.Column(
        verbose_name=gettext_lazy("Destination"),
        orderable=False,
        attrs={"css": "c-side c-dest"},
    )
    who = tables.Column(
        verbose_name=pgettext_lazy("who fixes it", "Who"),
        orderable=False,
        attrs={"css": "c-who"},
    )
    last_seen = tables.Column(
        verbose_name=gettext_lazy("Last seen"), attrs={"css": "c-seen", "first": "-"}
    )
    act = tables.Column(verbose_name="", orderable=False, attrs={"css": "c-act"})

    def __init__(
        self,
        rows: Sequence[dict[str, Any]],
        places: Places,
        *,
        query: str,
        may_retry: bool,
        sort: str,
        sort_href: Callable[[str], str],
    ) -> None:
        tell(rows, places)
        super().__init__(rows, sort, sort_href)
        self.suffix = f"?{query}" if query else ""
        self.may_retry = may_retry
        self.words = {value: str(label) for value, label in Who.choices}

    def cell_pick(self, error: Row) -> SafeString:
        return format_html(
            '<td class="c-check"><label class="pick"><input type="checkbox"'
            ' name="entry" value="{}" aria-label="{}"></label></td>',
            str(error["id"]),
            _("Select %(record)s") % {"record": said_record(error)},
        )

    def cell_what(self, error: Row) -> SafeString:
        return format_html(
            '<th scope="row" class="c-what"><span class="line"><a class="title" '
            'href="{}{}" title="{}">{}</a></span><span class="sub">'
            '<span class="mapping">{}</span>{}</span></th>',
            reverse("error", args=[error["id"]]),
            self.suffix,
            error["title"],
            error["title"],
            error["mapping_key"] or _("Set-up"),
            badges(error),
        )

    def cell_record(self, error: Row) -> SafeString:
        if error["mapping_key"]:
            return side_cell(error["source"], "c-side")
        return format_html(
            '<td class="c-side"><span class="line"><a href="{}">{}</a></span>'
            '<span class="sub">{}</span></td>',
            reverse("connection", args=[error["connection_id"]]),
            error["connection"],
            _("Connection"),
        )

    def cell_destination(self, error: Row) -> SafeString:
        if error["mapping_key"]:
            return side_cell(error["destination"], "c-side c-dest")
        return format_html(
            '<td class="c-side c-dest"><span class="line none">{}</span></td>',
            _("no record"),
        )

    def cell_who(self, error: Row) -> SafeString:
        return format_html(
            '<td class="c-who"><span class="line"><span>{}</span></span></td>',
            self.words.get(error["problem__who"], ""),
        )

    def cell_last_seen(self, error: Row) -> SafeString:
        return format_html(
            '<td class="c-seen"><span class="line">{}</span><span class="sub">{}</span>'
            "</td>",
            parts.ago(error["last_seen"]),
            parts.times(error["occurrences"]),
        )

    def cell_act(self, error: Row) -> SafeString:
        href = reverse("error", args=[error["id"]])
        if not (self.may_retry and can_retry(error)):
            return format_html('<td class="c-act">{}</td>', "")
        retry, record = _("Retry"), said_record(error)
        return format_html(
            '<td class="c-act"><button class="btn btn-quiet" formaction="{0}retry/">{1}'
            '<span class="vh"> {2}</span></button><details class="menu more"><summary '
            'aria-label="{3}">{4}</summary><div class="sheet"><button formaction='
            '"{0}retry/">{1}</button><a href="{0}{5}">{6}</a></div></details></td>',
            href,
            retry,
            record,
            _("Actions for %(record)s") % {"record": record},
            parts.drawn("ellipsis", "i", ""),
            self.suffix,
            _("What to do"),
        )


def can_retry(error: Row) -> bool:
    """Whether trying again can change anything; without a record it is a check."""
    return error["settled_at"] is None


def badges(error: Row) -> SafeString:
    """Only what is not plainly open has one."""
    if error.get("retrying"):
        return parts.badge("retrying", _("retrying"))
    if error["waits_for"] and error["chip"] == Chip.WAITING:
        return parts.badge(
            "waiting", _("waiting for %(what)s") % {"what": error["waits_for"]}
        )
    if error["reopened_at"] and error["chip"] == Chip.OPEN:
        return parts.badge("came_back", _("came back"))
    return SafeString("")


class KeptTable(KeysetTable):
    """What a clean-up keeps, and why. Rows need ``title`` and ``why``."""

    css = "list kept"
    row_css = "kept-row"
    what = tables.Column(verbose_name=gettext_lazy("What is wrong"), orderable=False)
    record = tables.Column(
        verbose_name=gettext_lazy("Source"), orderable=False, attrs={"css": "c-rec"}
    )
    seen = tables.Column(
        verbose_name=gettext_lazy("Last seen"), orderable=False, attrs={"css": "c-old"}
    )
    why = tables.Column(
        verbose_name=gettext_lazy("Why it is kept"),
        orderable=False,
        attrs={"css": "c-why"},
    )

    def __init__(self, rows: Sequence[dict[str, Any]], places: Places) -> None:
        tell(rows, places)
        super().__init__(rows)

    def cell_what(self, error: Row) -> SafeString:
        return format_html(
            '<th scope="row"><span class="line"><a class="title" href="{}">{}</a>'
            '</span><span class="sub">{}</span></th>',
            reverse("error", args=[error["id"]]),
            error["title"],
            error["mapping_key"] or _("Set-up"),
        )

    def cell_record(self, error: Row) -> SafeString:
        if not error["mapping_key"]:
            return format_html(
                '<td class="c-rec"><span class="line"><span>{}</span></span></td>',
                error["connection"],
            )
        return format_html(
            '<td class="c-rec"><span class="line">{}</span><span class="sub">{}</span>'
            "</td>",
            side_link(error["source"]),
            error["source"].system.label,
        )

    def cell_seen(self, error: Row) -> SafeString:
        return format_html(
            '<td class="c-old"><span class="line">{}</span><span class="sub">{}</span>'
            "</td>",
            parts.day_of(error["last_seen"]),
            parts.times(error["occurrences"]),
        )

    def cell_why(self, error: Row) -> SafeString:
        return format_html(
            '<td class="c-why"><span class="why">{}</span></td>', error["why"]
        )
