"""Clean-up: delete what a preview showed, by a cut, and take it back.

A clean-up changes no error row and nothing that syncs: it is one operation that holds a
predicate, and lists leave out what it says (clean-up design).
"""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from integration import clock
from integration.choices import Chip, OperationKind, OperationState
from integration.models import ErrorCell, Operation, SyncError
from integration.models.cuts import VISIBLE, Cut, scope_q
from integration.models.dialect import Unindexed, lock_clock
from integration.services import cells
from integration.services.actors import Actor, Refused, require_administrator
from integration.services.cells import Tally
from integration.services.cleanup_preview import (
    CleanupRequest,
    Ticket,
    read_ahead,
    read_standing,
    read_token,
)
from integration.services.operations import (
    SELECTED,
    find_operation,
    record_operation,
    require_few,
)
from integration.services.regrouping import is_regrouping_due
from integration.services.sentences import Told, sentence

_MORE_NOW = gettext_lazy(
    "Entries came into this list since the preview was made, so nothing was deleted. "
    "Look at the new preview."
)
_SETTLED_SINCE = gettext_lazy(
    "Entries that were still relevant were settled since the preview was made, so "
    "nothing was deleted. Look at the new preview."
)
_NONE_LEFT = gettext_lazy(
    "None of these entries is in the list any more, so nothing was deleted."
)
_COUNTED_LIVE = 20_000
"""Up to here the click counts rows; above, it takes whole days from the roll-up."""


class NoneLeft(Refused):
    """Another deletion has taken all of them since the preview."""


class WrongNumber(Refused):
    """Another one was typed than that of the entries still relevant."""


def number_to_type(relevant: int) -> str:
    """What to type, to whoever has typed something else."""
    said = _("To delete the entries still relevant as well, type %(n)s.")
    return said % {"n": relevant}


def delete(
    token: str,
    request: CleanupRequest,
    by: Actor,
    *,
    include_relevant: bool = False,
    typed: str = "",
    reason: str | Told = "",
) -> Operation:
    """Hide exactly what the preview with this token showed, or less.

    ``request`` is that of the page the button is on; ``typed`` the number of relevant
    entries, asked for when they go as well. A second click returns the first one's
    operation. Raises ``Refused`` with a sentence.
    """
    require_administrator(by)
    ticket = read_token(token, request, by)
    include_relevant = include_relevant and ticket.relevant > 0
    if include_relevant and _digits(typed) != str(ticket.relevant):
        raise WrongNumber(number_to_type(ticket.relevant))
    with transaction.atomic():
        lock_clock(shared=False)
        clicked = f"{token} {include_relevant}"
        key = hashlib.sha256(clicked.encode()).hexdigest()
        done = find_operation(key)
        if done is not None:
            return done
        _require_as_it_stood(ticket)
        operation = _record(
            by,
            reason or _usual_reason(ticket.older_than),
            key=key,
            instant=ticket.instant,
            cutoff=ticket.cutoff,
            include_relevant=include_relevant,
            filter=dict(ticket.scope),
            scope={
                "older_than": ticket.older_than,
                "settled": ticket.settled,
                "relevant": ticket.relevant if include_relevant else 0,
            },
        )
        cut = ticket.cut(operation.pk, include_relevant=include_relevant)
        if cut.include_relevant and read_ahead(cut) != ticket.ahead:
            raise Refused(_SETTLED_SINCE)
        _count_hidden(operation, cut, ticket)
        if operation.rows > _shown(ticket, cut):
            raise Refused(_MORE_NOW)
        if not operation.rows:
            # It would only keep hidden what another deletion hides, after its undo.
            raise NoneLeft(_NONE_LEFT)
        _spare_what_settled_since(ticket)
        return operation


def _require_as_it_stood(ticket: Ticket) -> None:
    """A row may leave the scope between preview and click, never enter it."""
    changed = read_standing(ticket.scope) != ticket.standing
    by_words = {"problem", "text"} & set(ticket.scope)
    if changed or (by_words and is_regrouping_due()):
        raise Refused(_MORE_NOW)


def _shown(ticket: Ticket, cut: Cut) -> int:
    return ticket.settled + (ticket.relevant if cut.include_relevant else 0)


def _usual_reason(older_than: int | None) -> Told:
    if older_than is None:
        return sentence(gettext_noop("Clean-up of all entries."))
    days = str(older_than)
    return sentence(
        gettext_noop("Clean-up of entries older than {days} days."), days=days
    )


def _record(by: Actor, reason: str | Told, **columns: Any) -> Operation:
    return record_operation(
        OperationKind.DELETE,
        by=by,
        reason=reason,
        state=OperationState.IN_FORCE,
        undo_until=clock.now() + timedelta(days=settings.UNDO_DAYS),
        **columns,
    )


def _count_hidden(operation: Operation, cut: Cut, ticket: Ticket) -> None:
    """Move the counts of what goes out of sight from the list to the operation."""
    older = [other for other in Operation.objects.cuts() if other.id != cut.id]
    rows = SyncError.objects.visible(older)
    few = _shown(ticket, cut) <= _COUNTED_LIVE
    if {"record", "text"} & set(cut.scope) or few:
        _move_counts(operation, cells.count_rows(rows.filter(cut.hides())))
        return
    # Above, whole days come from the roll-up; only the cut-off's day is counted live.
    midnight = datetime.combine(cut.cutoff.astimezone(UTC), time.min, tzinfo=UTC)
    whole = ErrorCell.objects.filter(scope_q(cut.scope), day__lt=midnight.date())
    if not cut.include_relevant:
        whole = whole.filter(state=Chip.RESOLVED)
    today = cells.count_rows(rows.filter(cut.hides(), last_seen__gte=midnight))
    if not cut.include_relevant:
        settled_since = rows.alias(seen=Unindexed("last_seen")).filter(
            scope_q(cut.scope), seen__lt=midnight, settled_at__gt=cut.instant
        )
        today.subtract(cells.count_rows(settled_since))
    operation.rows = cells.move(whole, operation.pk)
    _move_counts(operation, today)


def _move_counts(operation: Operation, hidden: Tally) -> None:
    cells.add({VISIBLE: cells.negative(hidden), operation.pk: hidden})
    operation.rows += hidden.total()
    operation.save(update_fields=["rows"])


def _spare_what_settled_since(ticket: Ticket) -> None:
    """What settled between preview and click stays listed: its index must hold it."""
    SyncError.objects.alias(seen=Unindexed("last_seen")).filter(
        seen__lte=ticket.cutoff, settled_at__gt=ticket.instant, spared=False
    ).update(spared=True)


def delete_selected(ids: Collection[int], by: Actor, reason: str = "") -> Operation:
    """Take these rows out of sight, at most 100, without a preview but with undo."""
    require_administrator(by)
    require_few(ids)
    with transaction.atomic():
        lock_clock(shared=False)
        rows = SyncError.objects.visible(Operation.objects.cuts()).filter(id__in=ids)
        chosen = list(rows.values_list("id", flat=True))
        if not chosen:
            raise Refused(_("None of the selected entries is in the list any more."))
        taken = SyncError.objects.filter(id__in=chosen)
        why = reason or sentence(SELECTED)
        operation = _record(by, why, scope={"selected": len(chosen)})
        _move_counts(operation, cells.count_rows(taken))
        taken.update(deleted_by=operation)
        return operation


def _digits(typed: str) -> str:
    """“1,204”, “1 204” and “1’204” are the same number; anything else is none."""
    bare = typed.strip()
    for separator in " \u00a0\u202f,'’.":
        bare = bare.replace(separator, "")
    return bare.lstrip("0") or bare
