"""Retention: the clean-up of what has ended, once a week by itself (design §7).

It is off unless ``SYNCERRORS_RETENTION_DAYS`` is set. A clean-up in force costs every
list a little for the 30 days of its undo, so it is not made every day.
"""

from datetime import UTC, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import Chip
from integration.models import ErrorCell, Operation
from integration.models.dialect import lock_clock
from integration.services.actors import ENGINE_NAME, Refused
from integration.services.cleanup import delete
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.operations import find_operation
from integration.services.sentences import sentence

_WHY = gettext_noop("By schedule: entries older than {days} days that are finished.")


def is_retention_due() -> bool:
    """Whether there is a schedule, and this week's clean-up is still to be made.

    Nothing to delete, nothing to record: the roll-ups say it without reading entries.
    """
    if not settings.RETENTION_DAYS or find_operation(_key()):
        return False
    before = clock.now() - timedelta(days=settings.RETENTION_DAYS)
    finished = ErrorCell.objects.filter(state=Chip.RESOLVED, n__gt=0)
    return finished.filter(day__lt=before.astimezone(UTC).date()).exists()


def retain() -> Operation | None:
    """Delete what is finished and old enough; ``None``: not due, or made meanwhile.

    What is still relevant never goes. It is a clean-up like any other, with its undo.
    """
    if not is_retention_due():
        return None
    days = settings.RETENTION_DAYS
    request = CleanupRequest(days)
    shown = preview(request, ENGINE_NAME)
    if not shown.settled:
        return None
    why = sentence(_WHY, days=str(days))
    try:
        with transaction.atomic():
            lock_clock(shared=False)
            # Two ticks may come here at once; the first one's clean-up is the week's.
            if not is_retention_due():
                return None
            operation = delete(shown.token, request, ENGINE_NAME, reason=why)
            operation.key = _key()
            operation.save(update_fields=["key"])
            return operation
    except Refused:
        # Somebody deleted them, or brought entries back: the next tick looks anew.
        return None


def _key() -> str:
    year, week, _day = clock.now().isocalendar()
    return f"retention {year}-{week:02}"
