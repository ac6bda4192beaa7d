"""What SQLite and PostgreSQL say differently.

Here, in ``bulk`` and in ``removal`` is the only raw SQL of the product, besides
migrations and what is put around the SQL of a query (``Statement.of``); nothing else
knows which database runs.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import FORMAT_QMARK_REGEX, SQLiteCursorWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Func, Q
from django.db.models.expressions import RawSQL
from django.db.models.sql.compiler import SQLCompiler
from psycopg.sql import Literal

from integration import clock

SEARCH_TABLE = "integration_error_search"
"""The FTS5 table of SQLite; PostgreSQL has a trigram index on the column instead."""
PREFIX_LENGTH = 3
"""Trigrams find nothing in texts shorter than this (D11)."""
_CLOCK_LOCK = 73_190_001
"""Advisory lock of PostgreSQL between what is stamped and what is previewed."""
_RECORDING_LOCK = 73_190_002
_RETRY_LOCK = 73_190_003
_COMPANIES_LOCK = 73_190_004


_SURELY = 5
"""How many times an estimate must exceed a bound to be taken for a count."""


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def packed(columns: Sequence[str]) -> str:
    """A row's columns to ask SQLite for, the first of which is its key.

    Its driver takes longer to make an object of each value, most of all of a moment,
    than SQLite to write one text of all: so it gives the key and that.
    """
    return f"{columns[0]}, json_array({', '.join(columns)})"


def unpacked(found: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """The values of rows whose columns were ``packed``."""
    return (json.loads(text) for _key, text in found)


def version_of(table: str) -> str:
    """What PostgreSQL tells the versions of a row apart by: the transaction that wrote
    it, and where it lies, which tells those of one transaction."""
    return f"concat({table}.xmin, {table}.ctid)"


def bound_cursor() -> CursorWrapper:
    """Django's cursor, for statements that come again and again.

    PostgreSQL is handed its parameters beside the text. Django's cursor writes them
    into the statement: megabytes of rows are then quoted here and read there once more,
    and each statement is parsed and planned anew, which for a page of the list takes
    longer than to answer it. What has come ``prepare_threshold`` times here is
    prepared.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_thread_sharing()
    made: Any
    if database.vendor == "postgresql":
        made = _TellingCursor(database.connection)
    else:
        made = database.connection.cursor(factory=_KnowingCursor)
    if database.queries_logged:
        return database.make_debug_cursor(made)
    return database.make_cursor(made)


class _TellingCursor(psycopg.Cursor[Any]):
    """One that Django can ask what it has sent, which the library forgets to note of a
    prepared statement. Without that name only a developer's log would be poorer."""

    def _send_query_prepared(self, name: bytes, pgq: Any, **options: Any) -> None:
        self._query = pgq
        super()._send_query_prepared(name, pgq, **options)


class _KnowingCursor(SQLiteCursorWrapper):
    """One that keeps what SQLite calls the parameters of a statement, which Django's
    looks for in its text each time: a tenth of the time of a page's rows."""

    def convert_query(self, query: str, *, param_names: Any = None) -> str:
        if param_names is not None:
            return str(super().convert_query(query, param_names=param_names))
        return _with_marks(query)


@lru_cache(maxsize=256)
def _with_marks(sql: str) -> str:
    return FORMAT_QMARK_REGEX.sub("?", sql).replace("%%", "%")


def written_out(
    sql: str, params: Sequence[Any], left: Sequence[Any]
) -> tuple[str, tuple[Any, ...]]:
    """A statement to prepare: PostgreSQL plans it for the values in its text.

    Only those that are ``left`` stay parameters. SQLite looks at no value.
    """
    if not is_postgresql():
        return sql, tuple(params)
    connection.ensure_connection()
    values, kept = iter(params), []

    def written(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%%"
        value = next(values)
        if value in left:
            kept.append(value)
            return "%s"
        literal = Literal(value).as_string(connection.connection)
        return literal.replace("%", "%%")

    return re.sub("%[s%]", written, sql), tuple(kept)


def database_now() -> datetime:
    """The moment that decides: one clock per installation.

    PostgreSQL's own, because several machines write; on SQLite that of the machine.
    """
    if not is_postgresql():
        return clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


def lock_clock(*, shared: bool) -> None:
    """Held until the transaction ends; SQLite's write lock already does it."""
    if is_postgresql():
        lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {lock}(%s)", [_CLOCK_LOCK])


def lock_recording(connection_id: int) -> None:
    """One recorder at a time per connection, so that counting reads what it changes."""
    if is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)", [_RECORDING_LOCK, connection_id]
            )


def lock_retries() -> None:
    """One retry at a time takes errors, so that none is held by two."""
    if is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_RETRY_LOCK])


def lock_companies() -> None:
    """One at a time takes an account of nobody, so that no two companies do."""
    if is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_COMPANIES_LOCK])


def among(values: Sequence[str]) -> RawSQL:
    """For ``column__in``: one parameter, where Django would bind each and every one."""
    if is_postgresql():
        return RawSQL("SELECT unnest(%s::text[])", [list(values)])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(values)])


class _Worded(Func):
    """An expression that each database words in its own way."""

    arity = 1
    sqlite: str
    postgresql: str

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template=self.sqlite, **context)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template=self.postgresql, **context)


class UtcDay(_Worded):
    """The UTC day of a moment.

    SQLite stores moments as UTC text; Django's own TruncDate calls Python per row.
    """

    output_field = models.DateField()
    sqlite = "substr(%(expressions)s, 1, 10)"
    postgresql = "((%(expressions)s) AT TIME ZONE 'UTC')::date"


class UtcHour(_Worded):
    """The UTC hour of a moment as text: 2026-11-30 05. See ``UtcDay``."""

    output_field = models.CharField()
    sqlite = "substr(%(expressions)s, 1, 13)"
    postgresql = "to_char((%(expressions)s) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')"


class UtcText(_Worded):
    """A moment as text, ISO 8601 in UTC to the second: written by the database.

    Thousands of rows of a file would else be parsed and formatted in Python.
    """

    output_field = models.CharField()
    sqlite = "replace(substr(%(expressions)s, 1, 19), ' ', 'T') || 'Z'"
    postgresql = (
        "to_char((%(expressions)s) AT TIME ZONE 'UTC', "
        '\'YYYY-MM-DD"T"HH24:MI:SS"Z"\')'
    )


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
    if is_postgresql():
        return text.upper()
    return "".join(sign.upper() if sign.isascii() else sign for sign in text)


def prefix(column: str, text: str) -> Q:
    """Rows whose upper-case ``column`` begins with ``text``, by its index."""
    start = upper(text)
    if is_postgresql():
        return Q(**{f"{column}__startswith": start})
    return Q(**{f"{column}__gte": start, f"{column}__lt": start + "\U0010ffff"})


def hits(text: str, limit: int) -> list[tuple[int, str]] | None:
    """Errors whose search text holds ``text``: each one's id and chip.

    ``None``: there are more than ``limit``. PostgreSQL would have to test that many
    rows to find so of a common word, up to a second; the statistics of its index know
    such a word. SQLite's index knows no chip, and folds what it likes beyond ASCII: its
    hits are candidates, and their chip is "".
    """
    if is_postgresql():
        sql, parameters = _hits_unless_surely_more(text, limit)
    else:
        sql = (
            f"SELECT rowid, '' FROM {SEARCH_TABLE} WHERE {SEARCH_TABLE} MATCH %s "  # noqa: S608  # only our own names
            "LIMIT %s"
        )
        phrase = '"' + text.replace('"', '""') + '"'
        parameters = [phrase, limit + 1]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found = cursor.fetchall()
    return found if len(found) <= limit and (None, None) not in found else None


def _hits_unless_surely_more(text: str, limit: int) -> tuple[str, list[Any]]:
    """A NULL among the hits says that the statistics expect far more than ``limit``."""
    pattern = f"%{_like_escaped(text)}%"
    # With a limit of its own it would be planned to read the table instead.
    sql = """
        WITH expected AS MATERIALIZED (SELECT integration_expected_hits(%s) AS n),
        hits AS MATERIALIZED (
            SELECT id, chip FROM integration_syncerror
            WHERE (SELECT n FROM expected) <= %s AND deleted_by_id IS NULL
            AND search_text LIKE %s
        )
        (SELECT id, chip FROM hits LIMIT %s)
        UNION ALL SELECT NULL, NULL FROM expected WHERE n > %s
    """
    surely = _SURELY * limit
    return sql, [[pattern], surely, pattern, limit + 1, surely]


def among_ids(ids: Sequence[int]) -> RawSQL:
    """For ``id__in``: any number of them as one parameter."""
    if is_postgresql():
        return RawSQL("SELECT unnest(%s::bigint[])", [list(ids)])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(ids))])


def _like_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def table_of(model: type[models.Model]) -> str:
    """The name of its table as SQL has it."""
    return f'"{model._meta.db_table}"'  # noqa: SLF001  # Django documents it


def field_of(model: type[models.Model], column: str) -> Any:
    """The field of a column; ``connection_id`` is that of a foreign key."""
    return model._meta.get_field(column)  # noqa: SLF001  # Django documents it


def quoted(columns: Iterable[str]) -> str:
    """Names of columns as SQL has them."""
    return ", ".join(f'"{column}"' for column in columns)
