"""Many errors written by plain statements: a year's shape, for plans and for lists."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction

from integration.models import Connection, Job, Problem, TableMapping
from integration.services import cells
from tests.factories import make_connection, make_job, make_mapping, make_problem

NEWEST = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
COLUMNS = [
    "connection_id",
    "mapping_key",
    "direction",
    "record_key",
    "fingerprint",
    "origin",
    "remote_number",
    "bc_id",
    "bc_number",
    "bc_name",
    "bc_presence",
    "sales_id",
    "sales_number",
    "sales_name",
    "sales_presence",
    "code",
    "http_status",
    "message",
    "field",
    "call_stack",
    "request_id",
    "occurrences",
    "first_seen",
    "last_seen",
    "state",
    "settled_at",
    "settled_reason",
    "waits_for",
    "spared",
    "problem_id",
    "job_id",
    "search_text",
]


class Shape:
    """Two connections, three mappings, some problems of uneven size, two jobs."""

    def __init__(self, problems: int = 20) -> None:
        self.connections: list[Connection] = [make_connection(), make_connection()]
        self.mappings: list[TableMapping] = [
            make_mapping(name, connection=connection)
            for connection in self.connections
            for name in ("CUSTOMER", "CURRENCY")
        ]
        self.jobs: list[Job] = [make_job(mapping) for mapping in self.mappings]
        whos = ("administrator", "user", "user", "itself")
        self.problems: list[Problem] = [
            make_problem(
                self.connections[0 if number < problems - 2 else 1],
                who=whos[number % 4],
                category="currency" if number % 3 else "permission",
            )
            for number in range(problems)
        ]


def write_errors(shape: Shape, count: int, seed: int = 1) -> None:
    """``count`` rows and their roll-ups."""
    draw = random.Random(seed)  # noqa: S311  # test data
    marks = ", ".join(["%s"] * len(COLUMNS))
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    sql = f"INSERT INTO integration_syncerror ({columns}) VALUES ({marks})"  # noqa: S608
    with transaction.atomic(), database.cursor() as cursor:
        rows = (_row(shape, number, draw) for number in range(count))
        cursor.executemany(sql, list(rows))
        cells.rebuild()


def _row(shape: Shape, number: int, draw: random.Random) -> tuple[Any, ...]:
    rank = min(int(draw.paretovariate(0.7)) - 1, len(shape.problems) - 1)
    problem = shape.problems[rank]
    mapping = "CUSTOMER" if draw.random() < 0.99 else "CURRENCY"
    seen = NEWEST - timedelta(seconds=draw.randrange(365 * 86_400))
    first = seen - timedelta(seconds=draw.randrange(86_400))
    settled = draw.random() < 0.92
    state = "resolved" if settled else draw.choice(["open"] * 9 + ["ignored"])
    reason = draw.choice(["resolved"] * 98 + ["replaced", "both_deleted"])
    name = draw.choice(["Bäckerei Müller", "Garage du Léman", "Atelier Schüpbach"])
    message = f"{name} {number} refused because of field {draw.randrange(50)}"
    direction = "to_sales" if draw.random() < 0.9 else "to_business_central"
    waits = "EUR" if state == "open" and draw.random() < 0.1 else ""
    values = {
        "connection_id": problem.connection_id,
        "mapping_key": mapping,
        "direction": direction,
        "record_key": f"{number:036d}",
        "fingerprint": problem.fingerprint,
        "origin": "engine",
        "bc_number": f"{10_000 + number}",
        "bc_name": f"{name} {number}",
        "bc_presence": "exists",
        "sales_presence": "not_created",
        "http_status": 400,
        "message": message,
        "occurrences": min(int(draw.paretovariate(1.0)), 500),
        "first_seen": _stored(first),
        "last_seen": _stored(seen),
        "state": state,
        "settled_at": _stored(seen + timedelta(minutes=5)) if settled else None,
        "settled_reason": reason if settled else "",
        "waits_for": waits,
        "spared": False,
        "problem_id": problem.pk,
        "job_id": draw.choice(shape.jobs).pk if number % 50 == 0 else shape.jobs[0].pk,
        "search_text": message,
    }
    return tuple(values.get(column, "") for column in COLUMNS)


def _stored(moment: datetime) -> Any:
    return database.ops.adapt_datetimefield_value(moment)
