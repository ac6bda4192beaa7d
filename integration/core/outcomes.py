"""How one record of a job ended: what the job counts and the error list records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from integration.core.failures import Failure
from integration.core.records import Direction


class OutcomeKind(StrEnum):
    """The endings of a record; every record read has exactly one (promise 2)."""

    INSERTED = "inserted"
    MODIFIED = "modified"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"
    DELETED = "deleted"
    COUPLED = "coupled"
    UNCOUPLED = "uncoupled"
    FILTERED_OUT = "filtered_out"


class Presence(StrEnum):
    """What is known of one of the two records."""

    EXISTS = "exists"
    NOT_CREATED = "not_created"
    DELETED = "deleted"
    NO_ACCESS = "no_access"
    NONE = "none"


class RecordRef(NamedTuple):
    """One of the two records, as a person knows it."""

    id: str = ""
    number: str = ""
    name: str = ""
    presence: Presence = Presence.NONE
    deleted_at: datetime | None = None

    @property
    def label(self) -> str:
        return f"{self.number} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that no server said: the engine, or a set-up check, found it.

    ``article`` is a catalog id ("bc-currency-no-exchange-rate"), ``params`` the named
    culprits of its title ({"currency": "EUR"}); ``message`` an English sentence.
    """

    article: str
    params: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something was not done.

    ``waits_for`` is set for a missing partner, with the ``fingerprint`` of its error;
    ``intent`` while a creation may have been done after all. ``others`` are records of
    the other side that stand in the way.
    """

    failure: Failure | None = None
    finding: Finding | None = None
    waits_for: str = ""
    fingerprint: str = ""
    intent: dict[str, Any] | None = None
    others: tuple[RecordRef, ...] = ()

    @property
    def code(self) -> str:
        if self.failure:
            return self.failure.code
        return self.finding.article if self.finding else ""

    @property
    def message(self) -> str:
        said = self.failure or self.finding
        return said.message if said else ""


class Note(StrEnum):
    """What the engine decided about a record because a rule or a person said so."""

    BUSINESS_CENTRAL_WON = "business_central_won"
    SALES_WON = "sales_won"
    MERGED = "merged"
    ANSWERED = "answered"
    RESTORED = "restored"
    UNCOUPLED = "uncoupled"
    DELETED = "deleted"


class Outcome(NamedTuple):
    """What became of one record in one direction.

    ``record_key`` is the source record's id (a conflict: the Business Central id, with
    direction to Sales). A failed outcome carries a ``failure`` or a ``finding``;
    ``waits_for`` ("CURRENCY:EUR") says that it is not tried until that arrives.
    ``values`` are both sides' mapped values at that moment, for the detail page:
    {"business_central": {…}, "sales": {…}, "last": {…}} keyed by Business Central
    field. ``note`` says what was decided where that is not plain.
    """

    kind: OutcomeKind
    direction: Direction
    record_key: str
    bc: RecordRef = RecordRef()
    sales: RecordRef = RecordRef()
    failure: Failure | None = None
    finding: Finding | None = None
    waits_for: str = ""
    values: Mapping[str, Any] | None = None
    call_stack: str = ""
    note: Note | None = None
