"""The spool: what a run has read and must decide about, in a file of its own.

So that memory does not grow with the data (promise 10), and so that two sides are
matched where joins are quick. A few records stay in memory until one of both is needed.
"""

import marshal
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from integration.core.chunks import chunks
from integration.core.mapping import TableMap
from integration.core.match import match_keys
from integration.core.outcomes import RecordRef
from integration.core.records import Record, System
from integration.core.snapshots import Snapshot
from integration.core.values import as_code
from integration.services.few import Few, Maker

CHUNK = 1_000
IN_MEMORY = 10_000
"""So many records a run may have before they go to the file: a page of each side."""
CANDIDATES = 10
"""So many are named for an ambiguous record."""
_KEYS_KEPT = 1_000

_BC, _SALES = System.BUSINESS_CENTRAL.value, System.SALES.value

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE record (
    side TEXT, id TEXT, etag TEXT, modified TEXT, held BLOB, number TEXT, name TEXT,
    passes INTEGER, checked TEXT, coupling INTEGER, extra INTEGER,
    state TEXT DEFAULT '', keyed INTEGER DEFAULT 0,
    PRIMARY KEY (side, id)
);
CREATE INDEX by_coupling ON record (coupling) WHERE coupling IS NOT NULL;
CREATE INDEX by_state ON record (side, state) WHERE coupling IS NULL;
CREATE TABLE match_key (side TEXT, id TEXT, tier INTEGER, rule INTEGER, word TEXT);
CREATE INDEX by_word ON match_key (tier, rule, word);
CREATE INDEX by_record ON match_key (side, id);
CREATE TABLE pair (bc_id TEXT PRIMARY KEY, sales_id TEXT);
CREATE TABLE seen (side TEXT, id TEXT, PRIMARY KEY (side, id)) WITHOUT ROWID;
CREATE TABLE gone (side TEXT, id TEXT, PRIMARY KEY (side, id)) WITHOUT ROWID;
CREATE TABLE ended (side TEXT, id TEXT, kind TEXT, PRIMARY KEY (side, id))
WITHOUT ROWID;
"""

_FREE = "r.coupling IS NULL AND r.state = ''"

# One group per key that both sides have: how many, and which one if it is only one.
_GROUPS = f"""
CREATE TEMP TABLE grouped AS
SELECT k.rule AS rule, k.word AS word,
       sum(k.side = '{_BC}') AS here, sum(k.side = '{_SALES}') AS there,
       max(CASE WHEN k.side = '{_BC}' THEN k.id END) AS bc_id,
       max(CASE WHEN k.side = '{_SALES}' THEN k.id END) AS sales_id
FROM match_key k JOIN record r ON r.side = k.side AND r.id = k.id
WHERE k.tier = ? AND {_FREE}
GROUP BY k.rule, k.word
HAVING here > 0 AND there > 0
"""  # noqa: S608  (no value of a record is put in)

_MEETING = f"""
SELECT 1 FROM match_key b JOIN match_key s
ON s.tier = b.tier AND s.rule = b.rule AND s.word = b.word AND s.side = '{_SALES}'
WHERE b.side = '{_BC}' AND EXISTS (
    SELECT 1 FROM record r WHERE r.side = b.side AND r.id = b.id AND {_FREE}
) AND EXISTS (SELECT 1 FROM record r WHERE r.side = s.side AND r.id = s.id AND {_FREE})
LIMIT 1
"""  # noqa: S608

# Two candidates on either side make all of them ambiguous, and what points at them.
_CROWD = f"""
CREATE TEMP TABLE crowd AS
SELECT DISTINCT k.side AS side, k.id AS id
FROM grouped g JOIN match_key k ON k.tier = ? AND k.rule = g.rule AND k.word = g.word
JOIN record r ON r.side = k.side AND r.id = k.id
WHERE (g.here > 1 OR g.there > 1) AND {_FREE}
"""  # noqa: S608

_EDGES = """
CREATE TEMP TABLE edge AS
SELECT DISTINCT bc_id, sales_id FROM grouped WHERE here = 1 AND there = 1;
CREATE INDEX temp.edge_bc ON edge (bc_id);
CREATE INDEX temp.edge_sales ON edge (sales_id);
CREATE INDEX temp.crowd_id ON crowd (side, id);
"""

_LONELY = f"""
SELECT e.bc_id, e.sales_id FROM edge e
WHERE (SELECT count(*) FROM edge x WHERE x.bc_id = e.bc_id) = 1
  AND (SELECT count(*) FROM edge x WHERE x.sales_id = e.sales_id) = 1
  AND NOT EXISTS (SELECT 1 FROM crowd c WHERE c.side = '{_BC}' AND c.id = e.bc_id)
  AND NOT EXISTS (SELECT 1 FROM crowd c WHERE c.side = '{_SALES}' AND c.id = e.sales_id)
"""  # noqa: S608

_MARK = f"""
INSERT OR IGNORE INTO pair {_LONELY};
UPDATE record SET state = 'matched' WHERE state = '' AND (
    (side = '{_BC}' AND id IN (SELECT bc_id FROM pair)) OR
    (side = '{_SALES}' AND id IN (SELECT sales_id FROM pair)));
UPDATE record SET state = 'ambiguous' WHERE state = '' AND coupling IS NULL AND (
    (side = '{_BC}' AND id IN (SELECT bc_id FROM edge)) OR
    (side = '{_SALES}' AND id IN (SELECT sales_id FROM edge)) OR
    (side, id) IN (SELECT side, id FROM crowd));
DROP TABLE grouped; DROP TABLE crowd; DROP TABLE edge;
"""  # noqa: S608

_COLUMNS = "id, etag, modified, held, number, name, passes, checked"
_WIDTH = len(_COLUMNS.split(","))

_IN_STATE = f"""
SELECT rowid, {_COLUMNS}, extra FROM record
WHERE side = ? AND state = ? AND coupling IS NULL AND rowid > ?
ORDER BY rowid LIMIT ?
"""  # noqa: S608  # only our own names
_ANY_LEFT = """
SELECT 1 FROM record
WHERE side = ? AND extra = 0 AND state NOT IN ('done', 'dropped')
UNION ALL SELECT 1 FROM gone WHERE side = ?
LIMIT 1
"""
_KEYLESS = f"""
SELECT rowid, side, {_COLUMNS} FROM record r
WHERE keyed = 0 AND {_FREE} AND rowid > ? ORDER BY rowid LIMIT ?
"""  # noqa: S608  # only our own names


@dataclass(frozen=True, slots=True)
class SpooledPair:
    """A coupling and what was read of its two records; ``None`` was not read."""

    coupling: int
    bc: Snapshot | None
    sales: Snapshot | None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A record and those it may be the same as, the first few of ``count``."""

    side: System
    record: Snapshot
    candidates: tuple[RecordRef, ...]
    is_extra: bool


class Spool:
    """A run's records between reading and deciding; gone when its block ends."""

    def __init__(self) -> None:
        self._sides: set[System] = set()
        self._few: Few | None = Few()
        self._ended: dict[tuple[System, str], str] | None = {}
        self._files = ExitStack()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()
        # The run that holds it is held by it: they would lie there until Python looks.
        self._few = None

    @cached_property
    def _base(self) -> sqlite3.Connection:
        """The file; made only for what is written to it."""
        folder = self._files.enter_context(
            tempfile.TemporaryDirectory(prefix="sync-errors-")
        )
        base = sqlite3.connect(Path(folder) / "spool.sqlite3", isolation_level=None)
        self._files.callback(base.close)
        base.executescript(_SCHEMA)
        base.create_function("as_code", 1, as_code, deterministic=True)
        return base

    def add(
        self,
        side: System,
        records: Iterable[tuple[Snapshot, int | None]],
        *,
        extra: bool = False,
    ) -> None:
        """Records with the id of their coupling; one read twice counts as read last.

        ``extra`` ones only help to match: nothing is decided about them.
        """
        given = list(records)
        if given:
            self._sides.add(side)
        if self._few is not None and len(self._few) + len(given) <= IN_MEMORY:
            self._few.add(side, given, extra=extra)
            return
        self._spill()
        self._many(
            "INSERT OR REPLACE INTO record (side, id, etag, modified, held, number,"
            " name, passes, checked, coupling, extra)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (side.value, *_row(record), coupling, int(extra))
                for record, coupling in given
            ],
        )

    def add_read(self, side: System, records: Sequence[Record], make: Maker) -> None:
        """Records without partner, whose snapshots are made when they are asked for."""
        if self._few is None or len(self._few) + len(records) > IN_MEMORY:
            self.add(side, [(record, None) for record in make(records)])
        elif records:
            self._sides.add(side)
            self._few.add_read(side, records, make)

    def _spill(self) -> None:
        """From now on the records are in the file, at the places they had."""
        few, self._few = self._few, None
        kept = [*few] if few else []
        records = few.snapshots(kept) if few else []
        self._many(
            "INSERT INTO record (rowid, side, id, etag, modified, held, number, name,"
            " passes, checked, coupling, extra, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(one.place, one.side.value, *_row(record)),
                    *(one.coupling, int(one.is_extra), one.state),
                )
                for one, record in zip(kept, records, strict=True)
            ],
        )

    def forget(self, side: System, ids: Sequence[str]) -> None:
        """These are read anew: what they held before is not decided about."""
        if self._few is not None:
            self._few.forget(side, ids)
        elif side in self._sides:
            self._each("DELETE FROM record WHERE side = ? AND id = ?", side, ids)

    def has(self, side: System, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that are here."""
        return {*self.versions(side, ids)}

    def versions(self, side: System, ids: Sequence[str]) -> dict[str, str]:
        """The version that was read of those of ``ids`` that are here."""
        if self._few is not None:
            return self._few.versions(side, ids)
        return dict(self._chosen("record", "id, etag", side, ids))

    def numbered(
        self, side: System, numbers: Sequence[str]
    ) -> dict[str, list[Snapshot]]:
        """The uncoupled of one side with one of these numbers, by ``as_code``."""
        found: dict[str, list[Snapshot]] = {}
        if numbers:
            self._spill()
        for part in chunks(numbers, CHUNK):
            marks = ", ".join("?" * len(part))
            rows = self._all(
                f"SELECT {_COLUMNS} FROM record r"  # noqa: S608  # only our own names
                f" WHERE side = ? AND {_FREE} AND as_code(number) IN ({marks})",
                (side.value, *part),
            )
            for record in map(_snapshot, rows):
                found.setdefault(as_code(record.number), []).append(record)
        return found

    def see(self, side: System, ids: Iterable[str]) -> None:
        """Note that these exist: what a whole read does not see may be deleted."""
        self._each("INSERT OR IGNORE INTO seen VALUES (?, ?)", side, ids)

    def unseen(self, side: System, ids: Sequence[str]) -> list[str]:
        seen = self._known("seen", side, ids)
        return [record_id for record_id in ids if record_id not in seen]

    def miss(self, side: System, ids: Iterable[str]) -> None:
        """Note that the system calls these deleted."""
        self._each("INSERT OR IGNORE INTO gone VALUES (?, ?)", side, ids)

    def forgive(self, side: System, ids: Iterable[str]) -> None:
        """What these are missed for has been said."""
        self._each("DELETE FROM gone WHERE side = ? AND id = ?", side, ids)

    def missed(self, side: System) -> Iterator[list[str]]:
        """What ``miss`` noted, in chunks."""
        missed = "SELECT id FROM gone WHERE side = ? AND id > ? ORDER BY id LIMIT ?"
        for rows in self._walked(missed, (side.value,), after=""):
            yield [row[0] for row in rows]

    def end(self, side: System, kinds: Mapping[str, str]) -> list[str]:
        """Note how these ended; returns how those did that had ended before."""
        ended = {(side, record_id): kind for record_id, kind in kinds.items()}
        if self._ended is not None and len(self._ended) + len(ended) <= 2 * IN_MEMORY:
            before = [self._ended[key] for key in ended if key in self._ended]
            self._ended |= ended
            return before
        earlier, self._ended = self._ended, None
        self._note_ended(earlier or {})
        before = [kind for (kind,) in self._chosen("ended", "kind", side, [*kinds])]
        self._note_ended(ended)
        return before

    def _note_ended(self, ended: Mapping[tuple[System, str], str]) -> None:
        rows = [
            (side.value, record_id, ended[side, record_id]) for side, record_id in ended
        ]
        self._many("INSERT OR REPLACE INTO ended VALUES (?, ?, ?)", rows)

    def pairs(self, first: int = CHUNK, then: int = 0) -> Iterator[list[SpooledPair]]:
        """Coupled records, both sides together, by coupling; without finished ones.

        The ``first`` so many at once, ``then`` another number, if any.
        """
        after, size = -1, first
        while ids := self._couplings(after, size):
            after, size = ids[-1], then or first
            yield self._pairs_between(ids[0], after)

    def _couplings(self, after: int, size: int) -> Sequence[int]:
        if self._few is not None:
            return self._few.couplings(after, size)
        rows = self._all(
            "SELECT DISTINCT coupling FROM record"
            " WHERE coupling > ? AND state <> 'done' ORDER BY coupling LIMIT ?",
            (after, size),
        )
        return [coupling for (coupling,) in rows]

    def meets(self, table: TableMap) -> bool:
        """Whether uncoupled records of both sides have a key in common."""
        return self._find_keys(table) and bool(self._all(_MEETING, ()))

    def match(self, table: TableMap) -> None:
        """Find partners among the uncoupled of both sides (promise 11)."""
        if not self._find_keys(table):
            return
        for tier in (0, 1):
            self._base.execute(_GROUPS, (tier,))
            self._base.execute(_CROWD, (tier,))
            self._base.executescript(_EDGES)
            self._base.executescript(_MARK)

    def matched(self) -> Iterator[list[tuple[Snapshot, Snapshot]]]:
        """The pairs that ``match`` found, from Business Central and from Sales."""
        columns = ", ".join(
            f"{a}.{c.strip()}" for a in "bs" for c in _COLUMNS.split(",")
        )
        matched = (
            f"SELECT {columns} FROM pair p"  # noqa: S608  (our own column names)
            f" JOIN record b ON b.side = '{_BC}' AND b.id = p.bc_id"
            f" JOIN record s ON s.side = '{_SALES}' AND s.id = p.sales_id"
            " WHERE p.bc_id > ? ORDER BY p.bc_id LIMIT ?"
        )
        for rows in self._walked(matched, (), after=""):
            yield [(_snapshot(row[:_WIDTH]), _snapshot(row[_WIDTH:])) for row in rows]

    def couple(self, couplings: Iterable[tuple[int, str, str]]) -> None:
        """From now on these two are a pair: coupling, id here, id there."""
        if self._few is not None:
            for coupling, *ids in couplings:
                for side, record_id in zip(System, ids, strict=True):
                    self._few.couple(side, record_id, coupling)
            return
        self._many(
            "UPDATE record SET coupling = ?, state = '' WHERE side = ? AND id = ?",
            [
                (coupling, side, record_id)
                for coupling, bc_id, sales_id in couplings
                for side, record_id in ((_BC, bc_id), (_SALES, sales_id))
            ],
        )

    def finish(self, couplings: Iterable[int]) -> None:
        """Everything about these pairs has been decided."""
        if self._few is not None:
            self._few.finish(couplings)
            return
        self._many(
            "UPDATE record SET state = 'done' WHERE coupling = ?",
            [(coupling,) for coupling in couplings],
        )

    def drop(self, side: System, ids: Iterable[str]) -> None:
        """Nothing more is decided about these."""
        if self._few is not None:
            self._few.drop(side, ids)
            return
        dropped = "UPDATE record SET state = 'dropped' WHERE side = ? AND id = ?"
        self._each(dropped, side, ids)

    def ambiguous(self) -> Iterator[list[Ambiguous]]:
        """What ``match`` could not tell, Business Central's first."""
        if self._few is not None:
            return  # It has found nothing.
        for side in System:
            # Thousands may be called the same: their candidates are, too.
            holders = lru_cache(_KEYS_KEPT)(partial(self._holders, side.other))
            for rows in self._walked(_IN_STATE, (side.value, "ambiguous")):
                yield [
                    Ambiguous(
                        side,
                        _snapshot(row[1:-1]),
                        self._candidates(side, row[1], holders),
                        bool(row[-1]),
                    )
                    for row in rows
                ]

    def alone(
        self, side: System, first: int = CHUNK, then: int = 0
    ) -> Iterator[list[Snapshot]]:
        """The uncoupled of one side that have no partner; without the extra ones.

        The ``first`` so many at once, ``then`` another number, if any.
        """
        after, size = 0, first
        while rows := self._free(side, after, size):
            after, size = rows[-1][0], then or first
            found = [record for _, record, is_extra in rows if not is_extra]
            if found:
                yield found

    def _free(
        self, side: System, after: int, size: int
    ) -> list[tuple[int, Snapshot, bool]]:
        """The next ones after a place that have no partner; whether each is extra."""
        if self._few is not None:
            found = self._few.free(side, after, size)
            records = self._few.snapshots(found)
            return [
                (one.place, record, one.is_extra)
                for one, record in zip(found, records, strict=True)
            ]
        rows = self._all(_IN_STATE, (side.value, "", after, size))
        return [(row[0], _snapshot(row[1:-1]), bool(row[-1])) for row in rows]

    def open(self, side: System, *, coupled: bool) -> Iterator[list[Snapshot]]:
        """What is not known to be done, ``coupled`` or all; without the extra ones."""
        after = 0
        while rows := self._open(side, coupled, after):
            after = rows[-1][0]
            yield [record for _, record in rows]

    def _open(
        self, side: System, coupled: bool, after: int
    ) -> list[tuple[int, Snapshot]]:
        if self._few is not None:
            found = self._few.open(side, coupled, after, CHUNK)
            places = (one.place for one in found)
            return [*zip(places, self._few.snapshots(found), strict=True)]
        only = " AND coupling IS NOT NULL" if coupled else ""
        rows = self._all(
            f"SELECT rowid, {_COLUMNS} FROM record"  # noqa: S608
            f" WHERE side = ? AND extra = 0 AND state NOT IN ('done', 'dropped'){only}"
            " AND rowid > ? ORDER BY rowid LIMIT ?",
            (side.value, after, CHUNK),
        )
        return [(row[0], _snapshot(row[1:])) for row in rows]

    def is_settled(self, side: System) -> bool:
        """Whether nothing that was read of this side, or missed there, may be left."""
        if self._few is not None and self._few.open(side, False, 0, 1):
            return False
        return not self._all(_ANY_LEFT, (side.value, side.value))

    def count_alone(self, side: System) -> int:
        if self._few is not None:
            free = self._few.free(side, 0, len(self._few))
            return sum(not one.is_extra for one in free)
        (count,) = self._base.execute(
            "SELECT count(*) FROM record WHERE side = ? AND coupling IS NULL"
            " AND state = '' AND extra = 0",
            (side.value,),
        ).fetchone()
        return int(count)

    def _find_keys(self, table: TableMap) -> bool:
        """By what the uncoupled could match; ``False``: one side has none.

        Only now, because a first synchronization with an empty side needs no keys.
        """
        if not all(self._free(side, 0, 1) for side in System):
            return False
        self._spill()
        for rows in self._walked(_KEYLESS, ()):
            # One that was read twice has those of its first reading.
            self._many(
                "DELETE FROM match_key WHERE side = ? AND id = ?",
                [row[1:3] for row in rows],
            )
            keys = [
                (side, record_id, *key)
                for _, side, record_id, *rest in rows
                for key in match_keys(table, _snapshot([record_id, *rest]))
            ]
            self._many("INSERT INTO match_key VALUES (?, ?, ?, ?, ?)", keys)
            self._many(
                "UPDATE record SET keyed = 1 WHERE rowid = ?", [row[:1] for row in rows]
            )
        return True

    def _pairs_between(self, first: int, last: int) -> list[SpooledPair]:
        found: dict[int, dict[str, Snapshot]] = {}
        for coupling, side, record in self._between(first, last):
            found.setdefault(coupling, {})[side] = record
        return [
            SpooledPair(coupling, sides.get(_BC), sides.get(_SALES))
            for coupling, sides in sorted(found.items())
        ]

    def _between(self, first: int, last: int) -> Iterator[tuple[int, str, Snapshot]]:
        if self._few is not None:
            yield from self._few.between(first, last)
            return
        for side, coupling, *row in self._all(
            f"SELECT side, coupling, {_COLUMNS} FROM record"  # noqa: S608
            " WHERE coupling BETWEEN ? AND ? AND state <> 'done'",
            (first, last),
        ):
            yield coupling, side, _snapshot(row)

    def _candidates(
        self, side: System, id: str, holders: Callable[..., Sequence[RecordRef]]
    ) -> tuple[RecordRef, ...]:
        keys = self._all(
            "SELECT tier, rule, word FROM match_key WHERE side = ? AND id = ?",
            (side.value, id),
        )
        found = {each for key in keys for each in holders(*key)}
        ordered = sorted(found, key=lambda each: (each.number, each.id))
        return tuple(ordered[:CANDIDATES])

    def _holders(
        self, side: System, tier: int, rule: int, word: str
    ) -> Sequence[RecordRef]:
        """The first of this side that have a key and are ambiguous."""
        rows = self._all(
            "SELECT r.id, r.number, r.name FROM match_key k"
            " JOIN record r ON r.side = k.side AND r.id = k.id"
            " WHERE k.tier = ? AND k.rule = ? AND k.word = ? AND k.side = ?"
            " AND r.state = 'ambiguous' ORDER BY r.number, r.id LIMIT ?",
            (tier, rule, word, side.value, CANDIDATES),
        )
        return [RecordRef(*row) for row in rows]

    def _known(self, table: str, side: System, ids: Sequence[str]) -> set[str]:
        return {row[0] for row in self._chosen(table, "id", side, ids)}

    def _chosen(
        self, table: str, columns: str, side: System, ids: Sequence[str]
    ) -> Iterator[Any]:
        for part in chunks(ids, CHUNK):
            marks = ", ".join("?" * len(part))
            yield from self._all(
                f"SELECT {columns} FROM {table}"  # noqa: S608  # only our own names
                f" WHERE side = ? AND id IN ({marks})",
                (side.value, *part),
            )

    def _walked(
        self, statement: str, values: Sequence[Any], size: int = CHUNK, after: Any = 0
    ) -> Iterator[list[Any]]:
        """Its rows in chunks, by the first column, which the last two values bound."""
        while rows := self._all(statement, (*values, after, size)):
            after = rows[-1][0]
            yield rows

    def _each(self, statement: str, side: System, ids: Iterable[str]) -> None:
        self._many(statement, [(side.value, record_id) for record_id in ids])

    def _all(self, statement: str, values: Sequence[Any]) -> list[Any]:
        if "_base" not in vars(self):
            return []  # Nothing has been written.
        with closing(self._base.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        self._base.execute("BEGIN")
        self._base.executemany(statement, rows)
        self._base.execute("COMMIT")


def _row(record: Snapshot) -> tuple[Any, ...]:
    modified = record.modified_at.isoformat() if record.modified_at else ""
    held = marshal.dumps(dict(record.values))
    return (
        record.id,
        record.etag,
        modified,
        held,
        record.number,
        record.name,
        int(record.passes),
        record.check,
    )


def _snapshot(row: Sequence[Any]) -> Snapshot:
    record_id, etag, modified, held, number, name, passes, check = row
    return Snapshot(
        id=record_id,
        etag=etag,
        modified_at=datetime.fromisoformat(modified) if modified else None,
        values=marshal.loads(held),  # noqa: S302  # our own file, gone with the run
        number=number,
        name=name,
        passes=bool(passes),
        check=check,
    )
