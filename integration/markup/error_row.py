"""One row of the list of errors as markup: two lines that answer five questions.

A page has some four hundred cells, and most of its rows are those of a moment ago. So
a row is made of nothing but what its key holds, and is kept.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from html import escape
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from integration.choices import Chip, SettledReason, Who
from integration.markup import parts
from integration.markup.records import RecordSide, SideCells, source_and_destination
from integration.models.errors import LIST_COLUMNS
from integration.services.listed_rows import KEPT, Row
from integration.services.places import Place


class Frame(NamedTuple):
    """What the rows of one page share; language and zone are those in force.

    ``query`` is the list's own, which goes along to each error's page.
    """

    query: str
    may_retry: bool
    language: str
    zone: str

    @classmethod
    def of(cls, query: str, *, may_retry: bool) -> "Frame":
        """For the reader of this page."""
        zone = timezone.get_current_timezone_name()
        return cls(query, may_retry, get_language() or "", zone)


class Told(NamedTuple):
    """What is told of an error beside its columns; ``ago`` and ``look`` are markup."""

    title: str
    who: str
    is_retried: bool
    ago: str
    look: str
    connection: str
    place: Place | None


class _Words(NamedTuple):
    """What every row says, looked up once a language."""

    base: str
    select: str
    retry: str
    actions: str
    to_do: str
    dots: str
    who: Mapping[str, str]
    side: SideCells


@lru_cache(maxsize=KEPT)
def error_row(shown: tuple[Any, ...], told: Told, frame: Frame) -> bytes:
    """The row as it is sent; ``shown`` are the values of the columns a list reads."""
    error = dict(zip(LIST_COLUMNS, shown, strict=True))
    words = _words(frame.language)
    source, destination = source_and_destination(error, told.place)
    said = str(source.text or told.connection)
    href = f"{words.base}{error['id']}/"
    suffix = escape(f"?{frame.query}") if frame.query else ""
    is_record = bool(error["mapping_key"])
    return "".join(
        (
            # Where to tell that somebody has opened one of its records.
            f'<tr data-watch="{href}watch/">',
            _pick(error["id"], words.select % {"record": said}),
            _what(error, told, f"{href}{suffix}"),
            words.side(source, "c-side", f"from-{error['id']}")
            if is_record
            else _connection(error["connection_id"], told.connection),
            words.side(destination, "c-side c-dest", f"to-{error['id']}")
            if is_record
            else _no_record(),
            '<td class="c-who"><span class="line"><span>'
            f"{words.who.get(told.who, '')}</span></span></td>",
            f'<td class="c-seen">{seen_lines(error, told.ago)}</td>',
            _act(href, suffix, said, words)
            if frame.may_retry and can_retry(error)
            else '<td class="c-act"></td>',
            "</tr>\n",
        )
    ).encode()


@cache
def _words(language: str) -> _Words:
    return _Words(
        base=reverse("errors"),
        select=_("Select %(record)s"),
        retry=_("Retry"),
        actions=_("Actions for %(record)s"),
        to_do=_("What to do"),
        dots=parts.drawn("ellipsis", "i", ""),
        who=parts.labels(Who),
        side=SideCells(),
    )


def _pick(key: int, label: str) -> str:
    return (
        '<td class="c-check"><label class="pick"><input type="checkbox"'
        f' name="entry" value="{key}" aria-label="{escape(label)}"></label></td>'
    )


def _what(error: Row, told: Told, href: str) -> str:
    title = escape(told.title)
    return (
        f'<th scope="row" class="c-what"><span class="line"><a class="title" '
        f'href="{href}" title="{title}">{title}</a></span>'
        f"{second_line(error, told.look, is_retried=told.is_retried)}</th>"
    )


def _connection(key: int, name: str) -> str:
    """Where a set-up error has its source."""
    return (
        '<td class="c-side"><span class="line">'
        f'<a href="{reverse("connection", args=[key])}" title="{escape(name)}">'
        f"{escape(name)}</a></span>"
        f'<span class="sub">{_("Connection")}</span></td>'
    )


def _no_record() -> str:
    none = _("no record")
    return f'<td class="c-side c-dest"><span class="line none">{none}</span></td>'


def _act(href: str, suffix: str, record: str, words: _Words) -> str:
    label = escape(words.actions % {"record": record})
    # The page stays where it is; without a script it is asked for anew.
    retry = f'formaction="{href}retry/" hx-post="{href}retry/"'
    return (
        f'<td class="c-act"><button class="btn btn-quiet" {retry}'
        f'>{words.retry}<span class="vh"> {escape(record)}</span></button>'
        f'<details class="menu more"><summary aria-label="{label}">{words.dots}'
        f'</summary><div class="sheet"><button {retry}>{words.retry}'
        f'</button><a href="{href}{suffix}">{words.to_do}</a>'
        "</div></details></td>"
    )


def second_line(
    error: Row, look: str, *, is_retried: bool, healed: str = "fixed", swap: str = ""
) -> str:
    """Mapping, state and what the latest look found: it can be renewed alone."""
    is_over = error["settled_at"] and error["settled_reason"] != SettledReason.REPLACED
    badge = _badge(error, is_retried=is_retried)
    return _second_line(error, badge, look, f" {healed}" if is_over else "", swap)


def deleted_line(error: Row, swap: str) -> str:
    """What an open list says of a row that somebody deleted; Undo is behind it."""
    href = reverse("operation", args=[error["deletion"]])
    words = f'<a class="in-text" href="{href}">{_("deleted from the list")}</a>'
    return _second_line(error, "", words, " deleted", swap)


def _second_line(error: Row, badge: str, look: str, css: str, swap: str) -> str:
    return (
        f'<span class="sub" id="look-{error["id"]}"{swap}><span class="mapping">'
        f"{escape(error['mapping_key'] or _('Set-up'))}</span>"
        f'{badge}<span class="cut look{css}">{look}</span></span>'
    )


def side_lines(source: RecordSide, destination: RecordSide, key: int, swap: str) -> str:
    """Both records of a row, to take the place of those that are shown."""
    line = SideCells().line
    return line(source, f"from-{key}", swap) + line(destination, f"to-{key}", swap)


def seen_lines(error: Row, ago: str, swap: str = "") -> str:
    """When it failed last, and how often it has."""
    key, times = error["id"], parts.times(error["occurrences"])
    return (
        f'<span class="line" id="seen-{key}"{swap}>{ago}</span>'
        f'<span class="sub" id="times-{key}"{swap}>{times}</span>'
    )


def can_retry(error: Row) -> bool:
    """Whether trying again can change anything; without a record it is a check."""
    return error["settled_at"] is None


def _badge(error: Row, *, is_retried: bool) -> SafeString:
    """Only what is not plainly open has one; of what is settled its look tells."""
    if error["settled_at"]:
        return SafeString("")
    if is_retried:
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
