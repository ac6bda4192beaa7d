"""When what is was last compared with what was told, and by which ways it can be told.

Workers may have different settings: one without the mail server must neither end what
the others send nor take what changed as told. So a way is on while any of them has it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from integration.choices import Channel
from integration.models import AlertLook
from integration.services.alert_recipients import channels_on

OFF_AFTER = timedelta(hours=1)
"""So long others have looked without this way, until it counts as turned off."""
_BY_ANYBODY = 1
_BY_CHANNEL = {Channel.MAIL.value: 2, Channel.WEBHOOK.value: 3}


@dataclass(frozen=True, slots=True)
class Looked:
    """``before`` is when somebody looked last, ``None`` if nobody ever did."""

    before: datetime | None
    channels: frozenset[str]


def look(now: datetime) -> Looked:
    """Note it, in a transaction; nobody else looks until that ends."""
    row, is_first = AlertLook.objects.select_for_update(no_key=True).get_or_create(
        pk=_BY_ANYBODY, defaults={"at": now}
    )
    before = None if is_first else row.at
    here = channels_on()
    channels = here | _elsewhere(before)
    looked = [_BY_ANYBODY, *(_BY_CHANNEL[one] for one in here)]
    AlertLook.objects.bulk_create(
        [AlertLook(pk=key, at=now) for key in looked],
        update_conflicts=True,
        update_fields=["at"],
        unique_fields=["id"],
    )
    return Looked(before, frozenset(channels))


def _elsewhere(before: datetime | None) -> set[str]:
    """What another worker has; while nobody looked at all, none was turned off."""
    if before is None:
        return set()
    rows = AlertLook.objects.in_bulk(_BY_CHANNEL.values())
    return {
        channel
        for channel, key in _BY_CHANNEL.items()
        if key in rows and before - rows[key].at < OFF_AFTER
    }
