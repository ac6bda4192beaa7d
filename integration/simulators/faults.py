"""What can be made to go wrong, one row each, and what is wrong at the moment.

Six kinds by place: *request* answers the whole request with a refusal, *record*
refuses the writing of one record, also inside a batch, *edit* changes the record
behind the API just before its write is judged, *page* answers with a web page,
*hidden* keeps a record out of every list and refuses it alone, and *state* changes
the data once and puts it back when the fault is cleared.

An API asks ``before_write`` outside its transaction, since an edit must survive the
refusal that follows, and ``refuse`` where it writes.
"""

import threading
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.simulators import fault_states, kills, limits
from integration.simulators.fault_states import Change, UnknownFaultError
from integration.simulators.http import SimulatorError
from integration.simulators.store import Row, Store

ACTIVE = "faults.active"
NAME_FIELDS = [
    "number",
    "code",
    "displayName",
    "name",
    "accountnumber",
    "isocurrencycode",
]


@dataclass(frozen=True)
class Fault:
    """One row of ``faults.toml``. ``side`` "" works on both data APIs."""

    id: str
    place: str
    side: str = ""
    status: int = 0
    code: str = ""
    message: str = ""
    retry_after: int | None = None
    entity: str = ""  # what it means when none is named
    state: str = ""  # the value an account or an app gets


_ROWS = tomllib.loads(Path(__file__).with_name("faults.toml").read_text("utf-8"))
KNOWN = {name: Fault(name, **row) for name, row in _ROWS.items()}


class Faults:
    """The active faults of one store. Counting survives a request's roll-back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._spent: dict[int, int] = {}

    @classmethod
    def of(cls, store: Store) -> "Faults":
        """The one of this store, so that both sides count together."""
        found: Faults = store.companions.setdefault("faults", cls(store))
        return found

    def active(self) -> list[dict[str, Any]]:
        """What is wrong now; ``left`` None means until it is cleared."""
        entries = [dict(entry) for entry in self._store.setting(ACTIVE, [])]
        for entry in entries:
            if entry["left"] is not None:
                entry["left"] -= self._spent.get(entry["n"], 0)
        return [
            entry for entry in entries if entry["left"] is None or entry["left"] > 0
        ]

    def add(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises UnknownFaultError, with a sentence for the caller."""
        fault = _checked(body)
        once = 1 if body.get("drop_after_write") else body.get("kill_at_request")
        entry = {**body, "left": body.get("times", once)}
        with self._store.transaction(), self._lock:
            entry["n"] = self._store.next_version()
            if fault and fault.place == "state":
                entry["undo"] = fault_states.set_state(
                    self._store, Change(fault.id, fault.entity, fault.state, body)
                )
            self._keep([*self.active(), entry])
        return shown_fault(entry)

    def clear(self, wanted: Mapping[str, Any] | None = None) -> int:
        """End all faults, or those with this id or number; how many."""
        chosen = {k: v for k, v in (wanted or {}).items() if k in ("id", "n")}
        with self._store.transaction(), self._lock:
            entries = self.active()
            gone = [e for e in entries if all(e.get(k) == v for k, v in chosen.items())]
            for entry in reversed(gone):
                fault_states.put_back(self._store, entry.get("undo", ()))
            self._keep([entry for entry in entries if entry not in gone])
        return len(gone)

    def save(self) -> None:
        """Write the counts down; called between requests."""
        if self._spent:
            with self._store.transaction(), self._lock:
                self._keep(self.active())

    def latency_seconds(self) -> float:
        entries = self._store.setting(ACTIVE, ())
        return sum(float(entry.get("latency_ms", 0)) for entry in entries) / 1000

    def limits(self, side: str) -> Mapping[str, Any] | None:
        """Figures in place of the real ones; ``None``: nothing is limited."""
        for entry in self._store.setting(ACTIVE, ()):
            if "limits" in entry and entry.get("side", side) == side:
                return dict(entry["limits"])
        return None

    def kill_due(self, side: str, writes: Callable[[], bool]) -> tuple[str, str] | None:
        """Target and moment of the kill that falls on this request; counts it."""
        due = None
        for entry in self.active():
            if "kill_at_request" not in entry or entry.get("side", side) != side:
                continue
            meant = writes() if entry.get("writes") else True
            if meant and self._claim(entry) == 1:
                due = (entry["target"], entry["when"])
        return due

    def drops_after_write(self, side: str) -> bool:
        """Whether this write's answer is to be lost; counts it."""
        entries = (e for e in self.active() if e.get("drop_after_write"))
        return any(e.get("side", side) == side and self._claim(e) for e in entries)

    def for_request(
        self, side: str, method: str, text: str
    ) -> tuple[Fault, dict[str, Any]] | None:
        """The refusal of the whole request. ``text``: where an entity is looked for."""
        for entry, fault in self._matching(("request", "page"), side):
            named = str(entry.get("entity", "")).lower()
            meant = entry.get("method", method) == method and named in text.lower()
            if meant and self._claim(entry):
                return fault, entry
        return None

    def before_write(self, side: str, entity: str, row: Row | None) -> None:
        """Edit the record as someone else, so that its update comes too late."""
        if row is None:
            return
        for entry, _ in self._matching(("edit",), side):
            if _meets(entry, entity, _names(row)) and self._claim(entry):
                fault_states.edit(self._store, side, row, entry.get("values"))

    def refuse(
        self, side: str, entity: str, words: Mapping[str, Any], *names: Any
    ) -> None:
        """Raises SimulatorError when writing this record is to fail.

        ``words`` fill the text (``caption``, ``key_caption``, ``key``, ``logical``),
        ``names`` are the id, number, name… of the record.
        """
        for entry, fault in self._matching(("record",), side):
            if _meets(entry, entity, names) and self._claim(entry):
                message = fault.message.format_map(words)
                raise SimulatorError(fault.status, fault.code, message)

    def in_sight(self, side: str, entity: str, rows: list[Any]) -> list[Any]:
        """Those of these rows that no fault hides; deletions are never hidden."""
        for entry, _ in self._matching(("hidden",), side):
            rows = [
                row
                for row in rows
                if not (isinstance(row, Row) and _meets(entry, entity, _names(row)))
            ]
        return rows

    def refuse_hidden(
        self, side: str, entity: str, words: Mapping[str, Any], row: Row
    ) -> None:
        """Raises SimulatorError when this record is out of the caller's sight."""
        for entry, fault in self._matching(("hidden",), side):
            if _meets(entry, entity, _names(row)):
                message = fault.message.format_map(words)
                raise SimulatorError(fault.status, fault.code, message)

    def _matching(
        self, places: Iterable[str], side: str
    ) -> Iterable[tuple[dict[str, Any], Fault]]:
        if not self._store.setting(ACTIVE):
            return
        for entry in self.active():
            fault = KNOWN.get(entry.get("id", ""))
            if fault and fault.place in places:
                wanted = fault.side or entry.get("side", side)
                if wanted == side:
                    yield entry, fault

    def _claim(self, entry: dict[str, Any]) -> int:
        """How often it still works, this time included: 0 when another thread had
        the last one, -1 without end."""
        number = entry["n"]
        with self._lock:
            spent = self._spent.get(number, 0)
            for known in self._store.setting(ACTIVE, ()):
                if known["n"] == number:
                    self._spent[number] = spent + 1
                    left = known["left"]
                    return -1 if left is None else max(left - spent, 0)
        return 0

    def _keep(self, entries: list[dict[str, Any]]) -> None:
        """Call it with the lock held since the entries were read."""
        self._store.set_setting(ACTIVE, entries)
        self._spent.clear()


def _names(row: Row) -> tuple[Any, ...]:
    return (row.id, *(row.values.get(name) for name in NAME_FIELDS))


def _meets(entry: Mapping[str, Any], entity: str, names: Iterable[Any]) -> bool:
    wanted = str(entry.get("record") or "").lower()
    named = str(entry.get("entity") or entity).lower()
    meant = not wanted or wanted in {str(name).lower() for name in names if name}
    return named == entity.lower() and meant


def shown_fault(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "undo"}


def _checked(body: Mapping[str, Any]) -> Fault | None:
    if "kill_at_request" in body:
        _check_kill(body)
        return None
    if "limits" in body:
        _check_limits(body["limits"])
        return None
    times = body.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise UnknownFaultError("'times' must be a whole number above zero.")
    if "latency_ms" in body or body.get("drop_after_write"):
        latency = body.get("latency_ms", 0)
        if isinstance(latency, bool) or not isinstance(latency, int | float):
            raise UnknownFaultError("'latency_ms' must be a number.")
        return None
    fault = KNOWN.get(str(body.get("id")))
    if fault is None:
        known = ", ".join(sorted(KNOWN))
        raise UnknownFaultError(
            f"There is no fault {body.get('id')!r}. Known are {known}; and latency_ms,"
            " drop_after_write, kill_at_request, limits and clear."
        )
    return fault


def _check_limits(figures: Any) -> None:
    known = isinstance(figures, dict) and figures.keys() <= set(limits.NAMES)
    if not known or not all(
        isinstance(each, int | float) and each >= 0 for each in figures.values()
    ):
        names = ", ".join(limits.NAMES)
        raise UnknownFaultError(f"'limits' must be an object of numbers: {names}.")


def _check_kill(body: Mapping[str, Any]) -> None:
    number = body["kill_at_request"]
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UnknownFaultError("'kill_at_request' must be a whole number above zero.")
    for name, known in (("target", kills.TARGETS), ("when", kills.MOMENTS)):
        if body.get(name) not in known:
            raise UnknownFaultError(f"{name!r} must be one of {', '.join(known)}.")
