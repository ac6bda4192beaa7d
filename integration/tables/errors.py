"""The list of errors: two lines a row, every one of five questions answered in it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from integration.choices import Chip, SettledReason, Who
from integration.markup import parts
from integration.markup.looks import look_words
from integration.markup.records import (
    RecordSide,
    SideCells,
    side_link,
    source_and_destination,
)
from integration.services.places import Places
from integration.tables.columns import KeysetTable

Row = Mapping[str, Any]
SWAP = ' hx-swap-oob="true"'


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
        self.base = reverse("errors")
        self.suffix = escape(f"?{query}") if query else ""
        self.may_retry = may_retry
        self.said = {
            "select": _("Select %(record)s"),
            "setup": _("Set-up"),
            "retry": _("Retry"),
            "actions": _("Actions for %(record)s"),
            "todo": _("What to do"),
            "dots": parts.drawn("ellipsis", "i", ""),
        }
        self.words = parts.labels(Who)
        self.side = SideCells()
        self.moments = parts.Moments()

    # A page has some four hundred cells. format_html, gettext and reverse in each of
    # them were two thirds of its time, so words and addresses are found once a table.

    def start(self, record: Row) -> str:
        """A row says where to tell that somebody has opened one of its records."""
        return f'<tr data-watch="{self.base}{record["id"]}/watch/">'

    def cell_pick(self, error: Row) -> str:
        label = escape(self.said["select"] % {"record": said_record(error)})
        return (
            '<td class="c-check"><label class="pick"><input type="checkbox"'
            f' name="entry" value="{error["id"]}" aria-label="{label}"></label></td>'
        )

    def cell_what(self, error: Row) -> str:
        title = escape(error["title"])
        return (
            '<th scope="row" class="c-what"><span class="line"><a class="title" '
            f'href="{self.base}{error["id"]}/{self.suffix}" title="{title}">{title}</a>'
            f"</span>{second_line(error, self.said['setup'], self.moments)}</th>"
        )

    def cell_record(self, error: Row) -> str:
        if error["mapping_key"]:
            return self.side(error["source"], "c-side", f"from-{error['id']}")
        address = reverse("connection", args=[error["connection_id"]])
        return (
            f'<td class="c-side"><span class="line"><a href="{address}">'
            f'{escape(error["connection"])}</a></span><span class="sub">'
            f"{_('Connection')}</span></td>"
        )

    def cell_destination(self, error: Row) -> str:
        if error["mapping_key"]:
            return self.side(error["destination"], "c-side c-dest", f"to-{error['id']}")
        none = _("no record")
        return f'<td class="c-side c-dest"><span class="line none">{none}</span></td>'

    def cell_who(self, error: Row) -> str:
        who = self.words.get(error["problem__who"], "")
        return f'<td class="c-who"><span class="line"><span>{who}</span></span></td>'

    def cell_last_seen(self, error: Row) -> str:
        seen, times = error["last_seen"], error["occurrences"]
        return (
            f'<td class="c-seen"><span class="line">{self.moments.ago(seen)}</span>'
            f'<span class="sub">{self.moments.times(times)}</span></td>'
        )

    def cell_act(self, error: Row) -> str:
        if not (self.may_retry and can_retry(error)):
            return '<td class="c-act"></td>'
        href, said = f"{self.base}{error['id']}/", self.said
        record = said_record(error)
        label = escape(said["actions"] % {"record": record})
        return (
            f'<td class="c-act"><button class="btn btn-quiet" formaction="{href}retry/"'
            f'>{said["retry"]}<span class="vh"> {escape(record)}</span></button>'
            f'<details class="menu more"><summary aria-label="{label}">{said["dots"]}'
            f'</summary><div class="sheet"><button formaction="{href}retry/">'
            f'{said["retry"]}</button><a href="{href}{self.suffix}">{said["todo"]}</a>'
            "</div></details></td>"
        )


def second_line(
    error: Row,
    setup: str,
    moments: parts.Moments,
    healed: str = "fixed",
    swap: str = "",
) -> str:
    """Mapping, state and what the latest look found: it can be renewed alone."""
    is_over = error["settled_at"] and error["settled_reason"] != SettledReason.REPLACED
    css = f" {healed}" if is_over else ""
    return (
        f'<span class="sub" id="look-{error["id"]}"{swap}><span class="mapping">'
        f"{escape(error['mapping_key'] or setup)}</span>{badges(error)}"
        f'<span class="cut look{css}">{look_words(error.get("seen"), moments)}</span>'
        "</span>"
    )


def renewed(rows: Iterable[Row], chips: Collection[str]) -> SafeString:
    """The words inside of rows that an open list shows, in place of the old ones.

    What is settled and under none of the list's chips any more healed there: rows of
    that kind have both their sides, whose links may be others now.
    """
    setup, moments, side = _("Set-up"), parts.Moments(), SideCells()
    told = []
    for row in rows:
        healed = "fixed" if row["chip"] in chips else "healed"
        told.append(second_line(row, setup, moments, healed, SWAP))
        if "source" in row and row["mapping_key"]:
            told.append(side.line(row["source"], f"from-{row['id']}", SWAP))
            told.append(side.line(row["destination"], f"to-{row['id']}", SWAP))
    # Every one is markup that has escaped its values.
    return SafeString("".join(told))


def can_retry(error: Row) -> bool:
    """Whether trying again can change anything; without a record it is a check."""
    return error["settled_at"] is None


def badges(error: Row) -> SafeString:
    """Only what is not plainly open has one; of what is settled its look tells."""
    if error["settled_at"]:
        return SafeString("")
    seen = error.get("seen")
    if seen and seen.retrying:
        return parts.badge("retrying", _("retrying"))
    if error["waits_for"] and error["chip"] == Chip.WAITING:
        return parts.badge(
            "waiting", _("waiting for %(what)s") % {"what": error["waits_for"]}
        )
    if error["chip"] == Chip.IGNORED:
        return parts.badge(Chip.IGNORED, parts.ignored(error["ignored_until"]))
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
