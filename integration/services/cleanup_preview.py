"""What a clean-up would take, counted and listed before anything goes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from integration.choices import OperationKind, SettledReason
from integration.models import Operation, SyncError, TaughtArticle
from integration.models.cuts import Cut, scope_q
from integration.models.dialect import Unindexed
from integration.models.errors import SyncErrorQuerySet
from integration.services import moment
from integration.services.actors import (
    COMMAND_LINE,
    Actor,
    Refused,
    require_administrator,
    user_of,
)
from integration.services.error_filters import ErrorFilter
from integration.services.handling import undos_begun
from integration.services.listed_rows import read_rows
from integration.services.relevance import why_relevant

_SALT = "integration.cleanup"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CleanupRequest:
    """What a page or command asks for: days (``None``: all entries) and the filter."""

    older_than: int | None
    filters: ErrorFilter = field(default_factory=ErrorFilter)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A part of the list's filter that a clean-up does not keep to.

    ``name`` is that of the query string; ``beyond`` counts the finished entries that go
    although this part of the filter leaves them out of the list.
    """

    name: str
    value: str
    beyond: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a token carries: the scope that was shown, and how things stood.

    ``standing`` and ``ahead`` are what ``read_standing`` and ``read_ahead`` gave.
    """

    older_than: int | None
    instant: datetime
    cutoff: datetime
    scope: Mapping[str, Any]
    settled: int
    relevant: int
    standing: str
    ahead: str = ""

    def cut(self, id: int, *, include_relevant: bool) -> Cut:
        return Cut(id, self.instant, self.cutoff, include_relevant, self.scope)


@dataclass(frozen=True, slots=True)
class Preview:
    """Counts at ``instant``; the button deletes what they counted, or less.

    ``reasons`` counts the finished ones by ``SettledReason``. ``kept`` are the first of
    the relevant ones, as rows of the list with a sentence under ``why``.
    """

    request: CleanupRequest
    instant: datetime
    cutoff: datetime
    reasons: Mapping[str, int]
    relevant: int
    kept: list[dict[str, Any]]
    ignored: list[Ignored]
    undo_until: datetime
    token: str

    @property
    def settled(self) -> int:
        return sum(self.reasons.values())

    @property
    def total(self) -> int:
        return self.settled + self.relevant


def preview(request: CleanupRequest, by: Actor, *, shown: int = _SHOWN) -> Preview:
    """Count and list what the clean-up would take now, ``shown`` of the relevant ones.

    Takes T under the exclusive lock and counts after it is released: rows may leave the
    scope meanwhile, none can enter it.
    """
    require_administrator(by)
    filters = request.filters
    scope = filters.scope()
    with transaction.atomic():
        instant = moment.instant()
        cutoff = instant - timedelta(days=request.older_than or 0)
        everything = Cut(0, instant, cutoff, include_relevant=True, scope=scope)
        standing, ahead = read_standing(scope), read_ahead(everything)
    cuts = Operation.objects.cuts()
    rows = SyncError.objects.visible(cuts).filter(everything.hides())
    settled = Q(settled_at__lte=instant)
    reasons, relevant, beyond = _counts(rows, filters, settled)
    still = rows.filter(Q(settled_at__isnull=True) | Q(settled_at__gt=instant))
    first = still.order_by("-last_seen", "-id")[:shown]
    finished = sum(reasons.values())
    ticket = Ticket(
        *(request.older_than, instant, cutoff, scope, finished, relevant),
        *(standing, ahead),
    )
    return Preview(
        request=request,
        instant=instant,
        cutoff=cutoff,
        reasons=reasons,
        relevant=relevant,
        kept=[{**row, "why": why_relevant(row, instant)} for row in read_rows(first)],
        ignored=_ignored(filters, beyond, finished),
        undo_until=instant + timedelta(days=settings.UNDO_DAYS),
        token=_token(ticket, by),
    )


def _counts(
    rows: SyncErrorQuerySet, filters: ErrorFilter, settled: Q
) -> tuple[dict[str, int], int, dict[str, int]]:
    """Of the finished by reason, of the relevant, of the finished beyond the list.

    Every count in one statement, so that they add up.
    Grouped, because the database then counts a row once and not once for each reason.
    """
    parts = filters.beyond_scope()
    columns = [
        Count("id", filter=settled),
        Count("id"),
        *(Count("id", filter=settled & ~part) for part in parts.values()),
    ]
    named = {f"count_{place}": column for place, column in enumerate(columns)}
    groups = rows.order_by().values_list("settled_reason").annotate(**named)
    counted = {reason: counts for reason, *counts in groups}
    none = [0] * len(columns)
    finished, everything, *beyond = map(sum, zip(none, *counted.values(), strict=True))
    reasons = {reason: counted.get(reason, none)[0] for reason in SettledReason.values}
    return reasons, everything - finished, dict(zip(parts, beyond, strict=True))


def _ignored(
    filters: ErrorFilter, beyond: Mapping[str, int], finished: int
) -> list[Ignored]:
    words = filters.query()
    parts = [Ignored(name, words[name], count) for name, count in beyond.items()]
    if "state" in words:
        count = 0 if filters.state in {"resolved", "all"} else finished
        parts.insert(0, Ignored("state", words["state"], count))
    return parts


def _token(ticket: Ticket, by: Actor) -> str:
    return signing.dumps(
        {
            "by": _signer(by),
            "once": uuid4().hex,
            "older_than": ticket.older_than,
            "instant": ticket.instant.isoformat(),
            "cutoff": ticket.cutoff.isoformat(),
            "scope": dict(ticket.scope),
            "settled": ticket.settled,
            "relevant": ticket.relevant,
            "standing": ticket.standing,
            "ahead": ticket.ahead,
        },
        salt=_SALT,
    )


def _signer(by: Actor) -> int | str:
    user = user_of(by)
    return user.pk if user else COMMAND_LINE


def read_token(token: str, request: CleanupRequest, by: Actor) -> Ticket:
    """What the preview showed; raises ``Refused`` if it is not this one's."""
    try:
        said = signing.loads(token, salt=_SALT, max_age=settings.PREVIEW_TOKEN_SECONDS)
    except signing.SignatureExpired:
        raise Refused(
            _("This preview is older than an hour. Open it again to see what is there.")
        ) from None
    except signing.BadSignature:
        raise Refused(
            _("This preview was changed on its way. Open it again.")
        ) from None
    if said["by"] != _signer(by):
        raise Refused(_("This preview was made for another user. Open your own."))
    asked = (request.older_than, request.filters.scope())
    if (said["older_than"], said["scope"]) != asked:
        raise Refused(
            _("This preview was made for another filter. Open it again with this one.")
        )
    return Ticket(
        older_than=said["older_than"],
        instant=datetime.fromisoformat(said["instant"]),
        cutoff=datetime.fromisoformat(said["cutoff"]),
        scope=said["scope"],
        settled=said["settled"],
        relevant=said["relevant"],
        standing=said.get("standing", ""),
        ahead=said.get("ahead", ""),
    )


def read_standing(scope: Mapping[str, Any]) -> str:
    """What changes when rows that were seen before T come into this scope.

    An undo brings them back into sight, that of what was resolved by hand chunk by
    chunk before it ends, and what is taught gives them another cause and other words.
    To be read under the exclusive lock, as T is.
    """
    undone = Operation.objects.filter(kind=OperationKind.UNDO).order_by("-id")
    marks: list[Any] = list(undone.values_list("id", flat=True)[:1])
    marks += undos_begun().values_list("id", "result__restored")
    if {"problem", "text"} & set(scope):
        taught = TaughtArticle.objects.order_by("id")
        marks += taught.values_list("id", "edition", "withdrawn_at", "due_at")
    return hashlib.sha256(repr(marks).encode()).hexdigest()


def read_ahead(cut: Cut) -> str:
    """Which rows of a search count as settled after T; "" where none is.

    Until T is committed those are what was settled by a clock that has been set back
    since. What is settled later is called as it is then: a search may find it anew.
    """
    if "text" not in cut.scope:
        return ""
    rows = SyncError.objects.alias(seen=Unindexed("last_seen")).filter(
        scope_q(cut.scope), seen__lte=cut.cutoff, settled_at__gt=cut.instant
    )
    ids = list(rows.order_by("id").values_list("id", flat=True))
    return hashlib.sha256(repr(ids).encode()).hexdigest() if ids else ""
