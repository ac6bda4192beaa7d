"""A look at both records of an error: are they there, and are they as they failed?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integration.core.outcomes import Presence
from integration.core.records import System
from integration.core.snapshots import Snapshot
from integration.core.texts import storable
from integration.core.values import digest

VERSION_LENGTH = 250
"""So much of a version is stored."""


@dataclass(frozen=True, slots=True)
class Failed:
    """One record as it was when its error was last seen.

    ``etag`` is the version tried then, else the one found by an earlier look; "" for an
    unknown one. A record that is not created yet has no ``id``. ``own`` are the fields
    that we have written since.
    """

    id: str = ""
    etag: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    own: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """One record as it was found; ``may_read``: whether the system let us look."""

    record: Snapshot | None = None
    may_read: bool = True

    def presence(self, failed: Failed) -> Presence:
        """Whether a link to it leads anywhere."""
        if not failed.id:
            return Presence.NONE
        if not self.may_read:
            return Presence.NO_ACCESS
        return Presence.EXISTS if self.record else Presence.DELETED


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody changed in one record since it failed.

    ``fields`` are mapped ones; none when the change is outside the mapping.
    """

    side: System
    fields: tuple[str, ...]
    at: datetime | None


def change_of(side: System, failed: Failed, seen: Seen) -> Change | None:
    """The version tells that something changed, the values what.

    A version that we wrote ourselves tells nothing, and our values are nobody's.
    """
    record = seen.record
    if record is None:
        return None
    fields = tuple(
        name
        for name, value in record.values.items()
        if name in failed.values.keys() - failed.own
        and storable(value) != failed.values[name]
    )
    is_other = bool(failed.etag) and record.etag[:VERSION_LENGTH] != failed.etag
    is_new = is_other and not failed.own
    return Change(side, fields, record.modified_at) if fields or is_new else None


def version_of(seen: Mapping[System, Seen]) -> str:
    """The same as long as neither record changes."""
    return digest(
        {
            side.value: one.record.etag if one.record else one.may_read
            for side, one in seen.items()
        }
    )
