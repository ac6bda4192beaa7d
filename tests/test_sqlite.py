"""Writers of SQLite take turns: whoever waits looks often enough to find it free."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.db import OperationalError, connection, transaction

from integration.models import Job
from syncerrors.sqlite.base import LOOK_SECONDS
from tests.running import database_in_a_file

PATIENCE = 0.5

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.fixture
def writer(transactional_db: None, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else who has the lock."""
    path = tmp_path / "errors.sqlite3"
    with database_in_a_file(path, PATIENCE):
        connection.ensure_connection()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield other


def busy_timeout() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        return int(cursor.fetchone()[0])


def test_whoever_has_waited_long_looks_as_often_as_at_first(
    writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def looked(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 100:
            writer.execute("COMMIT")

    monkeypatch.setattr("integration.clock.sleep", looked)

    with transaction.atomic():
        Job.objects.update(worker="mine")

    assert looks == [LOOK_SECONDS] * 100


def test_a_turn_that_does_not_come_is_refused_once_patience_ends(
    writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    monkeypatch.setattr("integration.clock.sleep", looks.append)

    with pytest.raises(OperationalError, match="locked"), transaction.atomic():
        pass

    assert sum(looks) == pytest.approx(PATIENCE)


def test_what_is_no_wait_for_a_turn_is_said_at_once(
    writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    monkeypatch.setattr("integration.clock.sleep", looks.append)
    writer.execute("COMMIT")
    connection.cursor().execute("BEGIN")

    with pytest.raises(OperationalError, match="within a transaction"):
        transaction.atomic().__enter__()

    connection.cursor().execute("ROLLBACK")
    assert looks == []


def test_any_other_statement_waits_as_it_did(writer: sqlite3.Connection) -> None:
    writer.execute("COMMIT")

    with transaction.atomic():
        Job.objects.update(worker="mine")

    assert busy_timeout() == PATIENCE * 1_000
