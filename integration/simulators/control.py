"""The control addresses (design §10): what was asked, what there is, what goes wrong.

Only from this machine. Changes made here go behind the API: modified times and row
versions move, lengths and rules are not enforced.
"""

import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from integration import clock
from integration.simulators.fault_states import UnknownFaultError
from integration.simulators.faults import KNOWN, Faults, shown_fault
from integration.simulators.http import iso, json_response, loads
from integration.simulators.seed_demo import stage_demo_edits
from integration.simulators.store import Row, Store, Table

HIDDEN = "entra:tokens"


class ControlError(ValueError):
    """A body that makes no sense; the sentence says why."""


class Control:
    """``fresh`` fills an empty store; None leaves it empty after a reset."""

    def __init__(
        self, store: Store, fresh: Callable[[Store], object] | None = None
    ) -> None:
        self._store = store
        self._fresh = fresh
        self._faults = Faults.of(store)
        self._actions: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "requests"): self._requests,
            ("GET", "records"): self._records,
            ("POST", "records"): self._change_records,
            ("GET", "faults"): self._list_faults,
            ("POST", "faults"): self._set_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "reset"): self._reset,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._move_clock,
            ("POST", "demo-edits"): self._edit_demo,
        }

    def handle(self, request: Request) -> Response:
        if not _is_local(request.remote_addr):
            return _sentence(403, "The controls answer this machine only.")
        name = request.path.removeprefix("/control").strip("/")
        action = self._actions.get((request.method, name))
        if action is None:
            names = ", ".join(f"{verb} {place}" for verb, place in self._actions)
            return _sentence(404, f"There is no such control. There are {names}.")
        try:
            return json_response(action(request))
        except (ControlError, UnknownFaultError) as error:
            return _sentence(400, str(error))

    def _requests(self, request: Request) -> dict[str, Any]:
        since = request.args.get("since", "0")
        if not since.isdecimal():
            raise ControlError("'since' must be a number of the request log.")
        return {"requests": self._store.requests(int(since))}

    def _records(self, request: Request) -> dict[str, Any]:
        """By system, BC's also by company, then by set."""
        found: dict[str, Any] = {"business_central": {}, "sales": {}, "entra": {}}
        for place in self._store.table_names():
            system, _, name = place.partition(":")
            company, _, name = name.rpartition(":")
            system = {"bc": "business_central"}.get(system, system)
            told = {"system": system, "entity": name, "company": company}
            wanted = all(
                request.args.get(k, value) == value for k, value in told.items()
            )
            if wanted and place != HIDDEN:
                sets = found[system]
                if company:
                    sets = sets.setdefault(company, {})
                sets[name] = [_shown(row) for row in self._store.table(place).rows()]
        return found

    def _change_records(self, request: Request) -> dict[str, Any]:
        body = _body(request)
        table = self._table(body)
        action = body.get("action")
        with self._store.transaction():
            if action == "add":
                rows = [_added(table, record) for record in _list(body)]
            elif action in ("change", "delete"):
                rows = _changed(table, action, body)
            else:
                raise ControlError("'action' is add, change or delete.")
        return {"count": len(rows), "records": [_shown(row) for row in rows]}

    def _table(self, body: Mapping[str, Any]) -> Table:
        system, entity = body.get("system"), str(body.get("entity") or "")
        if not entity:
            raise ControlError("'entity' names the set, for example customers.")
        if system in ("sales", "entra"):
            return self._store.table(f"{system}:{entity}")
        if system != "business_central":
            raise ControlError("'system' is business_central, sales or entra.")
        if entity in ("companies", "denied"):
            return self._store.table(f"bc:{entity}")
        return self._store.table(f"bc:{self._company(body.get('company'))}:{entity}")

    def _company(self, wanted: Any) -> str:
        """By id or name; without one, the first."""
        for row in self._store.table("bc:companies").rows():
            if wanted in (None, row.id, row.values.get("name")):
                return row.id
        raise ControlError(f"There is no company {wanted!r}.")

    def _list_faults(self, request: Request) -> dict[str, Any]:
        known = [
            {"id": fault.id, "side": fault.side or "both", "place": fault.place}
            for fault in KNOWN.values()
        ]
        return {"active": list(map(shown_fault, self._faults.active())), "known": known}

    def _set_fault(self, request: Request) -> dict[str, Any]:
        body = _body(request)
        if body.pop("clear", False):
            return {"cleared": self._faults.clear(body)}
        return {"fault": self._faults.add(body)}

    def _clear_faults(self, request: Request) -> dict[str, Any]:
        wanted: dict[str, Any] = request.args.to_dict()
        if wanted.get("n", "").isdecimal():
            wanted["n"] = int(wanted["n"])
        return {"cleared": self._faults.clear(wanted)}

    def _reset(self, request: Request) -> dict[str, Any]:
        with self._store.lock:
            self._store.reset()
            if self._fresh:
                self._fresh(self._store)
        return {"reset": True}

    def _edit_demo(self, request: Request) -> dict[str, Any]:
        """What people do after the demonstration's first run; once only."""
        return {"edited": stage_demo_edits(self._store)}

    def _clock(self, request: Request) -> dict[str, Any]:
        now = iso(self._store.now(), milliseconds=True)
        return {"now": now, "offset_seconds": self._store.setting("clock.offset", 0)}

    def _move_clock(self, request: Request) -> dict[str, Any]:
        self._store.move_clock(_offset(_body(request)))
        return self._clock(request)


def _offset(body: Mapping[str, Any]) -> float:
    seconds = body.get("offset_seconds")
    if isinstance(body.get("at"), str):
        try:
            moment = datetime.fromisoformat(body["at"])
        except ValueError as error:
            raise ControlError("'at' must be an ISO 8601 moment.") from error
        if moment.tzinfo is None:
            raise ControlError("'at' needs a time zone.")
        return (moment - clock.now()).total_seconds()
    try:
        return float(seconds)  # type: ignore[arg-type]  # refused below
    except (TypeError, ValueError) as error:
        raise ControlError("Give 'offset_seconds' or 'at'.") from error


def _changed(table: Table, action: str, body: Mapping[str, Any]) -> list[Row]:
    """Rows named by ``where``, or one by one by ``records`` with their ids."""
    if "records" in body:
        return [_apply(table, action, _named(table, r), r) for r in _list(body)]
    where, values = body.get("where"), body.get("values") or {}
    if not isinstance(where, dict) or not isinstance(values, dict):
        raise ControlError("Give 'records', or 'where' and 'values' as objects.")
    found = [row for row in table.rows() if _meets(row, where)]
    return [_apply(table, action, row, values) for row in found]


def _named(table: Table, record: Mapping[str, Any]) -> Row:
    row = table.get(str(record.get("id", "")))
    if row is None:
        raise ControlError(f"There is no record with the id {record.get('id')!r}.")
    return row


def _apply(table: Table, action: str, row: Row, values: Mapping[str, Any]) -> Row:
    if action == "delete":
        table.delete(row.id, "control")
        return row
    return table.update(row, _without_id(values), "control")


def _without_id(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "id"}


def _added(table: Table, record: Mapping[str, Any]) -> Row:
    given = record.get("id")
    if table.name in ("entra:accounts", "entra:apps") and given is None:
        given = record.get("upn") or record.get("client_id")
    try:
        return table.insert(_without_id(record), given, "control")
    except ValueError as error:
        raise ControlError(str(error)) from error


def _meets(row: Row, where: Mapping[str, Any]) -> bool:
    has = {"id": row.id, **row.values}
    wanted = {k: str(v).lower() if k == "id" else v for k, v in where.items()}
    return all(has.get(name) == value for name, value in wanted.items())


def _list(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise ControlError("'records' must be a list of objects.")
    return records


def _body(request: Request) -> dict[str, Any]:
    try:
        body = loads(request.get_data() or b"{}")
    except ValueError as error:
        raise ControlError(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ControlError("The body must be a JSON object.")
    return body


def _shown(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        **row.values,
        "_version": row.version,
        "_createdAt": iso(row.created_at, milliseconds=True),
        "_modifiedAt": iso(row.modified_at, milliseconds=True),
        "_modifiedBy": row.modified_by,
    }


def _is_local(address: str | None) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(address or "").is_loopback
    return False


def _sentence(status: int, text: str) -> Response:
    return json_response({"error": text}, status)
