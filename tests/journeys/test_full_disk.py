"""A disk that is full while a thousand failures are being recorded, from outside."""

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.outside import Browserless, Systems, manage, remove_rates
from tests.journeys.test_bad_days import EVERYWHERE, rows, started, wait_until

pytestmark = pytest.mark.journey
FAILING, SOUND = 1_000, 300
LEFT_BYTES = 200_000
"""Room for the beginning of a run, not for its end."""
ERRORS = (
    "SELECT count(*), count(DISTINCT record_key), max(occurrences)"
    " FROM integration_syncerror WHERE mapping_key = 'CUSTOMER' AND state = 'open'"
)
SOUND_ONES = (
    "SELECT count(*) FROM integration_coupling JOIN integration_tablemapping AS mapping"
    " ON mapping.id = mapping_id WHERE mapping.name = 'CUSTOMER'"
)
JOBS = (
    "SELECT state FROM integration_job JOIN integration_tablemapping AS mapping"
    " ON mapping.id = mapping_id WHERE kind = 'sync' AND mapping.name = 'CUSTOMER'"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one of its own; only root may have it."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)  # noqa: S603  # fixed
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk of its own may be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607


def prepare(systems: Systems) -> None:
    """So many carry a currency without a rate, the others none."""
    customers = systems.business_central("customers")
    changes: list[dict[str, Any]] = [
        {"id": row["id"], "currencyCode": "USD" if n < FAILING else ""}
        for n, row in enumerate(customers)
    ]
    where = {"system": "business_central", "entity": "customers", "action": "change"}
    systems.control("records", where | {"records": changes})
    remove_rates(systems, "USD")


def fill(disk: Path, left: int) -> Path:
    """A file that leaves so many bytes free, or none."""
    free = os.statvfs(disk)
    filler = disk / "filler"
    # What runs takes room at the same time.
    with contextlib.suppress(OSError):
        filler.write_bytes(b"x" * max(free.f_bavail * free.f_frsize - left, 0))
    return filler


def test_a_thousand_failures_on_a_full_disk_are_a_thousand_rows_once_there_is_room(
    disk: Path,
) -> None:
    data = disk / "data"
    data.mkdir()
    options = ["quickstart", "--no-accept", "--port", "0", "--sim-port", "0"]
    options += ["--records", str(FAILING + SOUND)]
    with started(data, "manage.py", *options) as process:
        assert process.stdout
        told = []
        for line in process.stdout:
            told.append(line)
            if line.startswith("Ctrl-C ends"):
                break
        systems = Systems(json.loads((data / "simulators.json").read_text()))
        prepare(systems)
        person = Browserless(re.findall(r"^or +(\S+)", "".join(told), re.MULTILINE)[0])
        person.sign_in()
        accepted = manage(data, "review", "--accept", more=EVERYWHERE)
        wait_until(lambda: ("running",) in rows(data, JOBS))

        filler = fill(disk, LEFT_BYTES)
        wait_until(lambda: os.statvfs(disk).f_bavail == 0)
        before = rows(data, ERRORS)
        pages = [person.get(path) for path in ("/", "/errors/", "/jobs/")]
        filler.unlink()

        # The simulators' disk was full as well: what they refused is tried again.
        wait_until(lambda: rows(data, ERRORS)[0][0] == FAILING)
        wait_until(lambda: rows(data, SOUND_ONES) == [(SOUND,)])
        after = rows(data, ERRORS)
        whole = rows(data, "PRAGMA integrity_check")
        ready = person.get("/readyz")

    assert accepted.code == 0, accepted.err
    assert before[0][0] < FAILING
    assert all("Something went wrong" not in page for page in pages)
    assert after == [(FAILING, FAILING, 1)]
    assert whole == [("ok",)]
    assert ready == "ok\n"
