"""What SQLite and PostgreSQL say differently; nothing else knows which one runs.

Statements here are the only raw SQL of the product, besides migrations and what is put
around the SQL of a query (``Statement.of``).
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Func, Max, Min, Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.sql import DeleteQuery
from django.db.models.sql.compiler import SQLCompiler
from psycopg import Cursor

from integration import clock

SEARCH_TABLE = "integration_error_search"
"""The FTS5 table of SQLite; PostgreSQL has a trigram index on the column instead."""
PREFIX_LENGTH = 3
"""Trigrams find nothing in texts shorter than this (D11)."""
_CLOCK_LOCK = 73_190_001
"""Advisory lock of PostgreSQL between what is stamped and what is previewed."""
_RECORDING_LOCK = 73_190_002
_RETRY_LOCK = 73_190_003


_SURELY = 5
"""How many times an estimate must exceed a bound to be taken for a count."""
_PARAMETERS = 30_000
"""In one statement: SQLite takes 32,766."""
_AT_ONCE = 50
"""Rows in one statement of SQLite that returns something of them."""
DELETE_CHUNK = {"sqlite": 100, "postgresql": 10_000}
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
DELETE_PAUSE_SECONDS = {"sqlite": 0.01, "postgresql": 0.0}


def _is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def database_now() -> datetime:
    """The moment that decides: one clock per installation.

    PostgreSQL's own, because several machines write; on SQLite that of the machine.
    """
    if not _is_postgresql():
        return clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


def lock_clock(*, shared: bool) -> None:
    """Held until the transaction ends; SQLite's write lock already does it."""
    if _is_postgresql():
        lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {lock}(%s)", [_CLOCK_LOCK])


def lock_recording(connection_id: int) -> None:
    """One recorder at a time per connection, so that counting reads what it changes."""
    if _is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)", [_RECORDING_LOCK, connection_id]
            )


def lock_retries() -> None:
    """One retry at a time takes errors, so that none is held by two."""
    if _is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_RETRY_LOCK])


def among(values: Sequence[str]) -> RawSQL:
    """For ``column__in``: one parameter, where Django would bind each and every one."""
    if _is_postgresql():
        return RawSQL("SELECT unnest(%s::text[])", [list(values)])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(values)])


class UtcDay(Func):
    """The UTC day of a moment."""

    output_field = models.DateField()
    arity = 1

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # Moments are stored as UTC text; Django's own TruncDate calls Python per row.
        return self.as_sql(
            compiler, connection, template="substr(%(expressions)s, 1, 10)", **context
        )

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        return self.as_sql(
            compiler,
            connection,
            template="((%(expressions)s) AT TIME ZONE 'UTC')::date",
            **context,
        )


class UtcText(Func):
    """A moment as text, ISO 8601 in UTC to the second: written by the database.

    Thousands of rows of a file would else be parsed and formatted in Python.
    """

    output_field = models.CharField()
    arity = 1

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = "replace(substr(%(expressions)s, 1, 19), ' ', 'T') || 'Z'"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = (
            "to_char((%(expressions)s) AT TIME ZONE 'UTC', "
            '\'YYYY-MM-DD"T"HH24:MI:SS"Z"\')'
        )
        return self.as_sql(compiler, connection, template=template, **context)


class Unindexed(Func):
    """A column that SQLite's planner must not look up in an index.

    SQLite knows no row counts without ANALYZE and takes whatever index it sees;
    PostgreSQL knows better than we do.
    """

    arity = 1
    template = "%(expressions)s"

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


def upper(text: str) -> str:
    """What the database's own UPPER makes of it: SQLite's knows only a to z."""
    if _is_postgresql():
        return text.upper()
    return "".join(sign.upper() if sign.isascii() else sign for sign in text)


def prefix(column: str, text: str) -> Q:
    """Rows whose upper-case ``column`` begins with ``text``, by its index."""
    start = upper(text)
    if _is_postgresql():
        return Q(**{f"{column}__startswith": start})
    return Q(**{f"{column}__gte": start, f"{column}__lt": start + "\U0010ffff"})


def hit_ids(text: str, limit: int) -> list[int] | None:
    """Ids of errors whose search text holds ``text``.

    ``None``: there are more than ``limit``. PostgreSQL would have to test that many
    rows to find so of a common word, up to a second; the statistics of its index know
    such a word.
    """
    if _is_postgresql():
        sql, parameters = _hits_unless_surely_more(text, limit)
    else:
        sql = f"SELECT rowid FROM {SEARCH_TABLE} WHERE {SEARCH_TABLE} MATCH %s LIMIT %s"  # noqa: S608  # only our own names
        phrase = '"' + text.replace('"', '""') + '"'
        parameters = [phrase, limit + 1]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        ids = [key for (key,) in cursor.fetchall()]
    return ids if len(ids) <= limit and None not in ids else None


def are_hits_tested() -> bool:
    """Whether ``hit_ids`` has tested them as ``icontains`` would.

    SQLite's index folds capitals beyond ASCII as well, so its hits are candidates.
    """
    return _is_postgresql()


def _hits_unless_surely_more(text: str, limit: int) -> tuple[str, list[Any]]:
    """A NULL among the hits says that the statistics expect far more than ``limit``."""
    pattern = f"%{_like_escaped(text)}%"
    # With a limit of its own it would be planned to read the table instead.
    sql = """
        WITH expected AS MATERIALIZED (SELECT integration_expected_hits(%s) AS n),
        hits AS MATERIALIZED (
            SELECT id FROM integration_syncerror
            WHERE (SELECT n FROM expected) <= %s AND UPPER(search_text) LIKE UPPER(%s)
        )
        (SELECT id FROM hits LIMIT %s)
        UNION ALL SELECT NULL FROM expected WHERE n > %s
    """
    surely = _SURELY * limit
    return sql, [[pattern], surely, pattern, limit + 1, surely]


def among_ids(ids: Sequence[int]) -> RawSQL:
    """For ``id__in``: any number of them as one parameter."""
    if _is_postgresql():
        return RawSQL("SELECT unnest(%s::bigint[])", [list(ids)])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(ids))])


def _like_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def add_counts(
    model: type[Model], keys: Sequence[str], counts: Iterable[tuple[Any, ...]]
) -> None:
    """Add to the counter ``n`` of each key, making it where it does not exist.

    ``counts`` are tuples of the key's values with the amount last; amounts may be
    negative. Both databases speak this one, but Django does not.
    """
    marks = f"({', '.join(['%s'] * (len(keys) + 1))})"
    rows = [tuple(map(_adapted, row)) for row in counts]
    step = _PARAMETERS // (len(keys) + 1)
    with connection.cursor() as cursor:
        for first in range(0, len(rows), step):
            part = rows[first : first + step]
            sql = _adding(model, keys, f"VALUES {', '.join([marks] * len(part))}")
            cursor.execute(sql, [value for row in part for value in row])


def insert(
    model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Make these rows: a set at a time and past Django's models, which cost several
    times what the databases need."""
    if not rows:
        return
    with _cursor() as cursor:
        if _is_postgresql():
            source, parameters = _recordset(model, columns, rows)
            cursor.execute(f"{_into(model, columns)} {source}", parameters)
        else:
            marks = _marks(len(columns))
            cursor.executemany(
                f"{_into(model, columns)} VALUES {marks}",
                _prepared(model, columns, rows),
            )


def insert_new(
    model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]], by: str
) -> dict[Any, int]:
    """Make those of these rows that no other one stands in the way of.

    Returns their ids by the value of the column ``by``.
    """
    end = f'ON CONFLICT DO NOTHING RETURNING "{by}", "id"'
    return dict(_inserted(model, columns, rows, end))


def upsert(
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    unique: Sequence[str],
    updated: Iterable[str],
) -> list[int]:
    """Make these rows; write ``updated`` over one that has its ``unique`` columns.

    Returns their ids in the order of the rows.
    """
    written = ", ".join(f'"{name}" = excluded."{name}"' for name in updated)
    end = f'ON CONFLICT ({_quoted(unique)}) DO UPDATE SET {written} RETURNING "id"'
    return [key for (key,) in _inserted(model, columns, rows, end)]


def update(
    model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Write these columns of the rows with the ids that stand last in each."""
    if not rows:
        return
    table = model._meta.db_table  # noqa: SLF001  # Django's documented door to the name
    with _cursor() as cursor:
        if _is_postgresql():
            source, parameters = _recordset(model, [*columns, "id"], rows)
            settings = ", ".join(f'"{name}" = new."{name}"' for name in columns)
            cursor.execute(
                f'UPDATE "{table}" SET {settings} FROM ({source}) AS new '  # noqa: S608  # only our own names
                f'WHERE "{table}"."id" = new."id"',
                parameters,
            )
        else:
            settings = ", ".join(f'"{name}" = %s' for name in columns)
            cursor.executemany(
                f'UPDATE "{table}" SET {settings} WHERE "id" = %s',  # noqa: S608  # as above
                _prepared(model, [*columns, "id"], rows),
            )


def _inserted(
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    end: str,
) -> Iterator[tuple[Any, ...]]:
    """What ``end`` returns of each row made."""
    if not rows:
        return
    into = _into(model, columns)
    with _cursor() as cursor:
        if _is_postgresql():
            source, parameters = _recordset(model, columns, rows)
            cursor.execute(f"{into} {source} {end}", parameters)
            yield from cursor.fetchall()
            return
        # Longer statements cost more to read than they save.
        prepared = _prepared(model, columns, rows)
        marks = _marks(len(columns))
        for first in range(0, len(prepared), _AT_ONCE):
            part = prepared[first : first + _AT_ONCE]
            source = f"VALUES {', '.join([marks] * len(part))}"
            values = [value for row in part for value in row]
            cursor.execute(f"{into} {source} {end}", values)
            yield from cursor.fetchall()


def _into(model: type[Model], columns: Sequence[str]) -> str:
    return f'INSERT INTO "{model._meta.db_table}" ({_quoted(columns)})'  # noqa: SLF001  # as above


def _marks(count: int) -> str:
    return f"({', '.join(['%s'] * count)})"


@contextmanager
def _cursor() -> Iterator[CursorWrapper]:
    """Django's cursor, but one that hands PostgreSQL its parameters beside the text.

    Django's writes them into the statement: megabytes of rows are then quoted here and
    read there once more, about a twelfth of what recording costs in processor time.
    """
    with connection.cursor() as cursor:
        if not _is_postgresql():
            yield cursor
            return
        with Cursor(connection.connection) as bound:
            yield type(cursor)(bound, connection)


def _recordset(
    model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[str, list[Any]]:
    """What PostgreSQL inserts from, with its parameters.

    A column whose values are all the same is one of them, any other is an array: bound
    one by one, values would cost psycopg as much as the rows the server.
    """
    fields = map(model._meta.get_field, columns)  # noqa: SLF001  # as above
    shown: list[str] = []
    arrays: dict[str, str] = {}
    shared: list[Any] = []
    different: list[Any] = []
    for field, column, found in zip(
        fields, columns, zip(*rows, strict=True), strict=True
    ):
        kind, name = _kind(field), f'"{column}"'
        values = _bindable(field, found)
        if arrays and values.count(values[0]) == len(values):
            shown.append(f"%b::{kind} AS {name}")
            shared.append(values[0])
        else:
            shown.append(name)
            arrays[name] = f"%b::{kind}[]"
            different.append(values)
    source = (
        f"SELECT {', '.join(shown)} FROM unnest({', '.join(arrays.values())}) "  # noqa: S608  # only our own names
        f"AS row ({', '.join(arrays)})"
    )
    return source, [*shared, *different]


def _kind(field: Any) -> str:
    """As what a value is bound: a text as any, because a cast would cut a long one."""
    if isinstance(field, models.CharField | models.TextField):
        return "text"
    return str(field.db_type(connection))


def _bindable(field: Any, values: Sequence[Any]) -> list[Any]:
    """These values for an array, which has one type: each choice has its own."""
    if isinstance(field, models.JSONField):
        return list(map(_json, values))
    if len({*map(type, values)} - {type(None)}) > 1:
        python = str if _kind(field) == "text" else field.to_python
        return [None if value is None else python(value) for value in values]
    return list(values)


def _prepared(
    model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """The rows as SQLite stores them."""
    fields = map(model._meta.get_field, columns)  # noqa: SLF001  # as above
    values: list[Iterable[Any]] = [*zip(*rows, strict=True)]
    for place, field in enumerate(fields):
        if isinstance(field, models.DateTimeField):
            values[place] = map(_moment, values[place])
        elif isinstance(field, models.JSONField):
            values[place] = map(_json, values[place])
    return [*zip(*values, strict=True)]


@lru_cache(maxsize=1_000)
def _moment(value: datetime | None) -> str | None:
    """As Django has SQLite store it: in UTC, without saying so.

    A chunk has few different ones: most are the moment it was written.
    """
    return None if value is None else str(value.astimezone(UTC).replace(tzinfo=None))


def _json(value: Any) -> Any:
    return None if value is None else json.dumps(value)


def _quoted(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def add_counts_of(
    model: type[Model], keys: Sequence[str], counts: QuerySet[Any, Any]
) -> None:
    """The same in one statement, with the rows of a query that has a condition."""
    select, parameters = counts.order_by().query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_adding(model, keys, select), parameters)


def insert_from(
    model: type[Model], columns: Sequence[str], rows: QuerySet[Any, Any]
) -> int:
    """Make rows of what a query with a condition gives, in its columns' order.

    Those that are there already are left out. Returns how many were made.
    """
    table = model._meta.db_table  # noqa: SLF001  # Django's documented door to the name
    select, parameters = rows.order_by().query.sql_with_params()
    sql = f'INSERT INTO "{table}" ({_quoted(columns)}) {select} ON CONFLICT DO NOTHING'
    with connection.cursor() as cursor:
        return _executed(cursor, sql, list(parameters))


def _adding(model: type[Model], keys: Sequence[str], counts: str) -> str:
    table = model._meta.db_table  # noqa: SLF001  # Django's documented door to the name
    columns = _quoted(keys)
    return (
        f'INSERT INTO "{table}" ({columns}, "n") {counts} '  # only our own names
        f'ON CONFLICT ({columns}) DO UPDATE SET "n" = "{table}"."n" + excluded."n"'
    )


def _adapted(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def delete_rows(model: type[Model], column: str, values: Collection[int]) -> int:
    """One DELETE of the rows with these values, past the ORM's collector (D12)."""
    if not values:
        return 0
    table = model._meta.db_table  # noqa: SLF001  # Django's documented door to the name
    with connection.cursor() as cursor:
        if _is_postgresql():
            sql = f'DELETE FROM "{table}" WHERE "{column}" = ANY(%s)'  # noqa: S608  # only our own names
            return _executed(cursor, sql, [list(values)])
        marks = ", ".join(["%s"] * len(values))
        sql = f'DELETE FROM "{table}" WHERE "{column}" IN ({marks})'  # noqa: S608  # only our own names
        return _executed(cursor, sql, list(values))


def chunk_of(rows: QuerySet[Any], limit: int) -> list[tuple[int, Any]]:
    """The first ones of these rows to remove: each one's id and its place in the order.

    Of PostgreSQL only the first and the last: ten thousand ids cost it more to read
    than to look up.
    """
    order = DELETE_ORDER[connection.vendor]
    first = rows.order_by(order, "id")[:limit]
    if not _is_postgresql():
        return list(first.values_list("id", order))
    ends = first.aggregate(first=Min("id"), last=Max("id"))
    return [(key, key) for key in ends.values() if key is not None]


def in_chunk(column: str, ids: Sequence[int]) -> Q:
    """Those with the ids of a chunk."""
    if _is_postgresql():
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
    named = _quoted(columns)
    deleting = f"{sql} RETURNING {named}"
    with connection.cursor() as cursor:
        if not _is_postgresql():
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
    if not _is_postgresql():
        rows = model._default_manager.filter(pk__in=ids)  # noqa: SLF001  # documented
        return list(rows.values_list("pk", flat=True))
    table = model._meta.db_table  # noqa: SLF001  # Django's documented door to the name
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "id" FROM "{table}" WHERE "id" = ANY(%s) ORDER BY "id" '  # noqa: S608  # only our own names
            "FOR KEY SHARE",
            [list(ids)],
        )
        return [key for (key,) in cursor.fetchall()]


def _executed(cursor: CursorWrapper, sql: str, parameters: list[Any]) -> int:
    cursor.execute(sql, parameters)
    return int(cursor.rowcount)
