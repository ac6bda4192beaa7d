"""Ignoring or resolving all that match a filter: frozen, shown, then handled in chunks.

The choice is kept item by item as a *prepared* operation, like that of a retry of many
(``services.retry_preview``): what was shown is what is handled, less what has changed
meanwhile, and the result says so. Every step can be repeated: who is killed is followed
by the next tick.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from integration import clock
from integration.choices import Chip, ItemOutcome, OperationKind, OperationState
from integration.models import Operation, OperationItem, SyncError, User
from integration.models.dialect import among_ids
from integration.services.actors import Actor, Refused, name_of, require_operator
from integration.services.error_filters import ALL, RELEVANT, ErrorFilter
from integration.services.handling import CHUNK, HANDLING, handle, handled_by, scope_of
from integration.services.retry_preview import ask_for, freeze
from integration.services.retry_results import outcome_counts


def prepare_handling(kind: OperationKind, filters: ErrorFilter, by: User) -> Operation:
    """Choose every error of this list that is not settled. Raises ``Refused``."""
    require_operator(by)
    if filters.state == ALL:
        filters = replace(filters, state=RELEVANT)
    found = None
    if filters.state != Chip.RESOLVED:
        found = freeze(kind, filters, by)
    if found is None:
        raise Refused(_("Nothing matches that could be ignored or resolved."))
    return found


def count_ready(operation: Operation) -> int:
    """How many of the chosen would be handled now; the others have changed."""
    ready = handled_by(operation).filter(pk=OuterRef("error_id"))
    return operation.items.filter(Exists(ready)).count()


def confirm_handling(
    operation_id: int, by: User, reason: str = "", until: datetime | None = None
) -> Operation:
    """Handle exactly what the page showed. A second click finds the same operation.

    Up to a thousand entries are handled here; more are left to a worker. Raises
    ``Refused``.
    """
    require_operator(by)
    kind = Operation.objects.filter(pk=operation_id).values_list("kind", flat=True)
    scope = scope_of(until) if OperationKind.IGNORE in kind else {}
    operation, is_begun = ask_for(HANDLING, operation_id, by, reason, **scope)
    if is_begun:
        handle_chunk(operation.pk)
    operation.refresh_from_db()
    return operation


def advance_handling(operation_id: int) -> None:
    """Handle all that is left."""
    while handle_chunk(operation_id):
        pass


@transaction.atomic
def handle_chunk(operation_id: int) -> bool:
    """Handle the next of its entries; ``False`` when none is left, and all is told."""
    running = Operation.objects.unfinished_handling().select_for_update(no_key=True)
    operation = running.filter(pk=operation_id).first()
    if operation is None:
        return False
    operation.heartbeat_at = clock.now()
    operation.save(update_fields=["heartbeat_at"])
    chosen = operation.items.filter(outcome=ItemOutcome.CHOSEN).order_by("id")
    items = dict(chosen.values_list("error_id", "id")[:CHUNK])
    ids = set(items)
    done = handle(operation, ids)
    _told(operation, [items[key] for key in done], ItemOutcome.DONE)
    left = ids - done
    seen = SyncError.objects.visible(Operation.objects.cuts())
    changed = set(
        seen.filter(pk__in=among_ids(sorted(left))).values_list("pk", flat=True)
    )
    _told(operation, [items[key] for key in changed], ItemOutcome.CHANGED)
    _told(operation, [items[key] for key in left - changed], ItemOutcome.GONE)
    if not chosen.exists():
        _end(operation)
        return False
    return True


def forgotten_handling() -> list[int]:
    """Operations whose entries nobody takes: their message, or worker, was lost."""
    now = clock.now()
    stale = now - timedelta(seconds=settings.TAKE_UP_SECONDS)
    silent = Q(heartbeat_at=None) | Q(heartbeat_at__lt=stale) | Q(heartbeat_at__gt=now)
    found = Operation.objects.unfinished_handling().filter(silent)
    return list(found.values_list("pk", flat=True))


@transaction.atomic
def cancel_handling(operation: Operation, by: Actor) -> None:
    """What was not begun stays as it is. Raises ``Refused`` when all has ended."""
    require_operator(by)
    running = Operation.objects.unfinished_handling().select_for_update(no_key=True)
    found = running.filter(pk=operation.pk).first()
    if found is None:
        raise Refused(_("This has ended already."))
    left = found.items.filter(outcome=ItemOutcome.CHOSEN)
    left.update(outcome=ItemOutcome.CANCELLED)
    found.result |= {
        "cancelled_by": name_of(by),
        "cancelled_at": clock.now().isoformat(),
    }
    _end(found)


def _end(operation: Operation) -> None:
    """It stands until it is undone; one that changed nothing has nothing to undo."""
    counts = outcome_counts(operation.pk)
    operation.result |= {"outcomes": counts}
    operation.finished_at = clock.now()
    if counts.get(ItemOutcome.DONE):
        operation.state = OperationState.IN_FORCE
    elif "cancelled_by" in operation.result:
        operation.state = OperationState.CANCELLED
    else:
        operation.state = OperationState.FAILED
    operation.save(update_fields=["state", "result", "finished_at"])


def _told(operation: Operation, items: list[int], outcome: ItemOutcome) -> None:
    mine = OperationItem.objects.filter(operation=operation, pk__in=among_ids(items))
    mine.update(outcome=outcome)
