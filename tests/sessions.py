"""Two sessions of PostgreSQL, one of which waits for the other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

import psycopg
from django.db import connection

_T = TypeVar("_T")
_AT_MOST_SECONDS = 20


def while_written(sql: str, parameters: list[object], work: Callable[[], _T]) -> _T:
    """Do ``work`` beside somebody who has written this, and commits once it waits."""
    with psycopg.connect(**connection.get_connection_params()) as writer:
        writer.execute(sql, parameters)
        with ThreadPoolExecutor(1) as beside:
            done = beside.submit(_closing, work)
            deadline = monotonic() + _AT_MOST_SECONDS
            while not _somebody_waits():
                assert monotonic() < deadline
            writer.commit()
            return done.result()


def _closing(work: Callable[[], _T]) -> _T:
    try:
        return work()
    finally:
        connection.close()


def _somebody_waits() -> bool:
    """Whether a session of this database is held up by another's row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])
