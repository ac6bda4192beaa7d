"""A data directory of an earlier version opens, loses nothing, and it is said what was.

``c5433e0.tar.xz`` was made by that commit: ``quickstart --check`` on the
demonstration; an exchange rate for GBP put behind the API and ``quickstart --check``
again, so that 13 errors settled; ``cleanup --all`` (operation 13, in force); one
relevant error deleted as a selection (operation 14); the user's language set to French;
sessions and logs removed. It holds open, waiting and settled errors, couplings, pending
records, jobs, a paused connection, encrypted credentials with their key, the broker's
messages and the simulators' stores.
"""

import json
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.journeys.outside import REPOSITORY, manage, quickstart
from tests.journeys.services import services
from tests.upgrade.earlier import migrate_to
from tests.upgrade.schema import postgresql_schema, sqlite_schema

pytestmark = pytest.mark.journey
ARCHIVE = Path(__file__).parent / "c5433e0.tar.xz"
LAST_MIGRATION = "0002_error_search"
ALL_DELETED, ONE_DELETED, IN_SIGHT = 14, 1, 21
GONE = object()
UNSTEADY = ("django_migrations", "django_content_type", "auth_permission")
"""What Django itself adds to when it migrates."""

Rows = dict[str, dict[Any, dict[str, Any]]]
Execute = Callable[[str], Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@contextmanager
def sqlite(data: Path) -> Iterator[Execute]:
    with closing(sqlite3.connect(data / "syncerrors.sqlite3")) as database:
        yield database.execute


def tables(execute: Execute) -> list[str]:
    found = execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    ours = ("integration_", "auth_", "django_")
    names = sorted(name for (name,) in found if name.startswith(ours))
    return [
        name for name in names if "error_search" not in name and name not in UNSTEADY
    ]


def rows(execute: Execute, names: list[str]) -> Rows:
    """Every row of these tables by its key; each value as the database gives it."""
    found: Rows = {}
    for name in names:
        cursor = execute(f'SELECT * FROM "{name}"')  # noqa: S608  # our own tables
        columns = [column[0] for column in cursor.description]
        read = (dict(zip(columns, row, strict=True)) for row in cursor.fetchall())
        found[name] = {row[columns[0]]: row for row in read}
    return found


REWORDED = {
    "quickstart: the systems are simulated": "Quickstart: both systems are simulated."
}


def is_kept(before: Any, after: Any) -> bool:
    """The same, the same in other words, or more than there was."""
    if isinstance(after, str) and str(before).startswith("{"):
        before, after = json.loads(before), json.loads(after)
    if isinstance(before, dict) and isinstance(after, dict):
        return all(is_kept(part, after.get(key, GONE)) for key, part in before.items())
    if after is GONE:
        return False
    return before in ("", None, after) or REWORDED.get(before) == after


def lost(before: Rows, after: Rows) -> list[str]:
    """What is not there any more, or has become another; what is new is no loss."""
    return [
        f"{table} {key} {column}"
        for table, kept in before.items()
        for key, row in kept.items()
        for column, value in row.items()
        if not is_kept(value, now := after[table].get(key, {}).get(column, GONE))
        and not (column == "search_text" and value.lower() == str(now).lower())
    ]


def migrated() -> list[str]:
    """What has been migrated since, in words."""
    files = sorted((REPOSITORY / "integration" / "migrations").glob("0*.py"))
    names = [file.stem for file in files if file.stem > LAST_MIGRATION]
    return [name.partition("_")[2].replace("_", " ") for name in names]


def assert_nothing_is_out_of_sight(data: Path, more: dict[str, str]) -> None:
    shown = manage(data, "errors", "state=all", "--json", more=more).json
    undone = manage(data, "undo", "13", "--json", more=more).json
    after = manage(data, "errors", "state=all", "--json", more=more).json
    found = manage(data, "errors", "state=all", "q=Changed on", "--json", more=more)

    assert 0 < len(found.json["errors"]) < IN_SIGHT
    assert len(shown["errors"]) == IN_SIGHT
    assert undone["restored"] == ALL_DELETED
    assert len(after["errors"]) == IN_SIGHT + ALL_DELETED


@pytest.fixture
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a new installation begins."""
    return tmp_path_factory.mktemp("new")


def test_sqlite_loses_nothing(data: Path, new: Path) -> None:
    with sqlite(data) as execute:
        names = tables(execute)
        before = rows(execute, names)

    done = manage(data, "migrate")

    assert done.code == 0, done.err
    with sqlite(data) as execute:
        assert lost(before, rows(execute, names)) == []
    assert_nothing_is_out_of_sight(data, {})
    assert manage(new, "migrate").code == 0
    assert sqlite_schema(data) == sqlite_schema(new)


def test_each_retry_keeps_its_error_as_a_row_of_its_own(data: Path) -> None:
    """What JSON held: one on its way, one that failed, one whose error is gone."""
    with closing(sqlite3.connect(data / "syncerrors.sqlite3")) as database, database:
        (error, number, name), (other, *_) = database.execute(
            "SELECT id, bc_number, bc_name FROM integration_syncerror "
            "WHERE direction = 'to_sales' ORDER BY id LIMIT 2"
        ).fetchall()
        (run,) = database.execute("SELECT run FROM integration_job").fetchone()
        database.executemany(
            "INSERT INTO integration_operation (kind, state, by_name, reason, "
            "created_at, key, include_relevant, filter, scope, result, rows, "
            "undone_by_name) VALUES ('retry', ?, 'anna', 'cured', "
            "'2026-11-01 08:00:00', ?, 0, '{}', ?, ?, 1, '')",
            [
                ("running", "a", f'{{"error": {error}}}', json.dumps({"run": run})),
                ("failed", "b", f'{{"error": {other}}}', '{"outcome": "failed"}'),
                ("done", "c", '{"error": 999999}', '{"outcome": "gone"}'),
            ],
        )

    done = manage(data, "migrate")

    assert done.code == 0, done.err
    with sqlite(data) as execute:
        items = execute(
            "SELECT error_id, outcome, label FROM integration_operationitem "
            "ORDER BY operation_id"
        ).fetchall()
        carried = execute(
            "SELECT DISTINCT run FROM integration_job WHERE operation_id NOT NULL"
        ).fetchall()
    assert items[0] == (error, "pending", f"{number} {name}".strip())
    assert [item[:2] for item in items[1:]] == [(other, "failed"), (999999, "gone")]
    assert carried == [(run,)]


def copy(source: Execute, target: "psycopg.Connection[Any]", names: list[str]) -> None:
    """All rows, in one transaction; what the database derives is left to it."""
    target.execute("SET TimeZone = 'UTC'")
    next_ids: set[str] = set()
    for name in names:
        derived = {
            column
            for (column,) in target.execute(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_name = %s AND is_generated = 'ALWAYS'",
                [name],
            )
        }
        for row in rows(source, [name])[name].values():
            kept = {key: value for key, value in row.items() if key not in derived}
            columns = ", ".join(f'"{column}"' for column in kept)
            marks = ", ".join(["%s"] * len(kept))
            texts = [None if value is None else str(value) for value in kept.values()]
            statement = f'INSERT INTO "{name}" ({columns}) VALUES ({marks})'  # noqa: S608
            target.execute(statement, texts)
            if "id" in row:
                next_ids.add(name)
    for name in next_ids:
        target.execute(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) "  # noqa: S608
            f'FROM "{name}"'
        )


def test_postgresql_loses_nothing(data: Path, new: Path) -> None:
    with services() as given, services() as empty:
        migrate_to(data, LAST_MIGRATION, given)
        with sqlite(data) as source, psycopg.connect(given["DATABASE_URL"]) as target:
            names = tables(source)
            copy(source, target, names)
            before = rows(target.execute, names)

        done = manage(data, "migrate", more=given)

        assert done.code == 0, done.err
        with psycopg.connect(given["DATABASE_URL"]) as target:
            assert lost(before, rows(target.execute, names)) == []
        assert_nothing_is_out_of_sight(data, given)
        assert manage(new, "migrate", more=empty).code == 0
        assert postgresql_schema(given["DATABASE_URL"]) == postgresql_schema(
            empty["DATABASE_URL"]
        )


def test_quickstart_goes_on_with_it_and_says_what_it_migrated(data: Path) -> None:
    with sqlite(data) as execute:
        names = ["integration_operation", "integration_coupling", "integration_user"]
        before = rows(execute, names)

    done = quickstart(data)

    assert done.code == 0, done.err
    line = next(line for line in done.err.splitlines() if line.startswith("database"))
    assert all(words in line for words in migrated())
    assert done.json["errors_by_problem"]["Changed on both sides: phone"] == 2
    with sqlite(data) as execute:
        after = rows(execute, names)
    assert all(before[name].keys() <= after[name].keys() for name in names)
