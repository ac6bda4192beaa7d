"""Rows for tests: plain functions with keyword overrides."""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

from integration.choices import Direction, Role
from integration.models import (
    Connection,
    Endpoint,
    Job,
    Problem,
    SyncError,
    TableMapping,
    User,
)
from integration.models.folding import searchable

_numbers = count(1)
SOME_TIME = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


def make_endpoint(kind: str = "business_central", **values: Any) -> Endpoint:
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "name": f"{kind} {number}",
        "base_url": "http://127.0.0.1:8100/",
        "web_url": "http://127.0.0.1:8100/",
        "tenant_id": "tenant",
        "client_id": "client",
        "is_simulator": True,
    }
    return Endpoint.objects.create(kind=kind, **(defaults | values))


def make_connection(**values: Any) -> Connection:
    defaults: dict[str, Any] = {"name": f"Connection {next(_numbers)}", "enabled": True}
    for side, kind in (("business_central", "business_central"), ("sales", "sales")):
        if side not in values:
            defaults[side] = make_endpoint(kind)
    return Connection.objects.create(**(defaults | values))


def make_mapping(name: str = "CUSTOMER", **values: Any) -> TableMapping:
    known = {"CURRENCY": ("currencies", "transactioncurrencies")}
    entity, table = known.get(name, ("customers", "accounts"))
    defaults: dict[str, Any] = {
        "entity": entity,
        "table": table,
        "direction": Direction.BOTH,
    }
    if "connection" not in values:
        defaults["connection"] = make_connection()
    return TableMapping.objects.create(name=name, **(defaults | values))


def make_job(mapping: TableMapping | None = None, **values: Any) -> Job:
    defaults: dict[str, Any] = {
        "mapping": mapping or make_mapping(),
        "run": uuid4(),
        "direction": Direction.TO_SALES,
        "state": "succeeded",
        "created_at": SOME_TIME,
    }
    return Job.objects.create(**(defaults | values))


def make_user(role: str = Role.ADMINISTRATOR, **values: Any) -> User:
    name = values.pop("username", f"{role}-{next(_numbers)}")
    return User.objects.create_user(name, password="secret", role=role, **values)


def make_problem(connection: Connection | None = None, **values: Any) -> Problem:
    defaults: dict[str, Any] = {
        "connection": connection or make_connection(),
        "fingerprint": f"{next(_numbers):064x}",
        "title": "Name is longer than 100 characters",
        "first_seen": SOME_TIME,
        "last_seen": SOME_TIME,
    }
    return Problem.objects.create(**(defaults | values))


def make_error(**values: Any) -> SyncError:
    """One error row; the roll-ups do not know it (``services.cells.rebuild`` does)."""
    number = next(_numbers)
    problem = values.pop("problem", None) or make_problem(values.get("connection"))
    moment = values.get("last_seen", SOME_TIME)
    defaults: dict[str, Any] = {
        "connection": problem.connection,
        "mapping_key": "CUSTOMER",
        "direction": Direction.TO_SALES,
        "record_key": str(uuid4()),
        "fingerprint": problem.fingerprint,
        "problem": problem,
        "bc_number": str(10_000 + number),
        "bc_name": f"Customer {number}",
        "message": "The name is too long.",
        "first_seen": moment,
        "last_seen": moment,
    }
    if "search_text" in values:
        values["search_text"] = searchable(values["search_text"])
    if values.get("state") == "resolved":
        defaults |= {"settled_at": moment, "settled_reason": "resolved"}
    row = SyncError.objects.create(**(defaults | values))
    row.refresh_from_db()
    return row
