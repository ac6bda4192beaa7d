"""Rows removed for good, past the ORM's collector (D12).

What is held here stays while a removal goes on, and neither waits for the other: both
meet rows in the order of their ids.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection
from django.db.models import Max, Min, Model, Q, QuerySet
from django.db.models.sql import DeleteQuery

from integration.models.dialect import is_postgresql, quoted, table_of

DELETE_CHUNK = {"sqlite": 200, "postgresql": 10_000}
"""Rows removed per transaction; small on SQLite, where each is taken out of twenty
indexes and whoever writes waits (D12)."""
DELETE_ORDER = {"sqlite": "last_seen", "postgresql": "id"}
"""How errors that are removed at once lie together: SQLite takes a row out of its
indexes, most of which go by time; PostgreSQL only marks it in its table."""
_IN_ORDER = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
"""Whoever records errors locks them by their ids: where a removal met them in another
order, each could wait for the other."""
_UNHURRIED = "SET LOCAL synchronous_commit = off"
"""A crash of the database may take back what was removed last: it is removed again."""
DELETE_PAUSE_SECONDS = {"sqlite": 0.025, "postgresql": 0.0}
"""Whoever waits for SQLite's lock looks every 25 ms, for the first eighth of a second:
a shorter pause may be missed again and again."""


def delete_rows(model: type[Model], column: str, values: Collection[int]) -> int:
    """One DELETE of the rows with these values, past the ORM's collector (D12)."""
    if not values:
        return 0
    table = table_of(model)
    with connection.cursor() as cursor:
        if is_postgresql():
            sql = f'DELETE FROM {table} WHERE "{column}" = ANY(%s)'  # noqa: S608  # only our own names
            cursor.execute(sql, [list(values)])
            return int(cursor.rowcount)
        marks = ", ".join(["%s"] * len(values))
        sql = f'DELETE FROM {table} WHERE "{column}" IN ({marks})'  # noqa: S608  # only our own names
        cursor.execute(sql, list(values))
        return int(cursor.rowcount)


def chunk_of(rows: QuerySet[Any], limit: int) -> list[tuple[int, Any]]:
    """The first ones of these rows to remove: each one's id and its place in the order.

    Of PostgreSQL only the first and the last: ten thousand ids cost it more to read
    than to look up.
    """
    order = DELETE_ORDER[connection.vendor]
    first = rows.order_by(order, "id")[:limit]
    if not is_postgresql():
        return list(first.values_list("id", order))
    ends = first.aggregate(first=Min("id"), last=Max("id"))
    return [(key, key) for key in ends.values() if key is not None]


def in_chunk(column: str, ids: Sequence[int]) -> Q:
    """Those with the ids of a chunk."""
    if is_postgresql():
        return Q(**{f"{column}__gte": ids[0], f"{column}__lte": ids[-1]})
    return Q(**{f"{column}__in": ids})


def delete_counted(
    rows: QuerySet[Any], columns: Sequence[str]
) -> Counter[tuple[Any, ...]]:
    """One DELETE of these rows in a transaction; how many went, by ``columns``.

    The condition is tested again on what somebody changes meanwhile, which a lock on
    each row would do at the price of a second DELETE.
    """
    query = rows.order_by().query.chain(DeleteQuery)
    sql, parameters = query.get_compiler(connection=connection).as_sql()
    named = quoted(columns)
    deleting = f"{sql} RETURNING {named}"
    with connection.cursor() as cursor:
        if not is_postgresql():
            cursor.execute(deleting, parameters)
            return Counter(cursor.fetchall())
        cursor.execute(f"{_IN_ORDER}; {_UNHURRIED}")
        counting = f"SELECT {named}, count(*) FROM gone GROUP BY {named}"  # noqa: S608  # only our own names
        cursor.execute(f"WITH gone AS ({deleting}) {counting}", parameters)
        return Counter({tuple(key): count for *key, count in cursor.fetchall()})


def hold(model: type[Model], ids: Collection[int]) -> list[int]:
    """Those of these rows that are there; they stay until the transaction ends.

    Who only writes them goes on: it is the lock of a foreign key, which Django does not
    know. They are met in the order of a removal, so that neither waits for the other.
    SQLite has one writer at a time.
    """
    if not is_postgresql():
        rows = model._default_manager.filter(pk__in=ids)  # noqa: SLF001  # documented
        return list(rows.values_list("pk", flat=True))
    table = table_of(model)
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "id" FROM {table} WHERE "id" = ANY(%s) ORDER BY "id" '  # noqa: S608  # only our own names
            "FOR KEY SHARE",
            [list(ids)],
        )
        return [key for (key,) in cursor.fetchall()]
