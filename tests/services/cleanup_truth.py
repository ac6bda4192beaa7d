"""A thousand entries with a recorded truth, for the clean-up; knows no product code.

Rows are written by plain SQL. What is finished and what is still relevant, and on which
side of the cut-off an entry lies, is decided here in whole microseconds.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
WEEK = 7 * 24 * 3600 * SECOND

FINISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "synced since": ("resolved", {}),
    "check passed": (
        "resolved",
        {"mapping_key": "", "direction": "", "record_key": ""},
    ),
    "settled by hand": ("resolved", {"origin": "setup_check"}),
    "another cause since": ("replaced", {}),
    "both deleted": (
        "both_deleted",
        {"bc_presence": "deleted", "sales_presence": "deleted"},
    ),
    "came back, synced again": ("resolved", {"occurrences": 3, "came_back": True}),
}
RELEVANT: dict[str, dict[str, Any]] = {
    "failing": {},
    "waiting": {"waits_for": "EUR"},
    "ignored": {"state": "ignored"},
    "ignored until a day gone by": {"state": "ignored", "ignored": True},
    "set-up error": {"mapping_key": "", "direction": "", "record_key": ""},
    "both look deleted": {"bc_presence": "deleted", "sales_presence": "deleted"},
    "one deleted": {"sales_presence": "deleted"},
    "no access": {"sales_presence": "no_access"},
    "endpoint down": {"code": "unreachable", "http_status": 0},
    "came back": {"occurrences": 2, "came_back": True},
}
KINDS = (*FINISHED, *RELEVANT)


class Cursor(Protocol):
    """What is needed of a database."""

    def execute(self, sql: str, params: Sequence[Any] = ...) -> Any: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One row and the truth about it at T."""

    key: str
    kind: str
    reason: str
    old: bool
    """Last seen at or before T - 7 × 24 h."""
    finished: bool
    """Settled at or before T."""


def write_entries(
    cursor: Cursor, vendor: str, problem: tuple[int, int], instant: datetime, seed: int
) -> list[Entry]:
    """Write 1,000 rows around ``instant``; ``problem`` is (connection id, its id)."""
    draw = random.Random(seed)  # noqa: S311  # test data
    now = _micros(instant)
    entries = []
    for number in range(1_000):
        kind = KINDS[number % len(KINDS)]
        seen = now - WEEK + _offset(number, draw)
        settled = _settled(kind, seen, now, draw)
        _write(cursor, vendor, problem, (number, kind, min(seen, now), settled))
        entries.append(
            Entry(
                key=f"{number:06d}",
                kind=kind,
                reason=FINISHED[kind][0] if settled is not None else "",
                old=min(seen, now) <= now - WEEK,
                finished=settled is not None and settled <= now,
            )
        )
    return entries


def _offset(number: int, draw: random.Random) -> int:
    """Around the cut-off: at its very edge, an hour beside it, days away."""
    edges = (-1, 0, 1, -SECOND, SECOND, -3600 * SECOND, 3600 * SECOND)
    choice = number // len(KINDS) % (len(edges) + 3)
    if choice < len(edges):
        return edges[choice]
    return draw.randrange(-60 * 86_400 * SECOND, 7 * 86_400 * SECOND)


def _settled(kind: str, seen: int, now: int, draw: random.Random) -> int | None:
    if kind not in FINISHED:
        return None
    # Some are settled only just after T: at T they were still relevant.
    after = draw.choice((0, 1, SECOND, None, None, None))
    return min(seen, now) + 5 * SECOND if after is None else now + after


def _write(
    cursor: Cursor,
    vendor: str,
    problem: tuple[int, int],
    what: tuple[int, str, int, int | None],
) -> None:
    number, kind, seen, settled = what
    reason, values = FINISHED.get(kind, ("", RELEVANT.get(kind, {})))
    row = _columns(number, problem) | dict(values)
    came_back, ignored = row.pop("came_back", False), row.pop("ignored", False)
    row |= {
        "first_seen": _stored(seen - 3600 * SECOND, vendor),
        "last_seen": _stored(seen, vendor),
        "reopened_at": _stored(seen, vendor) if came_back else None,
        "ignored_until": _stored(seen + SECOND, vendor) if ignored else None,
        "settled_at": None if settled is None else _stored(settled, vendor),
        "settled_reason": reason if settled is not None else "",
    }
    if settled is not None:
        row["state"] = "resolved"
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(["%s"] * len(row))
    sql = f"INSERT INTO integration_syncerror ({names}) VALUES ({marks})"  # noqa: S608
    cursor.execute(sql, list(row.values()))


def _columns(number: int, problem: tuple[int, int]) -> dict[str, Any]:
    texts = (
        "remote_number bc_id sales_id sales_number sales_name code field call_stack "
        "request_id waits_for search_text"
    )
    return dict.fromkeys(texts.split(), "") | {
        "connection_id": problem[0],
        "problem_id": problem[1],
        "mapping_key": "CUSTOMER",
        "direction": "to_sales",
        "record_key": f"{number:06d}",
        "fingerprint": f"{number:064d}",
        "origin": "engine",
        "bc_number": f"{number:06d}",
        "bc_name": f"Entry {number}",
        "bc_presence": "exists",
        "sales_presence": "not_created",
        "http_status": 400,
        "message": "Refused.",
        "occurrences": 1,
        "state": "open",
        "spared": False,
    }


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _stored(micros: int, vendor: str) -> str:
    """As the database keeps moments: UTC; SQLite as text, no needless fraction."""
    moment = EPOCH + timedelta(microseconds=micros)
    if vendor == "sqlite":
        return moment.replace(tzinfo=None).isoformat(sep=" ")
    return moment.isoformat()
