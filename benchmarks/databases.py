"""Databases filled with a year's errors: made once, found again, thrown away.

Without DATABASE_URL they are SQLite files of the benchmarks' data directory; with it,
PostgreSQL databases whose names begin with the one it names.

    python -m benchmarks.databases --rows 5000000 [--details 1000]
    python -m benchmarks.databases --drop
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
django.setup()

import psycopg  # noqa: E402  # Django comes first
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import Sum  # noqa: E402

from benchmarks.year import DETAILS, Year, write_errors  # noqa: E402
from integration import clock  # noqa: E402
from integration.choices import Role  # noqa: E402
from integration.models import ErrorTotal, User  # noqa: E402
from tests.factories import make_user  # noqa: E402

IS_SQLITE = connection.vendor == "sqlite"
MOST_ROWS = 1_000_000 if IS_SQLITE else 5_000_000
FEW_ROWS = 100_000
ADMINISTRATOR = "benchmark"
_BASE = str(settings.DATABASES["default"]["NAME"])


def use(rows: int = MOST_ROWS, details: int = DETAILS) -> None:
    """Point Django at the database of so many rows; fill it if it is not there yet."""
    point_at(_name(rows))
    call_command("migrate", verbosity=0)
    if ErrorTotal.objects.aggregate(n=Sum("n"))["n"] == rows:
        return
    start = clock.monotonic()
    with transaction.atomic():
        if not IS_SQLITE:
            with connection.cursor() as cursor:  # the rows' foreign keys are right
                cursor.execute("SET LOCAL session_replication_role = replica")
        make_user(Role.ADMINISTRATOR, username=ADMINISTRATOR)
        write_errors(Year(), rows, newest=clock.now(), details=details)
    if not IS_SQLITE:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    print(f"{rows:,} rows written in {clock.monotonic() - start:.0f} s")


@contextmanager
def a_copy(rows: int = MOST_ROWS) -> Iterator[None]:
    """The same rows in a database of its own that may be changed; then it is gone."""
    use(rows)
    original, copy = _name(rows), _name("copy")
    connection.close()
    _remove(copy)
    if IS_SQLITE:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        shutil.copyfile(original, copy)
    else:
        _administer(f'CREATE DATABASE "{copy}" TEMPLATE "{original}"')
        _administer("CHECKPOINT")
    os.sync()  # or the first commit waits for all of the copy
    point_at(copy)
    try:
        yield
    finally:
        connection.close()
        _remove(copy)


def administrator() -> User:
    """Whom the benchmarks sign in."""
    return User.objects.get(username=ADMINISTRATOR)


def _name(rows: int | str) -> str:
    return f"{_BASE.removesuffix('.sqlite3')}_{rows}{'.sqlite3' if IS_SQLITE else ''}"


def point_at(name: str) -> None:
    """From now on Django uses this one, made if need be."""
    connection.close()
    if IS_SQLITE:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
    elif name not in _databases():
        _administer(f'CREATE DATABASE "{name}"')
    connection.settings_dict["NAME"] = name


def _remove(name: str) -> None:
    if IS_SQLITE:
        for suffix in ("", "-wal", "-shm"):
            Path(name + suffix).unlink(missing_ok=True)
    else:
        _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _databases() -> set[str]:
    found = _administer("SELECT datname FROM pg_database")
    return {str(name) for (name,) in found if str(name).startswith(f"{_BASE}_")}


def _administer(statement: Any) -> list[tuple[Any, ...]]:
    parameters = {**connection.get_connection_params(), "dbname": "postgres"}
    with psycopg.connect(**parameters, autocommit=True) as server:
        found = server.execute(statement)
        return found.fetchall() if found.description else []


def _drop_all() -> None:
    names = (
        [str(path) for path in Path(_BASE).parent.glob("*_*.sqlite3")]
        if IS_SQLITE
        else _databases()
    )
    for name in names:
        _remove(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MOST_ROWS)
    parser.add_argument("--details", type=int, default=DETAILS)
    parser.add_argument("--drop", action="store_true")
    options = parser.parse_args()
    if options.drop:
        _drop_all()
    else:
        use(options.rows, options.details)


if __name__ == "__main__":
    main()
