"""Somebody who records errors meanwhile, in a process of his own.

with recording(500) as written: …      # errors a second
written.longest                         # milliseconds one of them waited
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from benchmarks import databases  # isort: skip  # it sets Django up

from django.db import OperationalError, connection, transaction

from benchmarks.measure import Times, timed
from integration import clock
from integration.core.causes import Cause
from integration.models import (
    Connection,
    ErrorCell,
    ErrorTotal,
    OperationCell,
    Problem,
    SyncError,
)
from integration.services.error_rows import Failing
from integration.services.problems import cause_of_problem
from integration.services.recording import record_failing
from integration.services.settling import writing

MAPPING = "WRITTEN MEANWHILE"
_BATCHES_A_SECOND = 10


class Written:
    """What came of it; known when the block has ended."""

    rows = 0
    times: Times
    refused = 0
    """Batches that the database refused, for example as locked."""


@contextmanager
def recording(rate: int) -> Iterator[Written]:
    """Record new errors at this rate while the block runs; then take them away."""
    name = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-m", "benchmarks.writer", name, str(rate)]
    written = Written()
    with subprocess.Popen(  # noqa: S603  # ourselves
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        child.stdout.readline()
        try:
            yield written
        finally:
            said, _ = child.communicate("")
            _take_away()
    seconds, written.rows, written.refused = json.loads(said)
    written.times = Times.of(seconds)


def _take_away() -> None:
    SyncError.objects.filter(mapping_key=MAPPING)._raw_delete("default")
    for cells in (ErrorCell, ErrorTotal, OperationCell):
        cells.objects.filter(mapping_key=MAPPING).delete()


def _record(connection_: Connection, cause: Cause, rows: int) -> None:
    failing = [
        Failing(
            MAPPING,
            "to_sales",
            str(uuid4()),
            cause,
            {"bc_number": str(number), "message": "written", "search_text": "written"},
        )
        for number in range(rows)
    ]
    with transaction.atomic():
        record_failing(writing(connection_), failing)


def _end_with(ended: threading.Event) -> None:
    """Whoever started us closes our input."""
    sys.stdin.read()
    ended.set()


def main() -> None:
    databases.point_at(sys.argv[1])
    rows = int(sys.argv[2]) // _BATCHES_A_SECOND
    problem = Problem.objects.select_related("connection").earliest("id")
    cause = cause_of_problem(problem)
    ended = threading.Event()
    threading.Thread(target=_end_with, args=[ended]).start()
    seconds: list[float] = []
    refused = 0
    _record(problem.connection, cause, rows)  # a worker has read the articles long ago
    print("ready", flush=True)
    start = clock.monotonic()
    while not ended.wait(start + len(seconds) / _BATCHES_A_SECOND - clock.monotonic()):
        try:
            taken = timed(lambda: _record(problem.connection, cause, rows))
        except OperationalError:
            refused += 1
            taken = 0.0
        seconds.append(taken)
    print(json.dumps([seconds, rows * len(seconds), refused]))


if __name__ == "__main__":
    main()
