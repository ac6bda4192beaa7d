"""A real year's errors (design §8), up to now, else the same: for benchmarks and tests.

60 problems in a Zipf law, messages of 80 to 2,000 characters, details of 4 kB, 92 % of
the rows settled. Rows are copied in without indexes, which are made afterwards.
"""

import random
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import accumulate, islice
from typing import Any

from django.db import connection as database
from django.db import transaction

from integration import clock
from integration.choices import Who
from integration.models import Connection, ErrorPayload, Job, Problem, SyncError
from integration.models.dialect import SEARCH_TABLE
from integration.models.folding import searchable
from integration.services import cells
from tests.factories import make_connection, make_job, make_mapping, make_problem

# Of the hour, so that what is a week old when it is read is a week old on every day.
NEWEST = clock.now().replace(minute=0, second=0, microsecond=0)
DETAILS = 4_000
SETTLED_PERCENT = 92
_YEAR_SECONDS = 365 * 86_400
_PAYLOAD_DAYS = 30
_BATCH = 20_000
_TEXT = (
    "the record cannot be synchronized because a value of its field was refused by "
    "Business Central Sales customer currency exchange rate privilege contact item "
    "maximum length exceeded entity access user license token tenant environment "
    "unit measure salesperson posting group must have value existing not found "
    "request resource locked version conflict duplicate key company setup general "
    "ledger dimension account payment terms shipment method territory owner team"
)
_WORDS = _TEXT.split()
_NAMES = ("Bäckerei Müller", "Garage du Léman", "Atelier Schüpbach", "Pharmacie Ochs")
_COLUMNS = (
    *("connection_id", "mapping_key", "direction", "record_key", "fingerprint"),
    *("origin", "remote_number", "bc_id", "bc_number", "bc_name", "bc_presence"),
    *("sales_id", "sales_number", "sales_name", "sales_presence", "code"),
    *("http_status", "message", "field", "call_stack", "request_id", "occurrences"),
    *("first_seen", "last_seen", "state", "settled_at", "settled_reason", "waits_for"),
    *("reopened_at", "spared", "problem_id", "job_id", "search_text", "id"),
)
_PAYLOAD_COLUMNS = ("error_id", "latest", "request", "response", "recorded_at")


class Year:
    """Two connections, four mappings, their jobs, and problems of uneven size."""

    def __init__(self, problems: int = 60, jobs: int = 400) -> None:
        self.connections: list[Connection] = [make_connection(), make_connection()]
        mappings = [
            make_mapping(name, connection=connection)
            for connection in self.connections
            for name in ("CUSTOMER", "CURRENCY")
        ]
        self.jobs: list[Job] = [
            make_job(mappings[number % len(mappings)]) for number in range(jobs)
        ]
        whos = (Who.ADMINISTRATOR, Who.USER, Who.USER, Who.ITSELF)
        self.problems: list[Problem] = [
            make_problem(
                self.connections[0 if number < problems - 2 else 1],
                who=whos[number % 4],
                category="currency" if number % 3 else "permission",
            )
            for number in range(problems)
        ]


def write_errors(
    year: Year, count: int, *, newest: datetime = NEWEST, details: int = 200
) -> None:
    """``count`` rows that end at ``newest``, their payloads and their roll-ups."""
    with transaction.atomic(), _without_indexes():
        rows = iter(_Rows(year, newest, details))
        for start in range(0, count, _BATCH):
            batch = list(islice(rows, min(_BATCH, count - start)))
            _copy(SyncError, _COLUMNS, [row for row, _ in batch])
            _copy(ErrorPayload, _PAYLOAD_COLUMNS, [kept for _, kept in batch if kept])
        cells.rebuild()


class _Rows:
    """Each row's values in the order of ``_COLUMNS``, with those of its payload."""

    def __init__(self, year: Year, newest: datetime, details: int) -> None:
        self.year, self.newest, self.details = year, newest, details
        self.draw = random.Random(1)  # noqa: S311  # test data
        ranks = range(1, len(year.problems) + 1)
        self.weights = list(accumulate(1 / rank for rank in ranks))
        self.texts = [self._text(80 * 25 ** self.draw.random()) for _ in ranks]
        self.stack = "\n".join(
            f"at Microsoft.Dynamics.Nav.{'.'.join(self.draw.sample(_WORDS, 3))}"
            f"(Object {self.draw.randrange(9_999)}) line {self.draw.randrange(999)}"
            for _ in range(400)
        )
        last = SyncError.objects.order_by("-id").values_list("id", flat=True).first()
        self.first_id = (last or 0) + 1

    def _text(self, characters: float) -> str:
        words = self.draw.choices(_WORDS, k=int(characters / 5))
        return " ".join(words)[: int(characters) - 40]

    def __iter__(self) -> Iterator[tuple[Sequence[Any], Sequence[Any] | None]]:
        number = 0
        while True:
            yield self._row(number)
            number += 1

    def _row(self, number: int) -> tuple[Sequence[Any], Sequence[Any] | None]:
        uniform = self.draw.random
        place = bisect(self.weights, uniform() * self.weights[-1])
        problem = self.year.problems[place]
        age = int(uniform() * _YEAR_SECONDS)
        seen = self.newest - timedelta(seconds=age)
        name = f"{_NAMES[int(uniform() * len(_NAMES))]} {number}"
        chance = uniform()
        to_sales = chance < 0.9
        settled, waits = uniform() * 100 < SETTLED_PERCENT, ""
        state, reason = "resolved", "resolved" if chance < 0.98 else "replaced"
        if not settled:
            state, reason = ("ignored" if chance > 0.95 else "open"), ""
            waits = "EUR" if chance < 0.1 else ""
        message = f"{name}: {self.texts[place]} {int(uniform() * 50)} ({number})"
        text = f"{10_000 + number}\n{name}\n{problem.title}\n{message}"
        at = int(uniform() * 20_000)
        key, moment = self.first_id + number, _stored(seen)
        row = (
            *(problem.connection_id, "CUSTOMER" if chance > 0.01 else "CURRENCY"),
            *("to_sales" if to_sales else "to_business_central", record_key(number)),
            *(problem.fingerprint, "engine", "", record_key(number)),
            *(str(10_000 + number), name, "exists"),
            *("", "" if to_sales else str(10_000 + number), "" if to_sales else name),
            *("not_created" if to_sales else "exists", "Application_Refused", 400),
            *(message, "name", self.stack[at : at + self.details], "", _often(uniform)),
            *(_stored(seen - timedelta(seconds=age % 86_400)), moment, state),
            _stored(seen + timedelta(seconds=300)) if settled else None,
            *(reason, waits, None if number % 20 else moment, False, problem.pk),
            self.year.jobs[age * len(self.year.jobs) // _YEAR_SECONDS].pk,
            *(searchable(text), key),
        )
        kept = not settled or age < _PAYLOAD_DAYS * 86_400
        body = self.stack[at : at + self.details // 2]
        return row, (key, False, body, body, moment) if kept else None


def record_key(number: int) -> str:
    """The source record's id of the row with this number."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def _often(uniform: Any) -> int:
    return min(int(1 / (1 - uniform())), 500)


def _stored(moment: datetime) -> Any:
    return database.ops.adapt_datetimefield_value(moment)


def _copy(model: Any, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            sql = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
            cursor.executemany(sql, list(rows))


@contextmanager
def _without_indexes() -> Iterator[None]:
    """Every index but the keys, and SQLite's search triggers, are made afterwards."""
    table = SyncError._meta.db_table
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute("SET LOCAL maintenance_work_mem = '2GB'")
            # An index cannot be made while foreign keys wait to be checked.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(
                "SELECT 'INDEX', indexname, indexdef FROM pg_indexes LEFT JOIN "
                "pg_constraint ON conname = indexname "
                "WHERE tablename = %s AND conname IS NULL",
                [table],
            )
        else:
            cursor.execute(
                "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = %s "
                "AND type IN ('index', 'trigger') AND sql NOT LIKE 'CREATE UNIQUE%%'",
                [table],
            )
        found = cursor.fetchall()
        for kind, name, _ in found:
            cursor.execute(f'DROP {kind} "{name}"')
    yield
    with database.cursor() as cursor:
        for _kind, _name, definition in found:
            cursor.execute(definition)
        if database.vendor == "postgresql":
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), "
                f'(SELECT max(id) FROM "{table}"))',
                [table],
            )
        else:
            cursor.execute(
                f"INSERT INTO {SEARCH_TABLE}({SEARCH_TABLE}) VALUES ('rebuild')"
            )
