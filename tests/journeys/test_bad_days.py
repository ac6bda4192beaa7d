"""Two workers, two beats, an emptied broker, a copied directory: nothing is doubled."""

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from integration import clock
from tests.journeys.outside import REPOSITORY, environment, manage, quickstart

pytestmark = pytest.mark.journey
RECORDS = 300
PATIENCE_SECONDS = 240
EVERYWHERE = {"SYNCERRORS_HEARTBEAT_SECONDS": "1", "SYNCERRORS_TAKE_UP_SECONDS": "4"}
COUPLED = "SELECT bc_number FROM integration_coupling WHERE bc_number LIKE '1%'"


@contextlib.contextmanager
def started(data: Path, *command: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that stays until the block ends."""
    process = subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, *command],
        cwd=REPOSITORY,
        env=environment(data) | EVERYWHERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def celery(data: Path, part: str, *options: str) -> Any:
    return started(data, "-m", "celery", "-A", "syncerrors", part, *options)


def rows(data: Path, query: str) -> list[tuple[Any, ...]]:
    """What the product's database says."""
    place = f"{(data / 'syncerrors.sqlite3').as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(place, uri=True, timeout=20)) as database:
        return database.execute(query).fetchall()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert clock.monotonic() < deadline, "waited in vain"
        clock.sleep(0.3)


def broker(data: Path) -> "redis.Redis":
    place = urlsplit((data / "broker.url").read_text()).path
    return redis.Redis(unix_socket_path=place, decode_responses=True)


def is_done(data: Path) -> bool:
    """All are coupled, and a run after that had nothing to write."""
    last = rows(
        data,
        "SELECT state, inserted + modified + coupled FROM integration_job"
        " WHERE kind = 'sync' ORDER BY id DESC LIMIT 2",
    )
    return len(rows(data, COUPLED)) == RECORDS and last == [("succeeded", 0)] * 2


def test_two_of_each_an_emptied_broker_and_a_copy_double_nothing(
    tmp_path: Path,
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    data.mkdir()
    options = ["quickstart", "--no-accept", "--port", "0", "--sim-port", "0"]
    options += ["--records", str(RECORDS)]
    with started(data, "manage.py", *options) as process:
        assert process.stdout
        assert any(line.startswith("Ctrl-C ends") for line in process.stdout)
        with (
            celery(data, "worker", "--concurrency=2", "--hostname=second@%h"),
            celery(data, "beat"),
        ):
            accepted = manage(data, "review", "--accept", more=EVERYWHERE)
            broker(data).flushall()
            wait_until(lambda: is_done(data))
        shutil.copytree(data, copy)
        copied = quickstart(copy, more=EVERYWHERE)
        alive = broker(data).ping()
    inserted = "SELECT sum(inserted) FROM integration_job WHERE direction = 'to_sales'"

    assert accepted.code == 0, accepted.err
    for place in (data, copy):
        numbers = [number for (number,) in rows(place, COUPLED)]
        assert len(set(numbers)) == len(numbers) == RECORDS
        couplings = "SELECT count(*) FROM integration_coupling"
        assert rows(place, inserted) == rows(place, couplings)
        assert rows(place, "SELECT id FROM integration_syncerror") == []
    assert copied.code == 0, copied.err
    assert copied.json["couplings"] == len(
        rows(data, "SELECT 1 FROM integration_coupling")
    )
    assert alive
