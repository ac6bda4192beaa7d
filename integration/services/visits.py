"""Visits: when a person was last here, and what has happened since (product C10).

A visit ends with a pause of half an hour. What counts is a page that was opened: a part
of one that asks again by itself says nothing about who sits before it.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError

from integration import clock
from integration.choices import Chip, Moment
from integration.models import Operation, User
from integration.services.error_counts import count_chips
from integration.services.error_filters import HEALED, RELEVANT, ErrorFilter
from integration.services.operations import by_colleagues

PAUSE = timedelta(minutes=30)
PRECISION = timedelta(minutes=1)
"""Presence is written down no more often. What was recorded just before and committed
just after a page was read is news, too."""


@dataclass(frozen=True, slots=True)
class News:
    """What happened since; ``None``: more than are counted.

    The filters are those of the lists that hold exactly these rows. What is new or came
    back and is in order again is healed only. ``changes`` are operations of others.
    """

    since: datetime
    new: int | None
    healed: int | None
    came_back: int | None
    changes: int

    @property
    def is_any(self) -> bool:
        counts = (self.new, self.healed, self.came_back, self.changes)
        return any(count != 0 for count in counts)


def note_visit(user: User) -> None:
    """This person opened a page; a write at most once a minute."""
    now, seen = clock.now(), user.seen_at
    if seen and seen <= now < seen + PRECISION:
        return
    away = user.away_since
    if seen and now - seen >= PAUSE:
        away = seen - PRECISION
    # Presence is worth no page: it is shown although nothing can be written.
    with suppress(DatabaseError):
        # Of two tabs that wake at once the first one ends the pause.
        mine = User.objects.filter(pk=user.pk, seen_at=seen)
        if mine.update(seen_at=now, away_since=away):
            user.seen_at, user.away_since = now, away
        else:
            user.refresh_from_db(fields=["seen_at", "away_since"])


def catch_up(user: User) -> None:
    """This person has read the news; what follows is told at the next visit, or now."""
    user.away_since = clock.now()
    user.save(update_fields=["away_since"])


def read_news(user: User) -> News | None:
    """``None`` at the first visit: there is nothing to compare with. Five queries."""
    since = user.away_since
    if since is None:
        return None
    cuts = Operation.objects.cuts()
    new, healed, came_back = (
        count_chips(filters, cuts).of(filters.state) for filters in news_filters(since)
    )
    changes = by_colleagues(user, since).count()
    return News(since, new, healed, came_back, changes)


def news_filters(since: datetime) -> tuple[ErrorFilter, ErrorFilter, ErrorFilter]:
    """The lists of what is new, what healed and what came back."""
    return (
        ErrorFilter(state=RELEVANT, moment=Moment.FIRST_SEEN.value, since=since),
        ErrorFilter(
            state=Chip.RESOLVED.value,
            moment=Moment.SETTLED.value,
            since=since,
            reason=HEALED,
        ),
        ErrorFilter(state=RELEVANT, moment=Moment.CAME_BACK.value, since=since),
    )
