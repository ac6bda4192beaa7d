"""Roll-ups: how many errors each chip, problem and mapping has, right at every moment.

Every change of an error adds its difference here in the same transaction. What is
visible is in ``ErrorCell`` (by day) and ``ErrorTotal`` (over all days); what a clean-up
hid is in its ``OperationCell`` rows, so that an undo brings the numbers back at once.
From the moment its rows are removed for good these say what it had hidden, not what is
left of it: nobody asks for that but an undo in those minutes, which counts it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Count, QuerySet, Sum, Value

from integration.models import (
    ErrorCell,
    ErrorTotal,
    Operation,
    OperationCell,
    SyncError,
)
from integration.models.bulk import add_counts, add_counts_of
from integration.models.cuts import VISIBLE, Cut, place
from integration.models.dialect import UtcDay, among_ids

TOTAL_KEYS = ("problem_id", "connection_id", "mapping_key", "direction", "state")
_CELL_KEYS = ("day", *TOTAL_KEYS)
_GROUPS = ("day", "problem_id", "connection_id", "mapping_key", "direction", "chip")


class Cell(NamedTuple):
    """What rows of one count have in common; ``state`` is their chip."""

    day: date
    problem_id: int
    connection_id: int
    mapping_key: str
    direction: str
    state: str


Tally = Counter[Cell]
Placed = dict[int, Tally]
"""Tallies by place: ``VISIBLE`` or the operation that hides the rows."""


def add(changes: Mapping[int, Tally]) -> None:
    """Add the differences of each place to its counters."""
    for where, tally in changes.items():
        rows = [(*cell, n) for cell, n in sorted(tally.items()) if n]
        if not rows:
            continue
        if where == VISIBLE:
            _add_visible(rows, tally)
        else:
            keys = ("operation_id", *_CELL_KEYS)
            add_counts(OperationCell, keys, [(where, *row) for row in rows])
            OperationCell.objects.filter(operation_id=where, n=0).delete()


def _add_visible(rows: list[tuple[Any, ...]], tally: Tally) -> None:
    sums: Counter[tuple[Any, ...]] = Counter()
    for cell, n in tally.items():
        sums[cell[1:]] += n
    add_counts(ErrorCell, _CELL_KEYS, rows)
    problems = among_ids(list({cell.problem_id for cell in tally}))
    ErrorCell.objects.filter(problem_id__in=problems, n=0).delete()
    _add_totals(sums)


def _add_totals(sums: Mapping[tuple[Any, ...], int]) -> None:
    changes = [(*key, n) for key, n in sorted(sums.items()) if n]
    add_counts(ErrorTotal, TOTAL_KEYS, changes)
    ErrorTotal.objects.filter(n=0).delete()


def move(source: "QuerySet[Any]", target: int) -> int:
    """Count these cells at another place; returns how many errors they counted.

    ``source`` are filtered rows of ``ErrorCell`` or ``OperationCell``. A few
    statements, however many days and problems there are.
    """
    groups = source.order_by().values_list(*TOTAL_KEYS).annotate(total=Sum("n"))
    sums = {group[:-1]: group[-1] for group in groups}
    if target == VISIBLE:
        rows = source.values_list(*_CELL_KEYS, "n")
        add_counts_of(ErrorCell, _CELL_KEYS, rows)
        _add_totals(sums)
    else:
        keys = ("operation_id", *_CELL_KEYS)
        placed = source.annotate(target=Value(target, BigIntegerField()))
        rows = placed.values_list("target", *_CELL_KEYS, "n")
        add_counts_of(OperationCell, keys, rows)
    if source.model is ErrorCell:
        _add_totals({key: -n for key, n in sums.items()})
    source.delete()
    return sum(sums.values())


def count_rows(rows: "QuerySet[SyncError]") -> Tally:
    """Count errors live, by cell: reads every row of the queryset in the database."""
    groups = (
        rows.order_by()
        .annotate(day=UtcDay("last_seen"))
        .values_list(*_GROUPS)
        .annotate(n=Count("id"))
    )
    return Counter({Cell(*group[:-1]): group[-1] for group in groups})


def count_by_place(rows: "QuerySet[SyncError]", cuts: Sequence[Cut]) -> Placed:
    """The same, apart for each place the rows have under these cuts."""
    groups = (
        rows.order_by()
        .annotate(place=place(cuts), day=UtcDay("last_seen"))
        .values_list("place", *_GROUPS)
        .annotate(n=Count("id"))
    )
    placed: Placed = {}
    for group in groups:
        placed.setdefault(group[0], Counter())[Cell(*group[1:-1])] = group[-1]
    return placed


def negative(tally: Tally) -> Tally:
    """The difference that takes these away."""
    return Counter({cell: -n for cell, n in tally.items()})


def rebuild() -> None:
    """Count everything again from the rows, inside the caller's transaction."""
    for roll_up in (ErrorCell, ErrorTotal, OperationCell):
        roll_up.objects.all().delete()
    add(count_by_place(SyncError.objects.all(), Operation.objects.cuts()))
