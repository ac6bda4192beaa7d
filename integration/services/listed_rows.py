"""What lists show of errors: their columns, their problem's, what was seen of them.

The rows are found first, by their own index, and the rest is joined to those few. A
plain join of Django's would let a database begin with the other table, and sort what an
index has in order (D10).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db.models import QuerySet

from integration.choices import ItemOutcome
from integration.models import Look, OperationItem, Problem, SyncError
from integration.models.dialect import is_postgresql, packed, table_of, unpacked
from integration.models.errors import LIST_COLUMNS
from integration.models.statements import Statement
from integration.services.looks import LOOK, LOOK_TEXTS, OWN, Seen, beside_columns

_PROBLEM = ("title", "article", "params", "who", "category")
_NAMES = (*LIST_COLUMNS, *(f"problem__{name}" for name in _PROBLEM))


def listed(
    *queries: QuerySet[SyncError, Any],
    column: str = "last_seen",
    descending: bool = True,
    slots: Sequence[Any] = (),
) -> Statement:
    """The statement of these rows, which are few and in this order, then by id.

    Of several queries, each in this order, as many rows as one of them may have.
    """
    way = "DESC" if descending else "ASC"
    order = f"ORDER BY page.{column} {way}, page.id {way}"
    wanted: tuple[str, ...] = LIST_COLUMNS
    first = "{}"
    if len(queries) > 1 or not is_postgresql():
        wanted = ("id", column)
        first = _of_the_first()
    if len(queries) > 1:
        merged = f"{{}} ORDER BY 2 {way}, 1 {way} LIMIT {queries[0].query.high_mark}"
        first = first.format(merged)
        if not is_postgresql():
            queries = tuple(map(_unlimited, queries))
    around = f"{_beside().format(first)}{order}"
    problem = (f"problem__{name}" for name in _PROBLEM)
    columns = SyncError.objects.values_list(*LIST_COLUMNS, *problem, *beside_columns())
    rows = (query.values_list(*wanted) for query in queries)
    # An order and a limit within a union stand in a subquery.
    each = "SELECT * FROM ({}) AS part" if queries[0].query.is_sliced else "{}"
    return Statement.of(*rows, slots=slots, each=each, around=around, columns=columns)


def _of_the_first() -> str:
    """The columns of the first rows, in whose stead their ids are found.

    A cross join is one that SQLite keeps in this order.
    """
    columns = ", ".join(f"page.{name}" for name in LIST_COLUMNS)
    return f"""
        SELECT {columns} FROM (SELECT page.id FROM ({{}}) AS page) AS found
        CROSS JOIN {table_of(SyncError)} AS page WHERE page.id = found.id
    """  # noqa: S608  # only our own names


def _unlimited(query: QuerySet[SyncError, Any]) -> QuerySet[SyncError, Any]:
    """The same without its own order and limit: SQLite merges by those of a union, and
    reads no more of each than that takes."""
    query = query.all()
    query.query.clear_limits()
    query.query.clear_ordering(force=True)
    return query


Row = Mapping[str, Any]
KEPT = 2_000
"""Rows that a process keeps: some 6 MB as values, and as much as markup."""
_kept: dict[int, tuple[tuple[Any, ...], Row]] = {}


def rows_of(statement: Statement, *key: Any) -> list[Row]:
    """The rows of such a statement, each made once as long as it is found the same."""
    found = statement.raw(*key)
    made = {raw[0]: _kept.get(raw[0], ((), {})) for raw in found}
    new = [raw for raw in found if made[raw[0]][0] != raw]
    for raw, values in zip(new, statement.converted(unpacked(new)), strict=True):
        made[raw[0]] = raw, _row_of(values)
    if len(_kept) > KEPT:
        _kept.clear()
    _kept.update(made)
    return [made[raw[0]][1] for raw in found]


def _row_of(values: Sequence[Any]) -> Row:
    """A row by name: ``problem__title`` and so on, ``seen`` for the looks and tries.

    ``shown`` has the values of ``LIST_COLUMNS`` once more, as what is drawn of them can
    be kept by. Of both records it says what was found since.
    """
    row = dict(zip(_NAMES, values, strict=False))
    retrying, *look = values[len(_NAMES) :]
    seen = Seen(retrying, *(row[name] for name in OWN), *look)
    row |= seen.presences()
    return {**row, "seen": seen, "shown": tuple(map(row.get, LIST_COLUMNS))}


def read_rows(newest: QuerySet[SyncError, Any]) -> list[Row]:
    """Some few rows, newest first."""
    return rows_of(listed(newest))


@cache
def _beside() -> str:
    """The columns in the order of ``listed``; tables have no names but ours."""
    page = (f"page.{name}" for name in LIST_COLUMNS)
    problem = (f"problem.{name}" for name in _PROBLEM)
    look = (
        f"COALESCE(look.{name}, '')" if name in LOOK_TEXTS else f"look.{name}"
        for name in LOOK
    )
    problems, looks, items = map(table_of, (Problem, Look, OperationItem))
    is_retried = f"""EXISTS(
        SELECT 1 FROM {items} AS item
        WHERE item.error_id = page.id AND item.outcome = '{ItemOutcome.PENDING}'
    )"""  # noqa: S608  # only our own names
    return f"""
        SELECT {packed([*page, *problem, is_retried, *look])}
        FROM ({{}}) AS page
        JOIN {problems} AS problem ON problem.id = page.problem_id
        LEFT JOIN {looks} AS look ON look.error_id = page.id
    """  # noqa: S608  # only our own names
