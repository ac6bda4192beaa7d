"""One remote refusal as a value: grouping, retrying and showing read its fields."""

from dataclasses import dataclass
from enum import StrEnum

from integration.core.records import System


class FailureKind(StrEnum):
    """What the engine does about a failure (design §6, table of retries)."""

    THROTTLED = "throttled"
    """429 and its kin: wait, ``retry_after_seconds`` first."""
    TRANSIENT = "transient"
    """A 5xx, a time-out, a broken connection before anything was done."""
    LOST_ANSWER = "lost_answer"
    """The request was sent and no answer came: it may or may not have been done."""
    STALE = "stale"
    """409 or 412: the record changed since it was read."""
    NOT_FOUND = "not_found"
    """404 on the record itself."""
    EXISTS = "exists"
    """A record with this primary key exists already (only Sales, only creates)."""
    CONNECTION = "connection"
    """Sign-in, licence, admin mode, wrong address: nothing else would pass either."""
    REFUSED = "refused"
    """Any other refusal of this one request."""
    EXPIRED_CURSOR = "expired_cursor"
    """A stored delta link is no longer valid: read everything again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one request, or one part of a batch, was not done.

    ``code`` is the service's own code ("0x80040220",
    "Internal_EntityWithSameKeyExists", "AADSTS50055") or one of ours for what never
    reached a service. ``message`` is whole, without the correlation suffix of Business
    Central. ``request`` and ``response`` are what a person may be shown later:
    redacted, at most 16 kB each.
    """

    system: System
    kind: FailureKind
    code: str
    message: str
    status: int = 0
    operation: str = ""
    field: str = ""
    request_id: str = ""
    retry_after_seconds: float | None = None
    request: str = ""
    response: str = ""
