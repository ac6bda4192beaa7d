"""The small parts of HTML that tables and templates share: icons, moments, states."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import TextChoices
from django.forms.utils import flatatt
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from lucide.templatetags.lucide import lucide

from integration import clock
from integration.choices import (
    CheckState,
    Delivery,
    EntryKind,
    ErrorState,
    ItemOutcome,
    JobState,
    OperationState,
    SettledReason,
)

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
RELATIVE_DAYS = 30

BADGES: dict[str, tuple[str, str]] = {
    "retrying": ("badge-retry", "rotate-cw"),
    "waiting": ("", "hourglass"),
    "came_back": ("badge-back", "undo-2"),
    ErrorState.OPEN: ("badge-open", "circle-alert"),
    ErrorState.IGNORED: ("", "bell-off"),
    ErrorState.RESOLVED: ("badge-good", "circle-check"),
    SettledReason.REPLACED: ("", "replace"),
    SettledReason.BOTH_DELETED: ("", "trash-2"),
    JobState.QUEUED: ("", "hourglass"),
    JobState.RUNNING: ("badge-retry", "rotate-cw"),
    JobState.SUCCEEDED: ("badge-good", "circle-check"),
    JobState.FAILED: ("badge-open", "circle-x"),
    OperationState.DONE: ("badge-good", "circle-check"),
    OperationState.IN_FORCE: ("badge-good", "circle-check"),
    OperationState.CANCELLED: ("", "circle-off"),
    OperationState.UNDONE: ("", "undo-2"),
    OperationState.PURGING: ("", "trash-2"),
    OperationState.PURGED: ("", "trash-2"),
    EntryKind.CONFLICT: ("badge-back", "triangle-alert"),
    EntryKind.AMBIGUOUS: ("badge-back", "triangle-alert"),
    Delivery.SENDING: ("badge-retry", "send"),
    Delivery.SENT: ("badge-good", "circle-check"),
    Delivery.UNKNOWN: ("badge-back", "circle-question-mark"),
    Delivery.GIVEN_UP: ("badge-open", "circle-x"),
    ItemOutcome.CHOSEN: ("", "hourglass"),
    ItemOutcome.PENDING: ("badge-retry", "rotate-cw"),
    ItemOutcome.HEALED: ("badge-good", "circle-check"),
    ItemOutcome.NOT_TRIED: ("", "circle-off"),
    ItemOutcome.CHANGED: ("", "replace"),
    ItemOutcome.GONE: ("", "trash-2"),
    "cause": ("badge-cause", "triangle-alert"),
    "paused": ("badge-back", "circle-pause"),
    "review": ("badge-back", "list-checks"),
    "off": ("", "circle-off"),
    "good": ("badge-good", "circle-check"),
    "bad": ("badge-open", "triangle-alert"),
}
"""Colour and icon of every state, in one place; the word comes from ``choices``."""


_STYLED = re.compile(r' stroke-[a-z]+="[^"]*"')
"""What the stylesheet says of every icon, and no icon is lost without; a list would
carry it 150 times."""


SHARED = (
    *("arrow-right", "circle-check", "circle-dashed", "ellipsis", "external-link"),
    *("lock", "minus", "trash-2"),
)
"""What a list shows in every row stands once in each page: with all their lines they
were a quarter of a list."""


@lru_cache(maxsize=512)
def drawn(name: str, classes: str, label: str) -> SafeString:
    """One icon, kept: a list draws the same six a few hundred times."""
    extra = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    if name in SHARED:
        about = {"class": classes, "width": "24", "height": "24", **extra}
        return format_html('<svg{}><use href="#i-{}"/></svg>', flatatt(about), name)
    tag, paths = _lines(name, **{"class": classes}, **extra)
    return SafeString(f"{tag}>{paths}</svg>")


@cache
def shared_icons() -> SafeString:
    """Those of ``SHARED``, for every page to refer to; nobody sees them here."""
    symbols = (
        f'<symbol id="i-{name}" viewBox="0 0 24 24">{_lines(name)[1]}</symbol>'
        for name in SHARED
    )
    return SafeString(f'<svg hidden width="0" height="0">{"".join(symbols)}</svg>')


def _lines(name: str, **attributes: str) -> tuple[str, str]:
    """The tag of an icon as far as its end, and what is drawn in it."""
    tag, lines = lucide(name, size=None, **attributes).split(">", 1)
    paths = "".join(map(str.strip, lines.splitlines())).removesuffix("</svg>")
    # The file is lucide's own, and so are the names of its icons.
    return _STYLED.sub("", tag), paths


def icon(name: str, classes: str = "i", label: str = "") -> SafeString:
    """A lucide icon inline; without a label it says nothing to a screen reader."""
    return drawn(name, classes, str(label))


def badge(state: str, word: Any) -> SafeString:
    """Outline, icon and word; never colour alone."""
    colour, name = BADGES.get(state, ("", "circle"))
    return format_html(
        '<span class="badge {}">{}{}</span>', colour, drawn(name, "i i-s", ""), word
    )


MARKS = {
    CheckState.OK: ("circle-check", "i i-good"),
    CheckState.WARN: ("info", "i i-warn"),
    CheckState.UNCHECKED: ("circle-dashed", "i i-muted"),
    CheckState.FAIL: ("triangle-alert", "i i-bad"),
}
"""Icon and colour of each answer of a check."""


def check_mark(state: str) -> SafeString:
    """The mark in front of a line of a check, with its word."""
    known = CheckState(state)
    return icon(*MARKS[known], str(known.label))


def external() -> SafeString:
    """The mark of a link that leaves this page."""
    return drawn("external-link", "i i-s", _("opens in a new tab"))


def number(value: int | None) -> str:
    """Grouped as the reader's language groups: 1,204 or 1 204."""
    return _grouped(value or 0, get_language() or "")


@lru_cache(maxsize=2_048)
def _grouped(value: int, language: str) -> str:
    return formats.number_format(value, use_l10n=True, force_grouping=True)


def labels(choices: type[TextChoices]) -> Mapping[str, str]:
    """The word of each choice in the reader's language."""
    return _labels(choices, get_language() or "")


@cache
def _labels(choices: type[TextChoices], language: str) -> Mapping[str, str]:
    return {value: str(label) for value, label in choices.choices}


def exact(moment: datetime, form: str = "DATETIME_FORMAT") -> str:
    """A moment in the reader's zone and language: 22 Nov 2026, 08:05."""
    return _written(timezone.localtime(moment), form)


def _written(local: datetime, form: str) -> str:
    """To the second at most, which is all that our formats show."""
    bare = local.replace(microsecond=0, tzinfo=None)
    return _formatted(bare, form, get_language() or "")


@lru_cache(maxsize=8_192)
def _formatted(bare: datetime, form: str, language: str) -> str:
    """Kept, because the first pages are read again and again."""
    return formats.date_format(bare, form)


def when(moment: datetime | None, form: str = "DATETIME_FORMAT") -> str:
    """The exact moment, machine-readable too; a dash for none."""
    if moment is None:
        return "–"
    return format_html(
        '<time datetime="{}">{}</time>', moment.isoformat(), exact(moment, form)
    )


def to_the_second(moment: datetime) -> str:
    """The exact instant with its zone, as a preview names it."""
    return when(moment, "SHORT_DATETIME_FORMAT")


def day(moment: datetime | None) -> str:
    """Only the day: 22 Dec 2026."""
    return when(moment, "DATE_FORMAT")


def ignored(until: datetime | None) -> str:
    """Until when: a day, or that further records fail for its cause."""
    if until is None:
        return _("ignored until its cause grows")
    return _("ignored until %(day)s") % {"day": exact(until, "DATE_FORMAT")}


def on_day(moment: datetime) -> SafeString:
    """With the day of the week, which is what people remember: Friday 20 Nov 2026."""
    weekday = _written(timezone.localtime(moment), "l")
    return format_html("{} {}", weekday, when(moment))


class Locale(NamedTuple):
    """What words about moments depend on beside these: whose they are, and the day."""

    language: str
    zone: tzinfo
    today: date


MOST_TOLD = 4_096
_ALWAYS = datetime.max.replace(tzinfo=UTC)


class _Told(NamedTuple):
    """A moment in words that are right as long as now lies between these two."""

    markup: SafeString
    since: datetime
    until: datetime


@lru_cache(maxsize=16)
def _told(_language: str, _zone: tzinfo) -> dict[datetime, _Told]:
    """Those that this process has told: a list has the same fifty again and again."""
    return {}


class Moments:
    """The moments and counts of one page: language, zone and now are asked for once.

    ``until`` is when the first of what was asked of it is answered otherwise.
    """

    def __init__(self) -> None:
        self.zone = timezone.get_current_timezone()
        self.language = get_language() or ""
        self.now = clock.now()
        today = self.now.astimezone(self.zone).date()
        self.locale = Locale(self.language, self.zone, today)
        self.until = _ALWAYS
        self._told = _told(self.language, self.zone)

    def ago(self, moment: datetime) -> SafeString:
        """Relative to read, exact to trust: in its title moment, zone and offset."""
        told = self._told.get(moment)
        if told is None or not told.since <= self.now < told.until:
            words, until = self._relative(moment)
            # Zones and formats are ours, words of the catalogue: nothing to escape.
            stamp = _stamp(moment, self.zone, self.language)
            told = _Told(SafeString(f"{stamp}{words}</time>"), self.now, until)
            if len(self._told) >= MOST_TOLD:
                self._told.clear()
            self._told[moment] = told
        if told.until < self.until:
            self.until = told.until
        return told.markup

    def is_to_come(self, moment: datetime | None) -> bool:
        """Whether it is after now."""
        if moment is None or moment <= self.now:
            return False
        self.until = min(self.until, moment)
        return True

    def relative(self, moment: datetime) -> str:
        """2 min ago, 3 h ago, 6 days ago; older than a month, or to come: the day."""
        return self._relative(moment)[0]

    def _relative(self, moment: datetime) -> tuple[str, datetime]:
        """With the moment until which it is so."""
        seconds = int((self.now - moment).total_seconds())
        if seconds < 0:
            return exact(moment), moment
        if seconds > RELATIVE_DAYS * DAY + DAY - 1:
            return _long_ago(moment, self.zone, self.language), _ALWAYS
        unit = next((one for one in (DAY, HOUR) if seconds >= one), MINUTE)
        n = seconds // unit
        until = moment + timedelta(seconds=unit * (n + 1))
        return _span(unit, n, self.language), until

    def times(self, occurrences: int) -> str:
        """once, or 12 times."""
        return _times(occurrences, self.language)


def ago(moment: datetime | None) -> str:
    """A moment for people, once."""
    return "–" if moment is None else Moments().ago(moment)


def short_day(moment: datetime) -> str:
    """14 Nov; with its year, if that is another one: 14 Nov 2025."""
    this_year = timezone.localtime(clock.now()).year == timezone.localtime(moment).year
    return exact(moment, "SHORT_DATE_FORMAT" if this_year else "DATE_FORMAT")


def day_of(moment: datetime) -> SafeString:
    """14 Nov, with the exact moment as its title."""
    words = short_day(moment)
    zone, language = timezone.get_current_timezone(), get_language() or ""
    return SafeString(f"{_stamp(moment, zone, language)}{words}</time>")


@lru_cache(maxsize=8_192)
def _stamp(moment: datetime, zone: tzinfo, language: str) -> str:
    """The tag before the words, in the zone and language that are in force."""
    local = moment.astimezone(zone)
    return (
        f'<time datetime="{local.isoformat(timespec="seconds")}" title="'
        f'{_written(local, "DATETIME_FORMAT")} ({zone_name(local)})">'
    )


def zone_name(local: datetime) -> str:
    """Europe/Zurich, UTC+01:00."""
    offset = local.strftime("%z")
    return f"{timezone.get_current_timezone_name()}, UTC{offset[:3]}:{offset[3:]}"


@lru_cache(maxsize=8_192)
def _long_ago(moment: datetime, _zone: tzinfo, _language: str) -> str:
    """Its day, in the zone and language that are in force."""
    return exact(moment, "DATE_FORMAT")


@lru_cache(maxsize=512)
def _span(unit: int, n: int, language: str) -> str:
    """So many units ago, in the language that is in force."""
    if n == 0:
        return _("just now")
    if unit == MINUTE:
        return _("%(n)s min ago") % {"n": n}
    if unit == HOUR:
        return _("%(n)s h ago") % {"n": n}
    return ngettext("%(n)s day ago", "%(n)s days ago", n) % {"n": n}


def duration(seconds: int) -> str:
    """2 h 10 min, or 14 min."""
    hours, minutes = divmod(seconds // MINUTE, 60)
    if hours:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
    return _("%(n)s min") % {"n": minutes}


def interval(seconds: int) -> str:
    """30 s, 5 min, 1 h 30 min: exactly, as it was set."""
    minutes, rest = divmod(seconds, MINUTE)
    hours, minutes = divmod(minutes, 60)
    units = ((hours, _("%(n)s h")), (minutes, _("%(n)s min")), (rest, _("%(n)s s")))
    return " ".join(words % {"n": n} for n, words in units if n)


def zone() -> str:
    """The name of the reader's time zone."""
    return timezone.get_current_timezone_name()


def times(occurrences: int) -> str:
    """once, or 12 times."""
    return _times(occurrences, get_language() or "")


@lru_cache(maxsize=2_048)
def _times(occurrences: int, language: str) -> str:
    if occurrences == 1:
        return _("once")
    return _("%(n)s times") % {"n": number(occurrences)}


def other_languages(current: str) -> list[tuple[str, str, str]]:
    """The languages to switch to: code, name in itself, its two letters."""
    return [
        (code, name, code[:2].upper())
        for code, name in settings.LANGUAGES
        if code != current
    ]


def initials(user: Any) -> str:
    """Anna Rochat is AR; without a name the first letters of the user name."""
    words = user.get_full_name().split() or [user.get_username()]
    letters = "".join(word[0] for word in words[:2]) if len(words) > 1 else words[0][:2]
    return letters.upper()
