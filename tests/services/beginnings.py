"""What many tests begin with, made once a minute and put back for each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from integration import clock
from integration.models import Connection
from tests.factories import make_user
from tests.running import running_systems
from tests.services.engine import Engine, opened

KEPT_FOR = timedelta(minutes=1)
"""Longer, and a run reads less anew: its overlap would have passed."""
A_NUMBER = 1_000_000
"""Of its user: those whom a test makes before have others."""

Rows = dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]
"""The columns and rows of each table."""


@dataclass(frozen=True, slots=True)
class _Kept:
    made_at: datetime
    url: str
    systems: bytes
    rows: Rows

    def fits(self) -> bool:
        """It is of now."""
        return abs(clock.now() - self.made_at) < KEPT_FOR


@dataclass(slots=True)
class Beginning:
    """One company with so many customers, connected and then prepared."""

    records: int
    prepare: Callable[[Engine], object] = lambda engine: None
    _kept: _Kept | None = None

    @contextmanager
    def begin(self) -> Iterator[Engine]:
        """In the database of this test, and on a port of its own."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "systems.sqlite3")
            kept = self._kept
            if kept is None or not kept.fits():
                kept = self._kept = self._make(path)
            path.write_bytes(kept.systems)
            with running_systems(path=path) as systems:
                _put_back(kept.rows, kept.url, systems.url)
                with opened(systems, Connection.objects.get()) as engine:
                    yield engine

    @contextmanager
    def one_of_several(self) -> Iterator[Engine]:
        """In one test, whose next one finds nothing of it."""
        with transaction.atomic():
            with self.begin() as engine:
                yield engine
            transaction.set_rollback(True)

    def _make(self, path: Path) -> _Kept:
        """Nothing of it stays but what is kept."""
        before = _all_rows()
        with transaction.atomic():
            with running_systems(self.records, path=path) as systems:
                [made] = systems.connect(make_user(pk=A_NUMBER))
                with opened(systems, made) as engine:
                    self.prepare(engine)
            rows = {
                table: (columns, [row for row in rows if row not in before[table][1]])
                for table, (columns, rows) in _all_rows().items()
            }
            transaction.set_rollback(True)
        return _Kept(clock.now(), systems.url, path.read_bytes(), rows)


def _all_rows() -> Rows:
    found: Rows = {}
    with connection.cursor() as cursor:
        app = apps.get_app_config("integration")
        for model in app.get_models(include_auto_created=True):
            fields = [
                field
                for field in model._meta.local_concrete_fields
                if not field.generated
            ]
            columns = tuple(str(field.column) for field in fields)
            names = ", ".join(f'"{column}"' for column in columns)
            cursor.execute(f'SELECT {names} FROM "{model._meta.db_table}"')
            found[model._meta.db_table] = columns, cursor.fetchall()
    return found


def _put_back(rows: Rows, old_url: str, url: str) -> None:
    """Addresses and cursors name the port where the systems listened then."""

    def moved(value: Any) -> Any:
        return value.replace(old_url, url) if isinstance(value, str) else value

    with transaction.atomic(), connection.cursor() as cursor:
        for table, (columns, lines) in rows.items():
            names = ", ".join(f'"{column}"' for column in columns)
            marks = ", ".join(["%s"] * len(columns))
            if lines:
                cursor.executemany(
                    f'INSERT INTO "{table}" ({names}) VALUES ({marks})',
                    [[moved(value) for value in line] for line in lines],
                )


def accepted(engine: Engine) -> None:
    """Both mappings have run once."""
    engine.accept()
    engine.sync()


def in_step(engine: Engine) -> None:
    """That of customers once more."""
    accepted(engine)
    engine.sync("CUSTOMER")


BARE = Beginning(0)
FRESH = Beginning(8)
IN_STEP = Beginning(8, in_step)
