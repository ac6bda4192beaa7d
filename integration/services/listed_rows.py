"""What lists show of errors: their columns, their problem's, what was seen of them.

The rows are found first, by their own index, and the rest is joined to those few. A
plain join of Django's would let a database begin with the other table, and sort what an
index has in order (D10).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from integration.choices import ItemOutcome
from integration.models import Look, OperationItem, Problem, SyncError
from integration.models.dialect import (
    among_ids,
    is_postgresql,
    packed,
    table_of,
    unpacked,
    version_of,
)
from integration.models.errors import LIST_COLUMNS
from integration.models.statements import Slots, Statement
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
    own = ("id", column, "problem_id")
    wanted: tuple[str, ...] = own[:2]
    first, shown = _of_the_first(LIST_COLUMNS), packed(_shown())
    if is_postgresql():
        first = _of_the_first(own, version_of("page"))
        shown = ", ".join(_versions())
    if is_postgresql() and len(queries) == 1:
        wanted, first = (*own, "version"), "{}"
        version = RawSQL(version_of(table_of(SyncError)), ())  # noqa: S611  # only our own names
        queries = (queries[0].annotate(version=version),)
    if len(queries) > 1:
        limit = queries[0].query.high_mark
        first = first.format(f"{{}} ORDER BY 2 {way}, 1 {way} LIMIT {limit}")
        if not is_postgresql():
            queries = tuple(map(_unlimited, queries))
    order = f"ORDER BY page.{column} {way}, page.id {way}"
    return Statement.of(
        *(query.values_list(*wanted) for query in queries),
        slots=slots,
        # An order and a limit within a union stand in a subquery.
        each="SELECT * FROM ({}) AS part" if queries[0].query.is_sliced else "{}",
        around=f"{_beside(shown).format(first)}{order}",
        columns=None if is_postgresql() else _columns(),
    )


def _of_the_first(columns: Iterable[str], *versions: str) -> str:
    """These columns of the first rows, in whose stead their ids are found.

    A cross join is one that SQLite keeps in this order.
    """
    wanted = [f"page.{name}" for name in columns]
    wanted += [f"{version} AS version" for version in versions]
    return f"""
        SELECT {", ".join(wanted)} FROM (SELECT page.id FROM ({{}}) AS page) AS found
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
    if new:
        made |= {raw[0]: ((), {}) for raw in new}
        made |= {
            raw[0]: (raw, _row_of(values)) for raw, values in _told(statement, new)
        }
    if len(_kept) > KEPT:
        _kept.clear()
    _kept.update(made)
    return [row for raw in found if (row := made[raw[0]][1])]


def _told(
    statement: Statement, new: Sequence[tuple[Any, ...]]
) -> Iterable[tuple[tuple[Any, ...], Sequence[Any]]]:
    """What these are found by, and their values.

    PostgreSQL gives the versions of rows, and all their values only when they are new:
    it takes longer to write those, and its driver to read them, than to find the rows.
    One that is gone by then is left out.
    """
    if not is_postgresql():
        return zip(new, statement.converted(unpacked(new)), strict=True)
    whole, parts = _whole(), len(new[0])
    found = [(raw[:parts], raw[parts:]) for raw in whole.raw([raw[0] for raw in new])]
    values = whole.converted(values for _versions, values in found)
    return zip((versions for versions, _values in found), values, strict=True)


@cache
def _whole() -> Statement:
    """Versions and values of the rows with some ids."""
    ids = [Slots.KEY]
    version = RawSQL(version_of(table_of(SyncError)), ())  # noqa: S611  # only our own names
    rows = SyncError.objects.filter(pk__in=among_ids(ids)).order_by()
    return Statement.of(
        rows.annotate(version=version).values_list(*LIST_COLUMNS, "version"),
        slots=(ids,),
        around=_beside(", ".join([*_versions(), *_shown()])),
        columns=_columns(),
    )


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


def _versions() -> list[str]:
    """What tells that a row, and all that stands beside it, is as it was. Causes are
    written whenever a record fails for them, but hardly ever what is shown of them."""
    problem = (f"problem.{name}" for name in _PROBLEM)
    return ["page.id", "page.version", *problem, _is_retried(), version_of("look")]


def _columns() -> QuerySet[SyncError, Any]:
    """The columns of ``_shown`` as Django knows them."""
    problem = (f"problem__{name}" for name in _PROBLEM)
    return SyncError.objects.values_list(*LIST_COLUMNS, *problem, *beside_columns())


def _shown() -> list[str]:
    """The columns in their order; tables have no names but ours."""
    look = (
        f"COALESCE(look.{name}, '')" if name in LOOK_TEXTS else f"look.{name}"
        for name in LOOK
    )
    own = (f"page.{name}" for name in LIST_COLUMNS)
    problem = (f"problem.{name}" for name in _PROBLEM)
    return [*own, *problem, _is_retried(), *look]


def _is_retried() -> str:
    return f"""EXISTS(
        SELECT 1 FROM {table_of(OperationItem)} AS item
        WHERE item.error_id = page.id AND item.outcome = '{ItemOutcome.PENDING}'
    )"""  # noqa: S608  # only our own names


def _beside(shown: str) -> str:
    """These columns of the rows and of what belongs to them."""
    return f"""
        SELECT {shown} FROM ({{}}) AS page
        JOIN {table_of(Problem)} AS problem ON problem.id = page.problem_id
        LEFT JOIN {table_of(Look)} AS look ON look.error_id = page.id
    """  # noqa: S608  # only our own names
