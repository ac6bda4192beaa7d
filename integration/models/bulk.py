"""Sets of rows written at once, past Django's models.

Those cost several times what the databases need, which take sets in different ways.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson
from django.db import connection, models, transaction
from django.db.models import Model, QuerySet

from integration.models.dialect import (
    bound_cursor,
    field_of,
    is_postgresql,
    quoted,
    table_of,
)

Columns = Mapping[str, Sequence[Any]]
"""Rows to be written, by column: each with its value in every row."""
_PARAMETERS = 30_000
"""In one statement: SQLite takes 32,766."""
_AT_ONCE = 50
"""Rows in one statement of SQLite that returns something of them."""


def add_counts(
    model: type[Model], keys: Sequence[str], counts: Iterable[tuple[Any, ...]]
) -> None:
    """Add to the counter ``n`` of each key, making it where it does not exist.

    ``counts`` are tuples of the key's values with the amount last; amounts may be
    negative. Both databases speak this statement, but Django does not.
    """
    rows = list(counts)
    if not rows:
        return
    columns = (*keys, "n")
    with bound_cursor() as cursor:
        if is_postgresql():
            source, parameters = _recordset(model, _by_column(columns, rows))
            cursor.execute(_adding(model, keys, source), parameters)
            return
        marks, step = _marks(len(columns)), _PARAMETERS // len(columns)
        for first in range(0, len(rows), step):
            part = rows[first : first + step]
            sql = _adding(model, keys, f"VALUES {', '.join([marks] * len(part))}")
            cursor.execute(sql, [_adapted(value) for row in part for value in row])


def insert(model: type[Model], columns: Columns) -> None:
    """Make these rows."""
    if not _has_rows(columns):
        return
    with bound_cursor() as cursor:
        if is_postgresql():
            source, parameters = _recordset(model, columns)
            cursor.execute(f"{_into(model, columns)} {source}", parameters)
        else:
            marks = _marks(len(columns))
            cursor.executemany(
                f"{_into(model, columns)} VALUES {marks}", _prepared(model, columns)
            )


def insert_new(model: type[Model], columns: Columns, by: str) -> dict[Any, int]:
    """Make those of these rows that no other one stands in the way of.

    Returns their ids by the value of the column ``by``.
    """
    if not _has_rows(columns):
        return {}
    if is_postgresql():
        end = f'ON CONFLICT DO NOTHING RETURNING "{by}", "id"'
        return dict(_inserted(model, columns, end))
    table = table_of(model)
    with transaction.atomic(savepoint=False), bound_cursor() as cursor:
        # Nobody else writes now, and no id comes twice: what is later was made here.
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608  # only our own names
        (last,) = cursor.fetchone()
        cursor.executemany(
            f"{_into(model, columns)} VALUES {_marks(len(columns))}"
            " ON CONFLICT DO NOTHING",
            _prepared(model, columns),
        )
        made = f'SELECT "{by}", "id" FROM {table} WHERE id > %s'  # noqa: S608  # only our own names
        cursor.execute(made, [last])
        return dict(cursor.fetchall())


def upsert(
    model: type[Model],
    columns: Columns,
    unique: Sequence[str],
    updated: Iterable[str],
) -> list[int]:
    """Make these rows; write ``updated`` over one that has its ``unique`` columns.

    Returns their ids in the order of the rows.
    """
    if not _has_rows(columns):
        return []
    written = ", ".join(f'"{name}" = excluded."{name}"' for name in updated)
    end = f'ON CONFLICT ({quoted(unique)}) DO UPDATE SET {written} RETURNING "id"'
    return [key for (key,) in _inserted(model, columns, end)]


def update(
    model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Write these columns of the rows with the ids that stand last in each."""
    if not rows:
        return
    table, given = table_of(model), _by_column([*columns, "id"], rows)
    with bound_cursor() as cursor:
        if is_postgresql():
            source, parameters = _recordset(model, given)
            settings = ", ".join(f'"{name}" = new."{name}"' for name in columns)
            cursor.execute(
                f"UPDATE {table} SET {settings} FROM ({source}) AS new "  # noqa: S608  # only our own names
                f'WHERE {table}."id" = new."id"',
                parameters,
            )
        else:
            settings = ", ".join(f'"{name}" = %s' for name in columns)
            cursor.executemany(
                f'UPDATE {table} SET {settings} WHERE "id" = %s',  # noqa: S608  # only our own names
                _prepared(model, given),
            )


def add(
    model: type[Model],
    added: Mapping[str, int],
    written: Mapping[str, Any],
    where: Mapping[str, Any],
) -> int:
    """Add to these columns, and write those, of the rows that hold ``where``.

    Returns how many there are. Django would take ten times as long to word it as the
    database to do it.
    """
    settings = [f'"{name}" = "{name}" + %s' for name in added]
    settings += [f'"{name}" = %s' for name in written]
    conditions = " AND ".join(f'"{name}" = %s' for name in where)
    given = [*added.items(), *written.items(), *where.items()]
    with bound_cursor() as cursor:
        cursor.execute(
            f"UPDATE {table_of(model)} SET {', '.join(settings)} WHERE {conditions}",  # noqa: S608  # only our own names
            [
                field_of(model, name).get_db_prep_save(v, connection)
                for name, v in given
            ],
        )
        return int(cursor.rowcount)


def _inserted(
    model: type[Model], columns: Columns, end: str
) -> Iterator[tuple[Any, ...]]:
    """What ``end`` returns of each row made."""
    into = _into(model, columns)
    with bound_cursor() as cursor:
        if is_postgresql():
            source, parameters = _recordset(model, columns)
            cursor.execute(f"{into} {source} {end}", parameters)
            yield from cursor.fetchall()
            return
        # Longer statements cost more to read than they save.
        prepared = _prepared(model, columns)
        marks = _marks(len(columns))
        for first in range(0, len(prepared), _AT_ONCE):
            part = prepared[first : first + _AT_ONCE]
            source = f"VALUES {', '.join([marks] * len(part))}"
            values = [value for row in part for value in row]
            cursor.execute(f"{into} {source} {end}", values)
            yield from cursor.fetchall()


def _by_column(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _has_rows(columns: Columns) -> bool:
    return any(map(len, columns.values()))


def _into(model: type[Model], columns: Iterable[str]) -> str:
    return f"INSERT INTO {table_of(model)} ({quoted(columns)})"


def _marks(count: int) -> str:
    return f"({', '.join(['%s'] * count)})"


def _recordset(model: type[Model], columns: Columns) -> tuple[str, list[Any]]:
    """What PostgreSQL inserts from, with its parameters.

    A column whose values are all the same is one of them, any other is an array: bound
    one by one, values would cost psycopg as much as the rows the server.
    """
    shown: list[str] = []
    arrays: dict[str, str] = {}
    shared: list[Any] = []
    different: list[Any] = []
    for column, found in columns.items():
        field = field_of(model, column)
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


def _prepared(model: type[Model], columns: Columns) -> list[tuple[Any, ...]]:
    """The rows as SQLite stores them."""
    fields = [field_of(model, column) for column in columns]
    return [*zip(*map(_stored, fields, columns.values()), strict=True)]


def _stored(field: Any, values: Sequence[Any]) -> Iterable[Any]:
    """A column's values as SQLite stores them."""
    if isinstance(field, models.JSONField):
        return map(_json, values)
    if not isinstance(field, models.DateTimeField):
        return values
    first = values[0]
    if values.count(first) == len(values):  # the moment they are written, or none
        return [_moment(first)] * len(values)
    return map(_moment, values)


def _moment(value: datetime | None) -> str | None:
    """As Django has SQLite store it: in UTC, without saying so."""
    if value is None:
        return None
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(" ")[: -len("+00:00")]


def _json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
    except TypeError:  # A number of more than 64 bits.
        return json.dumps(value)


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
    table = table_of(model)
    select, parameters = rows.order_by().query.sql_with_params()
    sql = f"INSERT INTO {table} ({quoted(columns)}) {select} ON CONFLICT DO NOTHING"
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return int(cursor.rowcount)


def _adding(model: type[Model], keys: Sequence[str], counts: str) -> str:
    table = table_of(model)
    columns = quoted(keys)
    return (
        f'INSERT INTO {table} ({columns}, "n") {counts} '  # only our own names
        f'ON CONFLICT ({columns}) DO UPDATE SET "n" = {table}."n" + excluded."n"'
    )


def _adapted(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
