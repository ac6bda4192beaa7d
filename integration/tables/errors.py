"""The list of errors, and what a clean-up keeps of it."""

from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import datetime
from typing import Any, NamedTuple

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from integration.markup import parts
from integration.markup.error_row import (
    Frame,
    Told,
    deleted_line,
    error_row,
    second_line,
    seen_lines,
    side_lines,
)
from integration.markup.kept import blank
from integration.markup.looks import look_words
from integration.markup.records import side_link, source_and_destination
from integration.services.listed_rows import Row
from integration.services.places import Places
from integration.tables.columns import KeysetTable

SWAP = ' hx-swap-oob="true"'


def tell(rows: Sequence[dict[str, Any]], places: Places) -> None:
    """Give each row both its sides and the name of its connection."""
    for row in rows:
        row["source"], row["destination"] = source_and_destination(row, places.of(row))
        row["connection"] = places.connections[row["connection_id"]]


class ErrorTable(KeysetTable):
    """The head of the list; its rows come last: see ``error_rows``."""

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

    def __init__(self, sort: str, sort_href: Callable[[str], str]) -> None:
        super().__init__((), sort, sort_href)

    def body(self) -> SafeString:
        return blank("rows")


class _Drawn(NamedTuple):
    """Rows as they were sent, right as long as now lies between these two.

    It holds what its key tells apart by where it lies, which so stays its own.
    """

    markup: bytes
    since: datetime
    until: datetime
    rows: Sequence[Row]
    places: Places


MOST_DRAWN = 64
"""Pages of rows that a process keeps: some 6 MB."""
_drawn: dict[Hashable, _Drawn] = {}


def error_rows(
    rows: Sequence[Row], places: Places, titles: Mapping[int, str], frame: Frame
) -> bytes:
    """The rows as they are sent. ``titles`` are the sentences of problems, by id.

    A row is the same one as long as it is read the same, and so are places: who comes
    back to a page, or looks on, mostly finds what it was.
    """
    moments = parts.Moments()
    key = (*map(id, rows), id(places), *titles.values(), frame, moments.locale)
    drawn = _drawn.get(key)
    if drawn is None or not drawn.since <= moments.now < drawn.until:
        markup = _drawn_rows(rows, places, titles, frame, moments)
        drawn = _Drawn(markup, moments.now, moments.until, rows, places)
        if len(_drawn) >= MOST_DRAWN:
            _drawn.clear()
        _drawn[key] = drawn
    return drawn.markup


def _drawn_rows(
    rows: Iterable[Row],
    places: Places,
    titles: Mapping[int, str],
    frame: Frame,
    moments: parts.Moments,
) -> bytes:
    return b"".join(
        error_row(
            row["shown"],
            Told(
                titles[row["problem_id"]],
                row["problem__who"],
                row["seen"].retrying,
                moments.ago(row["last_seen"]),
                look_words(row["seen"], moments),
                places.connections[row["connection_id"]],
                places.of(row),
            ),
            frame,
        )
        for row in rows
    )


def renewed(rows: Iterable[Row], chips: Collection[str]) -> SafeString:
    """The words inside of rows that an open list shows, in place of the old ones.

    What is settled and under none of the list's chips any more healed there: rows of
    that kind have both their sides, whose links may be others now. What somebody has
    deleted says only that.
    """
    moments, told = parts.Moments(), []
    for row in rows:
        if row["deletion"]:
            told.append(deleted_line(row, SWAP))
            continue
        seen = row["seen"]
        told.append(
            second_line(
                row,
                look_words(seen, moments),
                is_retried=seen.retrying,
                healed="fixed" if row["chip"] in chips else "healed",
                swap=SWAP,
            )
        )
        told.append(seen_lines(row, moments.ago(row["last_seen"]), SWAP))
        if "source" in row and row["mapping_key"]:
            told.append(side_lines(row["source"], row["destination"], row["id"], SWAP))
    # Every one is markup that has escaped its values.
    return SafeString("".join(told))


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
