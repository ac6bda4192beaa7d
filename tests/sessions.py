"""Two sessions of PostgreSQL, one of which waits for the other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import TypeVar

import psycopg
from django.db import connection, transaction
from psycopg import sql

_T = TypeVar("_T")
_AT_MOST_SECONDS = 20


def while_written(
    statement: str, parameters: list[object], work: Callable[[], _T]
) -> _T:
    """Do ``work`` beside somebody who has written this, and commits once it waits."""
    with psycopg.connect(**connection.get_connection_params()) as writer:
        writer.execute(statement, parameters)
        with ThreadPoolExecutor(1) as beside:
            done = beside.submit(_closing, work)
            _until_somebody_waits()
            writer.commit()
            return done.result()


def while_held(
    take: Callable[[], object], work: Callable[[], _T], then: Callable[[], object]
) -> _T:
    """Do ``work`` beside a transaction of ours: it takes what ``work`` waits for, does
    ``then`` and ends."""
    with ThreadPoolExecutor(1) as beside:
        with transaction.atomic():
            take()
            done = beside.submit(_closing, work)
            _until_somebody_waits()
            then()
        return done.result()


@contextmanager
def referred_to(table: str, key: int) -> Iterator[None]:
    """Beside somebody who has written a row that refers to this one, and goes on.

    What waits for him is refused.
    """
    with psycopg.connect(**connection.get_connection_params()) as writer:
        row = sql.SQL("SELECT 1 FROM {} WHERE id = %s FOR KEY SHARE")
        writer.execute(row.format(sql.Identifier(table)), [key])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
            yield
            cursor.execute("RESET lock_timeout")


def _closing(work: Callable[[], _T]) -> _T:
    try:
        return work()
    finally:
        connection.close()


def _until_somebody_waits() -> None:
    deadline = monotonic() + _AT_MOST_SECONDS
    while not _somebody_waits():
        assert monotonic() < deadline


def _somebody_waits() -> bool:
    """Whether a session of this database is held up by another's row."""
    with connection.cursor() as cursor:
        # A transaction would see them as they were when it looked first.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])
