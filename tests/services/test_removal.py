"""How much is removed at once, and what becomes of SQLite's log meanwhile."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from integration.models.removal import DELETE_CHUNK, Removal
from tests.factories import make_user
from tests.running import database_in_a_file

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.clock.sleep", lambda _: None)


@pytest.fixture
def file(transactional_db: None, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "errors.sqlite3"
    with database_in_a_file(path, 1):
        yield path


@pytest.mark.sqlite
@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize(
    ("rows", "seconds", "next_size"),
    [
        (200, 0.05, 400),
        (800, 0.2, 400),
        (200, 0.001, DELETE_CHUNK["sqlite"]),
        (200, 0.0, DELETE_CHUNK["sqlite"]),
        (200, 5.0, 100),
        (0, 0.1, 100),
    ],
)
def test_a_chunk_is_as_large_as_the_machine_is_quick(
    rows: int, seconds: float, next_size: int
) -> None:
    removal = Removal()
    removal.rest(rows, seconds)
    assert removal.size == next_size


@pytest.mark.postgresql
def test_postgresql_only_marks_rows_and_takes_as_many_however_long_it_takes() -> None:
    removal = Removal()
    removal.rest(10, 60.0)
    assert removal.size == DELETE_CHUNK["postgresql"]


@pytest.mark.sqlite
@pytest.mark.usefixtures("_no_pause")
def test_the_log_begins_anew_after_some_thousand_rows(file: Path) -> None:
    """Else whoever commits next would have to empty it, and wait for that."""
    log = file.with_name(f"{file.name}-wal")
    sizes = []
    with closing(Removal()) as removal:
        for _ in range(4):
            make_user()
            removal.rest(1_000, 0.1)
            sizes.append(log.stat().st_size)
    removal.rest(0, 0.1)  # what the block has waited for is copied
    for _ in range(4):
        make_user()
        sizes.append(log.stat().st_size)
    assert sizes[0] < sizes[3] == sizes[7]


@pytest.mark.sqlite
@pytest.mark.usefixtures("_no_pause")
def test_somebody_who_reads_for_long_does_not_stop_the_removal(file: Path) -> None:
    reader = connection.copy()
    try:
        with reader.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM integration_job")
            make_user()
            with closing(Removal()) as removal:
                removal.rest(4_000, 0.1)
            removal.rest(0, 0.1)
    finally:
        reader.close()
    make_user()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (1_000,)


@pytest.mark.sqlite
def test_words_are_merged_as_usual_again_when_nothing_is_removed_any_more() -> None:
    def merged() -> dict[str, int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT k, v FROM integration_error_search_config")
            return {name: value for name, value in cursor.fetchall() if "merge" in name}

    with closing(Removal()):
        assert merged() == {"automerge": 16, "crisismerge": 64}

    assert merged() == {"automerge": 4, "crisismerge": 64}
