"""A look in words: whether it is still so, and what an error was mended by."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from integration.choices import LookFound, SettledReason, System
from integration.markup import parts
from integration.services.articles import label_of
from integration.services.looks import Seen, is_anything_watched

FIELDS_TOLD = 3
SOON, LATER = "5", "30"
"""Seconds until a page asks again: while something is being mended, and else."""


def pace(seen: Iterable[Seen]) -> str:
    return SOON if any(one.is_lively for one in seen) else LATER


def pace_now() -> str:
    """Of a page that is about everything."""
    return SOON if is_anything_watched() else LATER


def look_words(seen: Seen | None, moments: parts.Moments) -> SafeString:
    """looked at 2 min ago: still so; fixed by the change of City at 10:42."""
    if seen is None:
        return SafeString("")
    if seen.settled_at is not None:
        return _ended_words(_Ended.of(seen), moments.locale)
    if seen.looked_at is None:
        is_watched = moments.is_to_come(seen.watched_until)
        words = _("being looked at") if is_watched else ""
    elif seen.looked_at < seen.last_seen or not seen.found:
        words = ""  # It has failed since, or the check did not come so far.
    else:
        ago, found = moments.ago(seen.looked_at), _FOUND[LookFound(seen.found)]()
        words = _("looked at %(ago)s: %(found)s") % {"ago": ago, "found": found}
    # Moments are markup, the words are the catalogue's: nothing to escape.
    return SafeString(f"<span>{words}</span>" if words else "")


class _Ended(NamedTuple):
    """How an error ended: all that its words are made of."""

    at: datetime
    reason: str
    change: tuple[tuple[str, Any], ...] | None

    @classmethod
    def of(cls, seen: Seen) -> "_Ended":
        change: tuple[tuple[str, Any], ...] | None = None
        if seen.change is not None and not _is_of_another_time(seen):
            change = tuple(
                (name, tuple(value) if isinstance(value, list) else value)
                for name, value in seen.change.items()
            )
        return cls(cast("datetime", seen.settled_at), seen.settled_reason, change)


def _is_of_another_time(seen: Seen) -> bool:
    """It has come back since a person settled it, and ended again by itself."""
    change, settled_at = seen.change or {}, seen.settled_at
    return bool(change.get("by") and settled_at) and (
        parse_datetime(change["at"]) != settled_at
    )


@lru_cache(maxsize=2_048)
def _ended_words(ended: _Ended, _locale: parts.Locale) -> SafeString:
    """Kept: most of what a list shows of them is settled for good."""
    if ended.reason == SettledReason.REPLACED:
        said = _("replaced at %(when)s") % {"when": _when(ended.at)}
        return format_html("<span>{}</span>", said)
    if ended.change is None:
        said = _("settled at %(when)s") % {"when": _when(ended.at)}
        return format_html("<span>{}</span>", said)
    mark = parts.drawn("circle-check", "i i-s i-good", "")
    return format_html("{}<span>{}</span>", mark, fixed_words(dict(ended.change)))


def failing_words(title: str, address: str) -> SafeString:
    """fails now for: Unknown country “ATLANTIS”, which leads there."""
    words = _("fails now for: %(title)s") % {"title": title}
    arrow = parts.drawn("arrow-right", "i i-s", "")
    link = '<a class="in-text" href="{}">{}</a>{}'
    return format_html(link, address, words, arrow)


_FOUND = {
    LookFound.SAME: lambda: _("still so"),
    LookFound.CHANGED: lambda: _("changed, being tried"),
    LookFound.GONE: lambda: _("a record is gone"),
    LookFound.NO_ACCESS: lambda: _("a record may not be read"),
    LookFound.NOT_READ: lambda: _("a system did not answer"),
}


def fixed_words(change: Mapping[str, Any]) -> str:
    """What an error was mended by, as far as the other side tells."""
    if change.get("by"):
        return _person_words(change)
    names = [label_of(name, get_language() or "en") for name in change["fields"]]
    if names and change.get("of"):
        of = {"what": _joined(names), "record": change["of"]}
        names = [_("%(what)s of %(record)s") % of]
    moment = _when(parse_datetime(change["at"]) if change["at"] else None)
    values = {
        "what": _joined(names),
        "system": str(System(change["side"]).label),
        "when": moment,
    }
    if change.get("of") and not names:
        values["what"] = change["of"]
        return _("fixed by the arrival of %(what)s at %(when)s") % values
    if names and moment:
        return _("fixed by the change of %(what)s at %(when)s") % values
    if names:
        return _("fixed by the change of %(what)s") % values
    if moment:
        return _("fixed by a change in %(system)s at %(when)s") % values
    return _("fixed by a change in %(system)s") % values


def _person_words(change: Mapping[str, Any]) -> str:
    values = {"name": change["by"], "when": _when(parse_datetime(change["at"]))}
    if change["by_hand"]:
        return _("resolved by %(name)s at %(when)s") % values
    return _("fixed by the answer of %(name)s at %(when)s") % values


def _joined(names: list[str]) -> str:
    more = len(names) - FIELDS_TOLD
    told = ", ".join(names[:FIELDS_TOLD])
    if more <= 0:
        return told
    words = ngettext("%(names)s and %(n)s more", "%(names)s and %(n)s more", more)
    return words % {"names": told, "n": parts.number(more)}


def _when(moment: datetime | None) -> str:
    if moment is None:
        return ""
    today = timezone.localtime().date() == timezone.localtime(moment).date()
    return parts.exact(moment, "TIME_FORMAT" if today else "DATETIME_FORMAT")
