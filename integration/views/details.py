"""What one error's page says: both records, history, technical details."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from integration.choices import OperationKind, SettledReason
from integration.models import Operation, SyncError
from integration.services.articles import label_of

__all__ = ["Event", "FieldRow", "field_rows", "history"]

OPERATIONS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of both records; ``is_cause`` marks the offending one."""

    label: str
    business_central: Any
    sales: Any
    last: Any
    differs: bool
    is_cause: bool


def field_rows(error: SyncError, language: str) -> list[FieldRow]:
    """Both records' mapped values at the last attempt: cause, differing, equal."""
    values: Mapping[str, Any] = error.values or {}
    sides = [values.get(name) or {} for name in ("business_central", "sales", "last")]
    names = list(dict.fromkeys(name for side in sides for name in side))
    rows = [
        FieldRow(
            label=label_of(name, language),
            business_central=sides[0].get(name),
            sales=sides[1].get(name),
            last=sides[2].get(name),
            differs=sides[0].get(name) != sides[1].get(name),
            is_cause=bool(error.field) and error.field == name,
        )
        for name in names
    ]
    return sorted(rows, key=lambda row: (not row.is_cause, not row.differs))


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history, newest first."""

    icon: str
    text: str
    at: datetime | None
    who: str = ""
    quote: str = ""
    operation: int | None = None
    job: int | None = None
    tone: str = ""


def history(error: SyncError) -> list[Event]:
    """Attempts, what people did, and how it ended."""
    events = [first_seen(error), *acts(error)]
    if error.occurrences > 1:
        events.append(last_attempt(error))
    if error.reopened_at:
        events.append(Event("undo-2", _("Came back"), error.reopened_at))
    if error.settled_at:
        reason = SettledReason(error.settled_reason).label
        text = _("Settled: %(reason)s") % {"reason": reason}
        events.append(Event("circle-check", text, error.settled_at))
    return sorted(events, key=lambda event: event.at or error.first_seen, reverse=True)


def first_seen(error: SyncError) -> Event:
    return Event("circle-alert", _("First seen"), error.first_seen)


def last_attempt(error: SyncError) -> Event:
    text = _("Seen %(n)s times, the last time with the same cause") % {
        "n": error.occurrences
    }
    return Event("circle-x", text, error.last_seen, job=error.job_id, tone="bad")


def acts(error: SyncError) -> list[Event]:
    """What people did to it."""
    rows = Operation.objects.filter(
        kind=OperationKind.RETRY, scope__error=error.pk
    ).order_by("-id")[:OPERATIONS_SHOWN]
    return [
        Event(
            "rotate-cw",
            str(row.get_kind_display()),
            row.created_at,
            who=row.by_name,
            quote=row.reason,
            operation=row.pk,
        )
        for row in rows
    ]
