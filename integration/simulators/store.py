"""Tables in memory, written through to one SQLite file.

Reading never touches the file; a transaction writes the rows it changed when it
ends, in one SQLite transaction, or takes its changes back when an exception
leaves it. Both simulated systems, the faults and the request log live in one
store, so one version counter orders everything that ever changed.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from integration import clock

MILLISECOND = timedelta(milliseconds=1)
BEGINNING = datetime.min.replace(tzinfo=UTC)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    place TEXT NOT NULL, id TEXT NOT NULL, born INTEGER NOT NULL,
    version INTEGER NOT NULL, created_at TEXT, modified_at TEXT NOT NULL,
    modified_by TEXT NOT NULL, body TEXT,
    PRIMARY KEY (place, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
"""
_SAVE_ROWS = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SAVE_SETTINGS = "INSERT OR REPLACE INTO settings VALUES (?, ?)"


class StoreError(OSError):
    """The data file cannot be opened or written."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record in one version; a change puts another in its place."""

    id: str
    values: dict[str, Any]
    version: int
    created_at: datetime
    modified_at: datetime
    modified_by: str
    born: int = 0  # the version it was inserted with: insertion order


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a deleted record."""

    id: str
    version: int
    deleted_at: datetime
    deleted_by: str


Entry = Row | Tombstone


class Table:
    """Rows by id, in insertion order. Made by ``Store.table``."""

    def __init__(self, name: str, store: "Store") -> None:
        self.name = name
        self._store = store
        self._indexes: dict[str, dict[Any, dict[str, Row]]] = {}
        self.clear()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, id: str) -> Row | None:
        return self._rows.get(id.lower())

    def rows(self) -> list[Row]:
        with self._store.lock:
            self._restore_order()
            return list(self._rows.values())

    def has_index(self, field: str) -> bool:
        return field in self._indexes

    def find(self, field: str, value: object) -> list[Row]:
        """Rows whose field equals the value; text is compared without case."""
        wanted = _index_key(value)
        with self._store.lock:
            if field in self._indexes:
                return list(self._indexes[field].get(wanted, {}).values())
            rows = self._rows.values()
            return [r for r in rows if _index_key(r.values.get(field)) == wanted]

    def changes_since(self, version: int) -> list[Entry]:
        """What changed after that version, oldest first; deletions included."""
        found: list[Entry] = []
        with self._store.lock:
            self._restore_order()
            for number, entry in reversed(self._by_version.items()):
                if number <= version:
                    break
                found.append(entry)
        found.reverse()
        return found

    def insert(
        self,
        values: dict[str, Any],
        id: str | None = None,
        by: str = "",
        at: datetime | None = None,
    ) -> Row:
        """``at``: when it was made, for data loaded as old; None means now.

        Raises ValueError when the id is taken.
        """
        key = (id or str(uuid4())).lower()
        with self._store.transaction():
            if key in self._rows:
                raise ValueError(f"{self.name} already has a row {key}")
            version = self._store.next_version()
            moment = at or self._store.stamp()
            row = Row(key, dict(values), version, moment, moment, by, version)
            self._change(row)
        return row

    def update(self, row: Row, changes: dict[str, Any], by: str = "") -> Row:
        """The row as it now is: a new version, modified now."""
        return self.replace(row, {**row.values, **changes}, by)

    def replace(self, row: Row, values: dict[str, Any], by: str = "") -> Row:
        """Like ``update``, but values that are not given are gone."""
        with self._store.transaction():
            version, moment = self._store.next_version(), self._store.stamp()
            new = Row(row.id, values, version, row.created_at, moment, by, row.born)
            self._change(new)
        return new

    def delete(self, id: str, by: str = "") -> None:
        """Raises KeyError when there is no such row."""
        with self._store.transaction():
            row = self._rows[id.lower()]
            version, moment = self._store.next_version(), self._store.stamp()
            self._change(Tombstone(row.id, version, moment, by))

    def add_indexes(self, fields: Iterable[str]) -> None:
        for field in fields:
            if field not in self._indexes:
                index = self._indexes[field] = {}
                for row in self._rows.values():
                    index.setdefault(_index_key(row.values.get(field)), {})[row.id] = (
                        row
                    )

    def clear(self) -> None:
        """Forget everything, tombstones too; the indexes stay declared."""
        self._rows: dict[str, Row] = {}
        self._tombstones: dict[str, Tombstone] = {}
        self._by_version: dict[int, Entry] = {}
        self._indexes = {field: {} for field in self._indexes}
        self._in_order = True

    def load(self, id: str, entry: Entry | None) -> None:
        """Put back what the data file holds or an undone change replaced."""
        self._put(id, entry)
        self._in_order = False

    def record(self, id: str) -> tuple[Any, ...] | None:
        """The line of the data file for this id."""
        row, grave = self._rows.get(id), self._tombstones.get(id)
        if row:
            created, modified = row.created_at.isoformat(), row.modified_at.isoformat()
            line = (self.name, id, row.born, row.version, created, modified)
            return (*line, row.modified_by, pack(row.values))
        if grave:
            deleted = grave.deleted_at.isoformat()
            return (
                self.name,
                id,
                0,
                grave.version,
                None,
                deleted,
                grave.deleted_by,
                None,
            )
        return None

    def _change(self, entry: Entry) -> None:
        before = self._rows.get(entry.id) or self._tombstones.get(entry.id)
        self._put(entry.id, entry)
        self._store.changed(self, entry.id, lambda: self.load(entry.id, before))

    def _put(self, id: str, entry: Entry | None) -> None:
        """All there is of that id from now on; None: it never was."""
        row, grave = self._rows.get(id), self._tombstones.pop(id, None)
        if before := row or grave:
            self._by_version.pop(before.version, None)
        if row:
            for field, index in self._indexes.items():
                index[_index_key(row.values.get(field))].pop(id, None)
        if isinstance(entry, Row):
            self._rows[id] = entry
            for field, index in self._indexes.items():
                index.setdefault(_index_key(entry.values.get(field)), {})[id] = entry
        else:
            self._rows.pop(id, None)
        if isinstance(entry, Tombstone):
            self._tombstones[id] = entry
        if entry:
            self._by_version[entry.version] = entry

    def _restore_order(self) -> None:
        """Loading and rolling back put old entries at the end."""
        if not self._in_order:
            rows = sorted(self._rows.values(), key=lambda row: row.born)
            self._rows = {row.id: row for row in rows}
            self._by_version = dict(sorted(self._by_version.items()))
            self._in_order = True


class Store:
    """All tables of the simulators. ``path`` None keeps them in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        self.lock = threading.RLock()
        self.companions: dict[str, Any] = {}  # what goes with this store, by name
        self._tables: dict[str, Table] = {}
        self._settings: dict[str, Any] = {}
        self._undo: list[Callable[[], None]] = []
        self._dirty: dict[tuple[str, str], None] = {}
        self._depth = 0
        self.version = 0  # the newest that any row or tombstone has
        self._last_stamp = BEGINNING
        self._file = self._open(path)
        self._load()

    def close(self) -> None:
        with self.lock:
            self._file.close()

    def table(self, name: str, indexes: Iterable[str] = ()) -> Table:
        """The table of that name, made when it does not exist."""
        with self.lock:
            if name not in self._tables:
                self._tables[name] = Table(name, self)
            table = self._tables[name]
            table.add_indexes(indexes)
            return table

    def table_names(self, prefix: str = "") -> list[str]:
        with self.lock:
            return [name for name in self._tables if name.startswith(prefix)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Alone in the store until it ends; a nested one is a savepoint."""
        with self.lock:
            mark = len(self._undo)
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._save()
            except BaseException:
                while len(self._undo) > mark:
                    self._undo.pop()()
                raise
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._undo.clear()
                    self._dirty.clear()

    def next_version(self) -> int:
        self.version += 1
        return self.version

    def now(self) -> datetime:
        """The simulators' time: this machine's, moved by ``move_clock``."""
        return clock.now() + timedelta(seconds=self.setting("clock.offset", 0))

    def move_clock(self, offset_seconds: float) -> None:
        with self.lock:
            self._last_stamp = BEGINNING
            self.set_setting("clock.offset", offset_seconds)

    def stamp(self) -> datetime:
        """A modified time: whole milliseconds, later than the one before."""
        now = self.now()
        moment = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last_stamp = max(moment, self._last_stamp + MILLISECOND)
        return self._last_stamp

    def setting(self, key: str, default: Any = None) -> Any:
        return self._settings.get(key, default)

    def set_setting(self, key: str, value: Any) -> None:
        with self.transaction():
            before = self._settings
            self._settings = {**before, key: value}
            self._dirty["settings", key] = None
            self._undo.append(lambda: setattr(self, "_settings", before))

    def changed(self, table: Table, id: str, undo: Callable[[], None]) -> None:
        """A table tells what to write at the end and how to take it back."""
        self._dirty[table.name, id] = None
        self._undo.append(undo)

    def reset(self) -> None:
        """Forget every row and setting. Versions and the request log go on."""
        with self.lock:
            for table in self._tables.values():
                table.clear()
            self._settings = {}
            self._last_stamp = BEGINNING
            with self._file:
                self._file.execute("DELETE FROM rows")
                self._file.execute("DELETE FROM settings")
            self.set_setting("reset.version", self.next_version())

    def log_request(self, entry: dict[str, Any]) -> int:
        """Append to the request log; the number given to it."""
        with self.lock, _saving(), self._file:
            done = self._file.execute(
                "INSERT INTO requests (body) VALUES (?)", (pack(entry),)
            )
        return int(done.lastrowid or 0)

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The log after entry number ``since``, each with its number ``n``."""
        with self.lock:
            found = self._file.execute(
                "SELECT n, body FROM requests WHERE n > ? ORDER BY n", (since,)
            ).fetchall()
        return [{"n": n, **unpack(body)} for n, body in found]

    def _open(self, path: Path | None) -> sqlite3.Connection:
        try:
            # The lock makes sure that one thread at a time uses the connection.
            file = sqlite3.connect(
                path or ":memory:", check_same_thread=False, timeout=5
            )
            file.execute("PRAGMA journal_mode=WAL")
            file.execute("PRAGMA synchronous=OFF")
            file.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise StoreError(
                f"The simulators' data file {path} cannot be used: {error}"
            ) from error
        return file

    def _load(self) -> None:
        lines = self._file.execute("SELECT * FROM rows ORDER BY version")
        for place, key, born, version, created, modified, by, body in lines:
            moment = datetime.fromisoformat(modified)
            entry: Entry = Tombstone(key, version, moment, by)
            if body is not None:
                made = datetime.fromisoformat(created)
                entry = Row(key, unpack(body), version, made, moment, by, born)
            self.table(place).load(key, entry)
            self.version = version
            self._last_stamp = max(self._last_stamp, moment)
        settings = self._file.execute("SELECT name, body FROM settings")
        self._settings = {name: unpack(body) for name, body in settings}
        self.version = max(self.version, self.setting("reset.version", 0))

    def _save(self) -> None:
        if not self._dirty:
            return
        rows, settings = [], []
        for place, key in self._dirty:
            if place != "settings":
                rows.append(self._tables[place].record(key))
            elif key in self._settings:
                settings.append((key, pack(self._settings[key])))
        with _saving(), self._file:
            self._file.executemany(_SAVE_ROWS, filter(None, rows))
            self._file.executemany(_SAVE_SETTINGS, settings)


@contextmanager
def _saving() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"The simulators cannot save: {error}") from error


def pack(value: Any) -> str:
    """JSON that keeps decimals and moments as what they are."""
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), default=_pack_value
    )


def unpack(text: str) -> Any:
    return json.loads(text, object_hook=_unpack_value)


def _pack_value(value: object) -> dict[str, str]:
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$moment": value.isoformat()}
    raise TypeError(f"{value!r} cannot be kept in the store")


def _unpack_value(value: dict[str, Any]) -> Any:
    if len(value) == 1:
        if "$decimal" in value:
            return Decimal(value["$decimal"])
        if "$moment" in value:
            return datetime.fromisoformat(value["$moment"])
    return value


def _index_key(value: object) -> object:
    if isinstance(value, str):
        return value.lower()
    return value if isinstance(value, int | Decimal | None) else repr(value)
