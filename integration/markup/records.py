"""One of two records as a person reads it: name with link, or why there is none."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any, NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from integration.choices import Direction, Presence, System
from integration.markup import parts
from integration.services.places import Place

ICONS = {
    Presence.NOT_CREATED: "circle-dashed",
    Presence.DELETED: "trash-2",
    Presence.NO_ACCESS: "lock",
    Presence.NONE: "minus",
}


class RecordSide(NamedTuple):
    """A record on one side.

    ``href`` opens it in its own system. ``why`` says in words why there is no record;
    without it and without ``href`` the name alone is shown.
    """

    text: str
    system: System
    href: str = ""
    why: str = ""
    icon: str = "minus"


def record_name(number: str, name: str) -> str:
    """10250 Hôtel du Léman; what there is of it."""
    return f"{number} {name}".strip() or _("record without a name")


def source_and_destination(
    error: Mapping[str, Any], place: Place | None
) -> tuple[RecordSide, RecordSide]:
    """Both sides of an error, in the direction in which values travel."""
    bc, sales = both_sides(error, place)
    if error["direction"] == Direction.TO_BUSINESS_CENTRAL:
        return sales, bc
    return bc, sales


def both_sides(
    error: Mapping[str, Any], place: Place | None
) -> tuple[RecordSide, RecordSide]:
    """Business Central's and Sales' side of an error."""
    to_sales = error["direction"] != Direction.TO_BUSINESS_CENTRAL
    bc_link = sales_link = ""
    if place is not None:
        bc_link = place.business_central_link(error["bc_number"], error["bc_id"])
        sales_link = place.sales_link(error["sales_id"])
    return (
        side(
            System.BUSINESS_CENTRAL,
            error["bc_presence"],
            named(error["bc_number"] if to_sales else "", error["bc_name"])
            or error["bc_number"],
            bc_link,
            error["bc_deleted_at"],
        ),
        side(
            System.SALES,
            error["sales_presence"],
            named("" if to_sales else error["sales_number"], error["sales_name"])
            or error["sales_number"],
            sales_link,
            error["sales_deleted_at"],
        ),
    )


def named(number: str, name: str) -> str:
    return f"{number} {name}".strip()


def side(
    system: System,
    presence: str,
    text: str,
    href: str,
    deleted_at: datetime | None,
) -> RecordSide:
    """One side by what is known of its record."""
    if presence == Presence.EXISTS:
        return RecordSide(text or _("record without a name"), system, href)
    return RecordSide(
        text, system, why=reason(presence, deleted_at), icon=ICONS[Presence(presence)]
    )


def reason(presence: str, deleted_at: datetime | None) -> str:
    """not created yet; deleted on 12 Nov; no access."""
    if presence == Presence.DELETED and deleted_at is not None:
        return _("deleted on %(day)s") % {"day": parts.short_day(deleted_at)}
    return parts.labels(Presence)[presence]


def coupled_sides(
    coupling: Mapping[str, Any], place: Place
) -> tuple[RecordSide, RecordSide]:
    """Both records of a coupling."""
    bc_gone, sales_gone = coupling["bc_deleted_at"], coupling["sales_deleted_at"]
    number, name = coupling["bc_number"], coupling["bc_name"]
    return (
        side(
            System.BUSINESS_CENTRAL,
            Presence.DELETED if bc_gone else Presence.EXISTS,
            record_name(number, name),
            place.business_central_link(number, coupling["bc_id"]),
            bc_gone,
        ),
        side(
            System.SALES,
            Presence.DELETED if sales_gone else Presence.EXISTS,
            coupling["sales_name"] or name,
            place.sales_link(coupling["sales_id"]),
            sales_gone,
        ),
    )


class SideCells:
    """Cells of a list: name or reason, the system under it.

    A list has a hundred of these: words are looked up once for all of them.
    """

    def __init__(self) -> None:
        self.words = parts.labels(System)
        self.mark = parts.external()

    def __call__(self, side: RecordSide, css: str, key: str) -> str:
        return (
            f'<td class="{css}">{self.line(side, key)}<span class="sub">'
            f"{self.words[side.system]}</span></td>"
        )

    def line(self, side: RecordSide, key: str, swap: str = "") -> str:
        """Name or reason; by its key it can be renewed alone."""
        gone = " gone none" if side.why else ""
        return (
            f'<span class="line{gone}" id="{key}"{swap}>'
            f"{_linked(side, self.mark)}</span>"
        )


def plain_side(side: RecordSide) -> SafeString:
    """The same without icons, where our stylesheet is not."""
    if side.why or not side.href:
        return format_html("{}", side.why or side.text)
    return format_html(
        '<a href="{}" target="_blank" rel="noopener">{}</a>', side.href, side.text
    )


def side_link(side: RecordSide) -> SafeString:
    """The link in a new tab, or words."""
    return SafeString(_linked(side, parts.external()))


def _linked(side: RecordSide, mark: str) -> str:
    if side.why:
        return f"{parts.drawn(side.icon, 'i', '')}<span>{escape(side.why)}</span>"
    text = escape(side.text)
    if not side.href:
        return f'<span title="{text}">{text}</span>'
    return (
        f'<a href="{escape(side.href)}" target="_blank" rel="noopener" title="{text}">'
        f"{text}</a>{mark}"
    )
