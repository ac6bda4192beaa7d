"""The filter of the error list: read from a query string and written back to it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import MAXYEAR, MINYEAR, UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from integration.choices import (
    Category,
    Chip,
    Direction,
    Moment,
    SettledReason,
    Who,
)
from integration.core.texts import cleaned, read_number
from integration.models.cuts import scope_q
from integration.models.errors import RELEVANT_CHIPS, SyncError
from integration.models.statements import Slots

RELEVANT = "relevant"
"""The chips open, waiting and ignored together."""
ALL = "all"
STATES = (*Chip.values, RELEVANT, ALL)
HEALED = "healed"
"""The reason *resolved* where no person's hand did it."""
REASONS = (*SettledReason.values, HEALED)
CHOICES: Mapping[str, Collection[str]] = {
    "state": STATES,
    "who": Who.values,
    "direction": Direction.values,
    "category": Category.values,
    "moment": Moment.values,
    "reason": REASONS,
}
"""What may be said of these names in a query string."""
_BOUNDED = {
    Moment.FIRST_SEEN: "first_seen",
    Moment.CAME_BACK: "reopened_at",
    Moment.SETTLED: "settled_at",
}
_LONGEST_SEARCH = 200
_MOST_RECORDS = 10


@dataclass(frozen=True, slots=True)
class ErrorFilter:
    """What a person asked to see; "" and ``None`` ask nothing.

    ``record`` holds source record ids. ``since`` and ``until`` bound ``last_seen``, or
    another ``moment`` if it is named, and include theirs. ``reason`` is why a row was
    settled; ``settled`` shows what was settled by that moment, ``unsettled`` what was
    not: the rows a preview counted.
    """

    state: str = Chip.OPEN.value
    q: str = ""
    who: str = ""
    connection: int | None = None
    mapping: str = ""
    direction: str = ""
    category: str = ""
    problem: int | None = None
    job: int | None = None
    record: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    moment: str = ""
    reason: str = ""
    settled: datetime | None = None
    unsettled: datetime | None = None

    def scope(self) -> dict[str, Any]:
        """The parts that also limit a clean-up, as an operation stores them."""
        parts: dict[str, Any] = {
            "connection": self.connection,
            "mapping": self.mapping,
            "direction": self.direction,
            "problem": self.problem,
            "record": sorted(self.record),
            "text": self.q,
        }
        return {name: value for name, value in parts.items() if value}

    def beyond_scope(self) -> dict[str, Q]:
        """The parts that limit only the list, by name in the query string."""
        parts = {
            "who": Q(problem__who=self.who) if self.who else None,
            "category": Q(problem__category=self.category) if self.category else None,
            "job": Q(job_id=self.job) if self.job else None,
            "from": Q(**{f"{self.bounded}__gte": self.since}) if self.since else None,
            "to": Q(**{f"{self.bounded}__lte": self.until}) if self.until else None,
            "reason": self.of_reason("settled_reason") if self.reason else None,
            "settled": Q(settled_at__lte=self.settled) if self.settled else None,
            "unsettled": self._still_relevant(),
        }
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def bounded(self) -> str:
        """The column that ``since`` and ``until`` are about."""
        return _BOUNDED[Moment(self.moment)] if self.moment else "last_seen"

    @property
    def bounds_a_moment(self) -> bool:
        """Whether a span of time other than *last seen* limits the list."""
        return bool(self.moment and (self.since or self.until))

    def of_reason(self, column: str) -> Q:
        """Settled for this reason; ``column`` names it as the list compares it."""
        if self.reason == HEALED:
            return Q(**{column: SettledReason.RESOLVED}, handled_by=None)
        return Q(**{column: self.reason}) if self.reason else Q()

    def _still_relevant(self) -> Q | None:
        if self.unsettled is None:
            return None
        # By id: beside a day, SQLite would walk every settled row for the few others.
        rows = SyncError.objects.filter(
            Q(settled_at__isnull=True) | Q(settled_at__gt=self.unsettled)
        )
        return Q(id__in=rows.order_by().values("id"))

    def matching(self) -> Q:
        """Everything but the state."""
        chosen = scope_q(self.scope())
        for part in self.beyond_scope().values():
            chosen &= part
        return chosen

    def is_only(self, *names: str) -> bool:
        """Whether it asks for nothing but a state and these parts."""
        rest = (part for part in fields(self) if part.name not in {"state", *names})
        return all(getattr(self, part.name) == part.default for part in rest)

    def query(self) -> dict[str, str]:
        """The query string that gives this filter; defaults are left out."""
        words: dict[str, str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                words[_NAMES.get(field.name, field.name)] = _written(value)
        return words


_NAMES = {"since": "from", "until": "to"}


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def chips_of(state: str) -> tuple[str, ...]:
    """The chips a state stands for; all four: no condition."""
    if state == RELEVANT:
        return tuple(chip.value for chip in RELEVANT_CHIPS)
    return tuple(Chip.values) if state == ALL else (state,)


def parse_filter(query: Mapping[str, str]) -> tuple[ErrorFilter, list[str]]:
    """The filter of a query string, and the names of what it said that makes no sense.

    Days are those of the current time zone; a moment carries its own.
    """
    values: dict[str, Any] = {}
    dropped: list[str] = []
    for name, (field, read) in _READERS.items():
        text = query.get(name, "").strip()
        if not text:
            continue
        value = read(text)
        if value is None:
            dropped.append(name)
        else:
            values[field] = value
    return ErrorFilter(**values), dropped


def _number(text: str) -> int | None:
    """One that stands for another in a statement names nothing either."""
    number = read_number(text)
    return None if number == Slots.COUNT else number or None


def _one_of(name: str) -> Callable[[str], str | None]:
    return lambda text: text if text in CHOICES[name] else None


def _search(text: str) -> str | None:
    signs = (sign if sign.isprintable() else " " for sign in cleaned(text))
    words = "".join(signs).replace("\ufffd", " ").split()
    return " ".join(words)[:_LONGEST_SEARCH] or None


def _key(text: str) -> str | None:
    return text if len(text) <= 50 and text.isprintable() else None


def _records(text: str) -> tuple[str, ...] | None:
    keys = {key.strip() for key in text.split(",")} - {""}
    fit = all(len(key) <= 36 and key.isprintable() for key in keys)
    return tuple(sorted(keys)) if fit and 0 < len(keys) <= _MOST_RECORDS else None


def _from(text: str) -> datetime | None:
    return _moment(text, timedelta(0))


def _to(text: str) -> datetime | None:
    return _moment(text, timedelta(days=1))


def _moment(text: str, after_day_start: timedelta) -> datetime | None:
    """A moment as given; of a day the first one or, with a day added, the last."""
    try:
        day = parse_date(text)
        if day is None:
            # A query string turns the plus of an offset into a blank.
            exact = parse_datetime(text.replace(" ", "+") if "T" in text else text)
            return _aware(exact) if exact else None
        start = _aware(datetime.combine(day + after_day_start, time.min))
    except (ValueError, OverflowError):
        return None
    return start - timedelta(microseconds=1) if after_day_start else start


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.get_current_timezone())
    if not MINYEAR < moment.year < MAXYEAR:
        raise ValueError("no calendar of another zone may have this day")
    return moment.astimezone(UTC)


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "state": ("state", _one_of("state")),
    "q": ("q", _search),
    "who": ("who", _one_of("who")),
    "connection": ("connection", _number),
    "mapping": ("mapping", _key),
    "direction": ("direction", _one_of("direction")),
    "category": ("category", _one_of("category")),
    "problem": ("problem", _number),
    "job": ("job", _number),
    "record": ("record", _records),
    "from": ("since", _from),
    "to": ("until", _to),
    "moment": ("moment", _one_of("moment")),
    "reason": ("reason", _one_of("reason")),
    "settled": ("settled", _to),
    "unsettled": ("unsettled", _to),
}

FILTER_NAMES = tuple(_READERS)
"""The names a query string may carry for a filter."""
