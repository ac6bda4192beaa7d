"""Rows removed for good, past the ORM's collector (D12).

What is held here stays while a removal goes on, and neither waits for the other: both
meet rows in the order of their ids.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.db import OperationalError, connection
from django.db.models import Model, Q, QuerySet
from django.db.models.sql import DeleteQuery
from psycopg.errors import LockNotAvailable

from integration import clock
from integration.models.dialect import (
    SEARCH_TABLE,
    among_ids,
    is_postgresql,
    quoted,
    table_of,
)

DELETE_CHUNK = {"sqlite": 1_000, "postgresql": 10_000}
"""At most so many rows are removed per transaction (D12)."""
DELETE_ORDER = {"sqlite": "last_seen", "postgresql": "id"}
"""How errors that are removed at once lie together: SQLite takes a row out of its
indexes, most of which go by time; PostgreSQL only marks it in its table."""
_IN_ORDER = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
"""Whoever records errors locks them by their ids: where a removal met them in another
order, each could wait for the other."""
_YIELDING = "SET LOCAL lock_timeout = '100ms'"
"""A recorder takes entries several times: whatever the order, it may hold one that the
removal waits for, and wait for another that this has removed. Long before PostgreSQL
looks for that, the removal gives up its chunk."""
_UNHURRIED = "SET LOCAL synchronous_commit = off"
"""A crash of the database may take back what was removed last: it is removed again."""
_EVENLY = "SET LOCAL backend_flush_after = '1MB'"
"""What it writes goes to the disk bit by bit. By itself that keeps it until there is
much, and whoever commits then waits for all of it."""
DELETE_PAUSE_SECONDS = {"sqlite": 0.005, "postgresql": 0.0}
"""Whoever waits for SQLite's lock looks every 2 ms (``syncerrors.sqlite``)."""
_FEWEST = 100
_HOLD_SECONDS = 0.1
"""A chunk keeps SQLite's lock for about so long: whoever writes waits for all of it."""
_CACHE_KIB = 40_000
"""What a chunk changes on SQLite: a cache of the usual 2 MB writes most of it twice."""
_ZEROED = "FAST"
"""Debian's SQLite writes zeros over all it frees, a fifth of a removal's time. Here
only within pages that are written anyway."""
_ROWS_IN_LOG = 4_000
"""Some 128 MB of SQLite's log. From 192 MB on whoever commits next has to empty it."""
_READERS_MS = 50
"""So long the log waits for whoever still reads it, and is emptied the next time."""


_MERGED = {"automerge": 16, "crisismerge": 64}
"""So many parts of SQLite's word index are merged at once while rows are removed. By
itself it merges four, which is a third of a chunk's time and now and then as long as
somebody may wait; a search is no slower for it."""
_USUALLY_MERGED = 4


class Removal:
    """Rows removed chunk after chunk, each of at most ``size``, while others write.

    On SQLite a chunk is as large as its machine is quick, and the log is emptied
    meanwhile: by itself it would be only when nobody writes for a moment.
    """

    def __init__(self) -> None:
        self.size = DELETE_CHUNK[connection.vendor]
        self._log: _Log | None = None
        if not is_postgresql():
            self.size = min(self.size, 2 * _FEWEST)
            self._log = _Log()
            _pragma("cache_size", -_CACHE_KIB)
            _pragma("secure_delete", _ZEROED)
            for name, parts in _MERGED.items():
                _have_merged(name, parts)

    def rest(self, rows: int, seconds: float) -> None:
        """After a chunk of so many rows, which kept its locks for so long."""
        if self._log:
            fitting = int(rows * _HOLD_SECONDS / max(seconds, 0.001))
            self.size = min(max(fitting, _FEWEST), DELETE_CHUNK[connection.vendor])
            self._log.add(rows)
        clock.sleep(DELETE_PAUSE_SECONDS[connection.vendor])

    def close(self) -> None:
        """When nothing is removed any more. Where that is never said, the next does."""
        if self._log:
            self._log.close()
            _have_merged("automerge", _USUALLY_MERGED)


class _Log:
    """SQLite's log of a removal: most of it is copied into the database while chunks
    go on, the rest between two of them, and then it begins anew."""

    def __init__(self) -> None:
        self._rows = 0
        self._copier = ThreadPoolExecutor(1, "log")
        self._copied: Future[None] | None = None

    def add(self, rows: int) -> None:
        """So many were removed. Raises what the copying came upon."""
        self._rows += rows
        if self._copied is None and self._rows >= _ROWS_IN_LOG:
            self._rows = 0
            self._copied = self._copier.submit(_copy_beside)
        elif self._copied and self._copied.done():
            self._copied.result()
            self._copied = None
            _empty()

    def close(self) -> None:
        self._copier.shutdown()


def _copy_beside() -> None:
    """On a connection of this thread's own; nobody waits for it."""
    try:
        _pragma("wal_checkpoint", "PASSIVE")
    finally:
        connection.close()


def _empty() -> None:
    """Most of the rest beside whoever writes, who waits for what is left then."""
    _pragma("wal_checkpoint", "PASSIVE")
    patience = connection.settings_dict["OPTIONS"]["timeout"]
    try:
        _pragma("busy_timeout", _READERS_MS)
        _pragma("wal_checkpoint", "RESTART")
    finally:
        _pragma("busy_timeout", int(patience * 1_000))


def _pragma(name: str, value: int | str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name} = {value}")


def _have_merged(name: str, parts: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {SEARCH_TABLE} ({SEARCH_TABLE}, rank) VALUES (%s, %s)",  # noqa: S608  # only our own names
            [name, parts],
        )


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

    Of PostgreSQL only where they begin and end, with whatever ids lie between: to find
    the ten-thousandth takes it as long as to remove them.
    """
    order = DELETE_ORDER[connection.vendor]
    first = rows.order_by(order, "id").values_list("id", order)
    if not is_postgresql():
        return list(first[:limit])
    return [
        (key, key) for begin, _place in first[:1] for key in (begin, begin + limit - 1)
    ]


def in_chunk(column: str, ids: Sequence[int]) -> Q:
    """Those with the ids of a chunk."""
    if is_postgresql():
        return Q(**{f"{column}__gte": ids[0], f"{column}__lte": ids[-1]})
    return Q(**{f"{column}__in": among_ids(ids)})


def delete_counted(
    rows: QuerySet[Any], columns: Sequence[str]
) -> Counter[tuple[Any, ...]]:
    """One DELETE of these rows in a transaction; how many went, by ``columns``.

    The condition is tested again on what somebody changes meanwhile, which a lock on
    each row would do at the price of a second DELETE. Who has a row for long is not
    waited for: that raises ``is_in_the_way``.
    """
    query = rows.order_by().query.chain(DeleteQuery)
    sql, parameters = query.get_compiler(connection=connection).as_sql()
    named = quoted(columns)
    deleting = f"{sql} RETURNING {named}"
    with connection.cursor() as cursor:
        if not is_postgresql():
            cursor.execute(deleting, parameters)
            return Counter(cursor.fetchall())
        cursor.execute(f"{_IN_ORDER}; {_YIELDING}; {_UNHURRIED}; {_EVENLY}")
        counting = f"SELECT {named}, count(*) FROM gone GROUP BY {named}"  # noqa: S608  # only our own names
        cursor.execute(f"WITH gone AS ({deleting}) {counting}", parameters)
        return Counter({tuple(key): count for *key, count in cursor.fetchall()})


def is_in_the_way(error: OperationalError) -> bool:
    """Whether somebody had a row for longer than a removal waits."""
    return isinstance(error.__cause__, LockNotAvailable)


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
