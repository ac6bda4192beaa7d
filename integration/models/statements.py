"""Queries whose SQL is made once a process: making it costs more than answering it.

The list asks the same few questions at every page. Django's compiler takes about a
millisecond for each; an index answers in a fraction of one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from itertools import chain
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import NotSupportedError, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler

from integration.models.dialect import bound_cursor, is_postgresql, written_out

Convert = Callable[[Any], Any]
T = TypeVar("T")


class Slots:
    """Values that stand for others when a statement is made.

    They are told from a filter's own values because nothing that is stored is one.
    """

    MOMENT = datetime(1, 1, 2, 3, 4, 5, tzinfo=UTC)
    TEXT = "\x01"
    COUNT = 2_147_319_001  # within the column's bounds, or Django finds nothing
    KEY = -7_319_002

    @staticmethod
    def keys(count: int) -> list[int]:
        """So many keys, all different."""
        return list(range(Slots.KEY - count + 1, Slots.KEY + 1))


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL of ``values_list``, its parameters, and what Django makes of its columns.

    ``places`` are the parameters to fill in: the place of each and of its value; on
    PostgreSQL the others stand in the text. ``sql`` is "" where the condition can hold
    for no row.
    """

    sql: str
    params: tuple[Any, ...]
    places: tuple[tuple[int, int], ...]
    converters: tuple[tuple[int, Convert], ...]
    once: bool = False

    @classmethod
    def of(
        cls,
        *queries: QuerySet[Any, Any],
        slots: Sequence[Any] = (),
        each: str = "{}",
        between: str = " UNION ALL ",
        around: str = "{}",
        columns: QuerySet[Any, Any] | None = None,
        once: bool = False,
    ) -> "Statement":
        """The statement of a query, or of the rows of several one after the other.

        ``each`` says what is made of the SQL of one of several, ``between`` stands
        between these, ``around`` says what is made of all; ``columns`` is a query with
        the columns that ``around`` has. ``once``: it will not come again.
        """
        compilers = [
            query.query.get_compiler(connection=connection) for query in queries
        ]
        parts = list(filter(None, map(_written, compilers)))
        if not parts:
            return cls("", (), (), ())
        written = [part for part, _params in parts]
        if len(parts) > 1:
            written = list(map(each.format, written))
        sql = between.join(written)
        params = tuple(map(_stored, chain.from_iterable(row for _part, row in parts)))
        stored = [_stored(slot) for slot in slots]
        sql = around.format(sql)
        if not once:
            sql, params = written_out(sql, params, stored)
        places = [
            (place, stored.index(value))
            for place, value in enumerate(params)
            if stored and value in stored
        ]
        shown = compilers[0] if around == "{}" else None
        if columns is not None:
            shown = columns.query.get_compiler(connection=connection)
            shown.pre_sql_setup()
        return cls(
            sql,
            params,
            tuple(places),
            tuple(
                (place, _convert(made, column))
                for place, (made, column) in _converters(shown).items()
            ),
            once,
        )

    def rows(self, *values: Any) -> list[list[Any]]:
        """What it finds with these values in its slots; equal ones are one object."""
        return self.converted(self.raw(*values))

    def raw(self, *values: Any) -> tuple[tuple[Any, ...], ...]:
        """The same as the database has it: what is made of it can be kept by it."""
        if not self.sql:
            return ()
        cursor = _ahead.get({}).pop(self.sql, None)
        with cursor or _newly(lambda: self.ask(*values)) as cursor:
            return tuple(cursor.fetchall())

    def converted(self, found: Iterable[Sequence[Any]]) -> list[list[Any]]:
        """What Django makes of these rows."""
        rows = list(map(list, found))
        for place, convert in self.converters:
            made: dict[Any, Any] = {None: None}
            for row in rows:
                value = row[place]
                if value not in made:
                    made[value] = convert(value)
                row[place] = made[value]
        return rows

    def bound(self, *values: Any) -> "Statement":
        """The same with these values in its slots."""
        params = list(self.params)
        for place, value in self.places:
            params[place] = _stored(values[value])
        return replace(self, params=tuple(params), places=())

    def ask(self, *values: Any) -> CursorWrapper:
        """Send it with these values in its slots; whoever asks closes the cursor."""
        bound = self.bound(*values) if self.places else self
        cursor = connection.cursor() if self.once else bound_cursor()
        cursor.execute(self.sql, bound.params)
        return cursor


_ahead: ContextVar[dict[str, CursorWrapper]] = ContextVar("ahead")


@contextmanager
def ahead(statements: Iterable[Statement]) -> Iterator[None]:
    """Ask these at once; in the block each one's first ``rows`` takes its answer.

    PostgreSQL is waited for once, not once for each. SQLite has nothing to wait for,
    and what is asked in vain costs as much as what is not.
    """
    if not is_postgresql():
        yield
        return
    wanted = list(statements)
    asked = _newly(lambda: _asked_at_once(wanted))
    token = _ahead.set(asked)
    try:
        yield
    finally:
        _ahead.reset(token)
        for cursor in asked.values():
            cursor.close()


def _asked_at_once(statements: Iterable[Statement]) -> dict[str, CursorWrapper]:
    with _pipeline():
        wanted = {one.sql: one for one in statements if one.sql}
        return {sql: one.ask() for sql, one in wanted.items()}


@contextmanager
def _pipeline() -> Iterator[None]:
    """What is asked in the block is sent, and waited for at its end."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with ExitStack() as in_trouble:
        # What was to be prepared after a failure, the library takes for prepared.
        in_trouble.callback(connection.close)
        with connection.wrap_database_errors, connection.connection.pipeline():
            yield
        in_trouble.pop_all()


@contextmanager
def under_way(statement: Statement, *values: Any) -> Iterator[list[tuple[Any, ...]]]:
    """While the block runs PostgreSQL answers this; after it, the list has the rows.

    Its transaction lasts as long as the block, which waits for nobody. SQLite, which
    answers in this process, is asked after the block.
    """
    rows: list[tuple[Any, ...]] = []
    if not (is_postgresql() and statement.sql):
        yield rows
        rows += statement.raw(*values)
        return
    is_over = False
    try:
        with _pipeline():
            cursor = statement.ask(*values)
            yield rows
            is_over = True
        with cursor:
            rows += cursor.fetchall()
    except NotSupportedError:  # As ``_newly``, but what the block does is done once.
        if connection.in_atomic_block or not is_over:
            raise
        rows += statement.raw(*values)


def _newly(ask: Callable[[], T]) -> T:
    """The answer; of a table that has changed since it was planned, on a new
    connection: a new version may do that while this one runs.

    A transaction has failed then; its end has the library forget what was prepared.
    """
    try:
        return ask()
    except NotSupportedError:
        if connection.in_atomic_block:
            raise
        connection.close()
        return ask()


def _written(compiler: SQLCompiler) -> tuple[str, tuple[Any, ...]] | None:
    """SQL and parameters; ``None`` where the condition can hold for no row."""
    try:
        return compiler.as_sql()
    except EmptyResultSet:
        return None


def _converters(compiler: SQLCompiler | None) -> dict[int, Any]:
    """By the place of the column; of what is only counted there are none."""
    if compiler is None:
        return {}
    columns = [column for column, _sql, _alias in compiler.select or ()]
    found: dict[int, Any] = compiler.get_converters(columns)
    return found


def _stored(value: Any) -> Any:
    """As the database's driver takes it: of a choice it would ask what it is."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.value if isinstance(value, Enum) else value


def _convert(converters: Sequence[Any], column: Any) -> Convert:
    if connection.vendor == "sqlite" and column.output_field.get_internal_type() == (
        "DateTimeField"
    ):
        return _moment

    def convert(value: Any) -> Any:
        for made in converters:
            value = made(value, column, connection)
        return value

    return convert


def _moment(value: datetime | str) -> datetime:
    """SQLite's moments have no zone, and are UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC)
