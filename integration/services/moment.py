"""The one clock of ``last_seen``, ``settled_at`` and of a preview's instant T.

What is written carries ``stamp()``; a preview takes ``instant()``. Between them stands
a lock, so that nothing stamped at or before T is committed after the preview, and a
floor, so that a clock that steps back stamps nothing at or before a T already shown.
Tests set the clock by replacing ``read_clock``.
"""

from datetime import datetime, timedelta

from django.db import connection

from integration.models import PreviewInstant
from integration.models.dialect import database_now, lock_clock

_ONE_ROW = 1
_STEP = timedelta(microseconds=1)


def read_clock() -> datetime:
    """The clock behind both functions."""
    return database_now()


def stamp() -> datetime:
    """The moment of what this transaction writes: later than every preview's T."""
    _require_transaction()
    lock_clock(shared=True)
    moment = read_clock()
    floor = _latest_instant()
    return moment if floor is None or moment > floor else floor + _STEP


def instant() -> datetime:
    """T of a preview: everything stamped so far is at or before it."""
    _require_transaction()
    lock_clock(shared=False)
    moment, floor = read_clock(), _latest_instant()
    taken = moment if floor is None else max(moment, floor)
    PreviewInstant.objects.update_or_create(id=_ONE_ROW, defaults={"instant": taken})
    return taken


def _latest_instant() -> datetime | None:
    rows = PreviewInstant.objects.filter(id=_ONE_ROW).values_list("instant", flat=True)
    return rows.first()


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("a moment is taken inside the transaction that writes it")
