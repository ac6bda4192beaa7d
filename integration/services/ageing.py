"""Removing requests, answers and call stacks of errors that ended long ago.

The row stays, and says after how many days they went. What is still relevant keeps all.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import OperationKind
from integration.models import ErrorPayload, Operation, SyncError
from integration.models.errors import SyncErrorQuerySet
from integration.models.removal import DELETE_PAUSE_SECONDS, delete_rows
from integration.services.actors import ENGINE_NAME
from integration.services.operations import record_operation
from integration.services.sentences import sentence

CHUNK = 200
"""Rows per transaction (D12). PostgreSQL writes each anew, in all indexes: 0.6 s."""
_WHY = gettext_noop("Only the entry is kept for longer than {days} days after its end.")


def is_ageing_due(now: datetime | None = None) -> bool:
    """Whether an error has ended long enough ago; one look into an index."""
    return _ended(now or clock.now()).exists()


def age_due(now: datetime | None = None, *, max_seconds: float = 5.0) -> int:
    """Remove what is due, for at most ``max_seconds``; returns rows looked at.

    Less than a tick, so that there is one at a time. Call it again to go on: each row
    says by itself whether it was done, in the transaction that did it.
    """
    until, now = clock.monotonic() + max_seconds, now or clock.now()
    done = 0
    while chunk := _age_chunk(now):
        done += chunk
        if clock.monotonic() >= until:
            break
        clock.sleep(DELETE_PAUSE_SECONDS[connection.vendor])
    return done


def _ended(now: datetime) -> SyncErrorQuerySet:
    before = now - timedelta(days=settings.PAYLOAD_DAYS)
    return SyncError.objects.filter(settled_at__lte=before, payload_days__isnull=True)


@transaction.atomic
def _age_chunk(now: datetime) -> int:
    """Rows that somebody is just writing are left to the next time."""
    rows = _ended(now).order_by("settled_at", "id").select_for_update(skip_locked=True)
    found = rows.values_list("id", "call_stack")[:CHUNK]
    stacks = dict(found)
    payloads = ErrorPayload.objects.filter(error_id__in=stacks)
    held = set(payloads.values_list("error_id", flat=True))
    held |= {key for key, stack in stacks.items() if stack}
    delete_rows(ErrorPayload, "error_id", list(stacks))
    days = settings.PAYLOAD_DAYS
    SyncError.objects.filter(id__in=held).update(call_stack="", payload_days=days)
    SyncError.objects.filter(id__in=stacks.keys() - held).update(payload_days=0)
    if held:
        _note(now, len(held))
    return len(stacks)


def _note(now: datetime, count: int) -> None:
    """One operation a day tells how many."""
    days = settings.PAYLOAD_DAYS
    operation = record_operation(
        OperationKind.AGE,
        by=ENGINE_NAME,
        reason=sentence(_WHY, days=days),
        key=f"ageing {now.date().isoformat()}",
    )
    Operation.objects.filter(pk=operation.pk).update(rows=F("rows") + count)
