"""How often a mapping runs: a column of its own (design D6), changed by a person."""

from django.db import transaction
from django.utils.translation import gettext as _

from integration import clock
from integration.models import AlertSubject, Operation, TableMapping
from integration.services.actors import (
    Actor,
    Refused,
    require_administrator,
)
from integration.services.mappings import record_change
from integration.services.sentences import Told

INTERVALS = (60, 300, 900, 1_800, 3_600, 14_400, 86_400)
"""Seconds that make sense for both systems' budgets of calls."""


def intervals_of(mapping: TableMapping) -> list[int]:
    """What is offered: the usual ones, and the one it has."""
    return sorted({*INTERVALS, mapping.interval_seconds})


@transaction.atomic
def change_interval(
    mapping: TableMapping, by: Actor, reason: str | Told, seconds: int
) -> Operation | None:
    """Run at once, and so often from then on; ``None`` when it did so already.

    What was quiet by its old interval is not silent by the new one: the wait for a
    success begins anew. Raises ``Refused``.
    """
    require_administrator(by)
    if seconds not in intervals_of(mapping):
        raise Refused(_("Choose one of the intervals offered here."))
    if seconds == mapping.interval_seconds:
        return None
    TableMapping.objects.filter(pk=mapping.pk).update(
        interval_seconds=seconds, next_run_at=clock.now()
    )
    AlertSubject.objects.filter(mapping=mapping).update(watched_at=None)
    mapping.refresh_from_db()
    return record_change(mapping, by, reason, interval_seconds=seconds)
