"""What the engine asks of a system, and what comes back."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from integration.core.failures import Failure
from integration.core.records import Page, Record, System


class Create(NamedTuple):
    """A record to be made. ``key`` is our own id for it.

    Business Central ignores ``key`` and gives the record an id of its own.
    """

    key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """Changed columns of an existing record. ``etag`` goes out as ``If-Match``."""

    id: str
    values: Mapping[str, Any]
    etag: str


@dataclass(frozen=True, slots=True)
class Delete:
    """A record to be deleted, as it was read. ``etag`` goes out as ``If-Match``."""

    id: str
    etag: str


class Written(NamedTuple):
    """A write that was done: the record as the system answered it.

    One that ``is_as_sent`` holds what was sent: the answer named it, and no more.
    """

    record: Record
    is_as_sent: bool = False


WriteResult = Written | Failure


LONGEST_NAME = 250
"""Characters of what a company, a user or a role is called."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the other side says we are.

    ``role_template_ids`` are those of the user's roles (Sales only); ``role_ids``
    stand in the order of ``role_names``. ``user_id`` is
    empty for Business Central, which does not say; ``name`` is there the company's.
    """

    user_id: str = ""
    name: str = ""
    role_template_ids: tuple[str, ...] = ()
    role_names: tuple[str, ...] = ()
    role_ids: tuple[str, ...] = ()
    is_disabled: bool = False
    is_licensed: bool = True
    access_mode: int | None = None


class Connector(Protocol):
    """One system, opened with one sign-in.

    Reads raise ``connectors.errors.RemoteError`` (it carries a ``Failure``). Writes
    return one ``WriteResult`` per request in the order given. They raise only what
    concerns the whole connection (``ConnectionRefused``) or asks everybody to wait
    (``Throttled``), and only while no request of this call has been done: afterwards
    the rest comes back as failures of the kinds CONNECTION or THROTTLED, so that no
    result is lost.

    A LOST_ANSWER may or may not have been done. One with a ``status`` was answered by
    a 5xx for a whole batch: send such records in calls of one the next time, so that a
    record that breaks its batch stands alone.

    ``fetched`` counts by entity what its lists have held; a delta's word that a record
    was deleted is one too. ``goes_on_seconds`` is how long a call may still be carried
    out that nobody waits for any more.
    """

    system: System
    fetched: Counter[str]
    goes_on_seconds: float

    def read_changes(
        self, entity: str, fields: Sequence[str], cursor: str
    ) -> Iterator[Page]:
        """Records changed since ``cursor`` ("" = all), page by page.

        The last page carries the next cursor. Raises ``CursorExpired``.

        Business Central: cursors are moments in ISO 8601 and compare as text. The
        first is the system's time when the first read began, later ones the newest
        change seen. The caller subtracts the overlap before it passes one, and keeps
        the greater of what it had and what it gets: a read that sees nothing returns
        the cursor it was given.
        Sales: cursors are delta links; an overlap is neither needed nor possible.
        """
        ...

    def read_all(
        self,
        entity: str,
        fields: Sequence[str],
        where: str = "",
        most: int | None = None,
    ) -> Iterator[Page]:
        """Every record that meets ``where`` (an OData filter), page by page.

        Whoever keeps them all says how many there are at ``most``: more are refused.
        """
        ...

    def read_many(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Record]:
        """The records with these ids that exist, in as few calls as the side allows."""
        ...

    def read_one(self, entity: str, fields: Sequence[str], id: str) -> Record:
        """One record by id. Raises ``NotFound``."""
        ...

    def read_each(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> list[WriteResult]:
        """Each by its own id, for what no list has: the record as ``Written``, a
        failure of the kind NOT_FOUND where it is gone, or why it may not be read.
        """
        ...

    def create_many(
        self, entity: str, fields: Sequence[str], creates: Sequence[Create]
    ) -> list[WriteResult]:
        """Create; ``fields`` are what each answered record must hold.

        Sales creates in bulk and then answers with ids only: ``etag`` is "",
        ``modified_at`` is ``None`` and ``values`` are those sent, lookups by the name
        they are read by. The next ``read_changes`` brings the rest. A key that exists
        already is a failure of the kind EXISTS.
        """
        ...

    def update_many(
        self, entity: str, fields: Sequence[str], updates: Sequence[Update]
    ) -> list[WriteResult]:
        """Update with ``If-Match`` on every part.

        An update without an etag is not sent: it comes back as STALE, to be re-read.
        """
        ...

    def delete_many(self, entity: str, deletes: Sequence[Delete]) -> list[WriteResult]:
        """Delete with ``If-Match`` on every part.

        What was done comes back as ``Written`` with the id alone; a record that is not
        there is a failure of the kind NOT_FOUND.
        """
        ...

    def identity(self) -> Identity:
        """Who we are there; the cheapest call that proves sign-in and address."""
        ...

    def be_patient(self, seconds: float) -> None:
        """From now on wait so long for a turn, within bounds, before ``Throttled``."""
        ...

    def server_time(self) -> datetime | None:
        """The ``Date`` of the last answer; ``None`` before the first."""
        ...

    def close(self) -> None:
        """Give up the connection pool."""
        ...
