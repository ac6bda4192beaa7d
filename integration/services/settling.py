"""Rows as they are before a change, and their change of state with its roll-ups."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, F, Q, Value, When

from integration.choices import Chip, ErrorState, SettledReason
from integration.core.chunks import chunks
from integration.models import Connection, Operation, SyncError
from integration.models.cuts import VISIBLE, Cut, place
from integration.models.dialect import UtcDay, lock_recording
from integration.models.errors import SyncErrorQuerySet
from integration.services import cells, moment
from integration.services.cells import Cell, Placed

Before = dict[str, Any]
"""A row as it stands: the columns of ``_COLUMNS``, its day, chip and place."""
_COLUMNS = (
    *("id", "connection_id", "mapping_key", "direction", "record_key", "fingerprint"),
    *("problem_id", "state", "chip", "occurrences", "first_seen", "last_seen"),
    *("reopened_at", "waits_for", "ignored_until", "handled_by_id"),
    *("ignored_before_by_id", "settled_at", "bc_presence", "sales_presence"),
    *("day", "place"),
)
_CHUNK = 500
_IGNORED_BY = Case(When(state=ErrorState.IGNORED, then=F("handled_by")))
"""What ignores a row that somebody resolves or opens again: its undo needs it."""


@dataclass(frozen=True, slots=True)
class Writing:
    """One transaction that changes errors of one connection."""

    connection: Connection
    moment: datetime
    cuts: Sequence[Cut]

    @property
    def lowest_safe(self) -> datetime | None:
        """The latest cut-off in force: a row settled at or below it must be spared."""
        return max((cut.cutoff for cut in self.cuts), default=None)


def writing(connection: Connection) -> Writing:
    """Start changing errors: takes the locks, the moment and the cuts in force."""
    lock_recording(connection.pk)
    return Writing(connection, moment.stamp(), Operation.objects.cuts())


def before(
    work: Writing, rows: SyncErrorQuerySet, most: int | None = None
) -> list[Before]:
    """The rows as they stand, by id, locked until the transaction ends."""
    placed = rows.annotate(place=place(work.cuts), day=UtcDay("last_seen"))
    locked = placed.order_by("id").select_for_update(of=("self",), no_key=True)
    return list(locked.values(*_COLUMNS)[:most])


def new_changes() -> Placed:
    return defaultdict(Counter)


def cell_of(row: Mapping[str, Any]) -> Cell:
    """The cell a row is counted in, as it stood or as it is going to be written."""
    keys = (row["problem_id"], row["connection_id"], row["mapping_key"])
    return Cell(row["day"], *keys, row["direction"], row["chip"])


def settle(
    work: Writing,
    rows: Sequence[Before],
    reason: SettledReason,
    by: Operation | None = None,
) -> int:
    """Settle these rows, ``by`` a person's hand or none; they stay where they are."""
    _change(
        rows,
        lambda _row: Chip.RESOLVED,
        state=ErrorState.RESOLVED,
        settled_at=work.moment,
        settled_reason=reason,
        ignored_until=None,
        handled_by=by,
        ignored_before_by=_IGNORED_BY if by else None,
        spared=_spared(work),
    )
    return len(rows)


def ignore(rows: Sequence[Before], until: datetime | None, by: Operation) -> None:
    """These are not looked at until then (``None``: until their cause grows)."""
    _change(
        rows,
        lambda _row: Chip.IGNORED,
        state=ErrorState.IGNORED,
        settled_at=None,
        settled_reason="",
        ignored_until=until,
        handled_by=by,
        ignored_before_by=None,
    )


def reopen(rows: Sequence[Before], by: Operation | None = None) -> None:
    """These are open again, or waiting; ``by`` a person's hand or none."""
    _change(
        rows,
        lambda row: Chip.WAITING if row["waits_for"] else Chip.OPEN,
        state=ErrorState.OPEN,
        settled_at=None,
        settled_reason="",
        ignored_until=None,
        handled_by=by,
        ignored_before_by=_IGNORED_BY if by else None,
    )


def end_waiting(rows: Sequence[Before]) -> None:
    """These wait for nothing any more; they stay open, or ignored."""
    _change(
        rows,
        lambda row: Chip.OPEN if row["chip"] == Chip.WAITING else Chip(row["chip"]),
        waits_for="",
    )


def _change(
    rows: Sequence[Before], chip_of: Callable[[Before], Chip], **columns: Any
) -> None:
    """Write these columns, and count each row under its new chip, where it is now."""
    for ids in chunks([row["id"] for row in rows], _CHUNK):
        SyncError.objects.filter(id__in=ids).update(**columns)
    places = _places_now(rows)
    changes = new_changes()
    for row in rows:
        cell = cell_of(row)
        changes[row["place"]][cell] -= 1
        changes[places[row["id"]]][cell._replace(state=chip_of(row).value)] += 1
    cells.add(changes)


def _places_now(rows: Sequence[Before]) -> dict[int, int]:
    """Where these are counted, by id: a cut may have hidden only what was settled."""
    places = {row["id"]: row["place"] for row in rows}
    settled = [
        row["id"] for row in rows if row["place"] != VISIBLE and row["settled_at"]
    ]
    if settled:
        placed = SyncError.objects.annotate(place=place(Operation.objects.cuts()))
        for ids in chunks(settled, _CHUNK):
            places.update(placed.filter(id__in=ids).values_list("id", "place"))
    return places


def _spared(work: Writing) -> Any:
    """Below a cut only the partial index is read: it must hold what settles there."""
    cutoff = work.lowest_safe
    if cutoff is None:
        return False
    return Case(When(Q(last_seen__lte=cutoff), then=Value(True)), default=Value(False))
