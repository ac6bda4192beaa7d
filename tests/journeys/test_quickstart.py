"""``manage.py quickstart`` on bad days: one sentence, nothing left running."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from integration import clock
from integration.management.ports import PortInUse, claim_port
from tests.journeys.outside import REPOSITORY, environment, quickstart

pytestmark = pytest.mark.journey

PATIENCE_SECONDS = 90
OUR_WARNING = re.compile(
    r"^(?!.*/site-packages/).*: (?:Resource|Deprecation)Warning: .*", re.M
)
COMMAND = [sys.executable, "manage.py", "quickstart", "--port", "0", "--sim-port", "0"]


@contextmanager
def started(data: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(  # noqa: S603  (our own command)
        [*COMMAND, "--data", str(data), *options],
        cwd=REPOSITORY,
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def refused(data: Path, *options: str) -> str:
    """The one line a start that cannot be ends with, with exit code 2."""
    with started(data, *options) as process:
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2, err
    assert "Traceback" not in err
    return str(err).strip().splitlines()[-1]


def left_of(data: Path) -> list[str]:
    """Commands of living processes that work on this directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
        except OSError:
            continue
        if str(data) in words:
            found.append(words)
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = clock.monotonic() + 15
    while not condition():
        assert clock.monotonic() < deadline, "waited in vain"
        clock.sleep(0.1)


def wait_for(process: "subprocess.Popen[str]", step: str) -> None:
    """Until it has told of this step."""
    assert process.stdout
    assert any(line.startswith(step) for line in process.stdout)


def stop(process: "subprocess.Popen[str]", number: int) -> str:
    """What it said beside its output; it must end within ten seconds."""
    process.send_signal(number)
    return process.communicate(timeout=10)[1]


@pytest.mark.parametrize("option", ["--port", "--sim-port"])
def test_a_port_in_use_is_said(tmp_path: Path, option: str) -> None:
    with claim_port(0, option) as listener:
        port = str(listener.getsockname()[1])

        sentence = refused(tmp_path, option, port)

    assert sentence.startswith(f"Port {port} is in use")
    assert option in sentence


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "cannot be used" in refused(tmp_path / "file" / "data")


def test_a_broken_file_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "customers.json").write_text('{"value": [{"number": ')

    sentence = refused(tmp_path / "data", "--bc-data", str(folder))

    assert sentence.startswith("simulators: customers.json")
    assert left_of(tmp_path) == []


def test_a_second_one_names_the_first_and_sigterm_leaves_nothing(
    tmp_path: Path,
) -> None:
    with started(tmp_path, "--records", "3") as first:
        wait_for(first, "simulators")

        sentence = refused(tmp_path)
        err = stop(first, signal.SIGTERM)

    assert f"(process {first.pid})" in sentence
    assert (first.returncode, err) == (0, "")
    assert left_of(tmp_path) == []


def test_the_port_of_killed_simulators_is_nobody_elses(tmp_path: Path) -> None:
    with started(tmp_path, "--records", "3") as process:
        wait_for(process, "first sync")
        told = json.loads((tmp_path / "simulators.json").read_text())
        address = urlsplit(told["control_url"])
        os.kill(int((tmp_path / "logs" / "simulators.pid").read_text()), signal.SIGKILL)

        with pytest.raises(PortInUse):
            claim_port(address.port or 0, "--port")
        assert httpx2.get(f"{address.geturl()}/clock", timeout=30).status_code == 200
        stop(process, signal.SIGTERM)


def test_nothing_is_written_outside_its_directory_or_left_open(tmp_path: Path) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    more = {"HOME": str(home), "PYTHONDEVMODE": "1"}

    done = quickstart(data, "--records", "3", more=more)

    assert done.code == 0, done.err
    assert list(home.rglob("*")) == []
    said = {log.stem: log.read_text() for log in (data / "logs").glob("*.log")}
    assert {"worker", "beat", "web", "simulators"} <= set(said)
    said["quickstart"] = done.err
    # gunicorn leaves its pipes to the end of its process.
    said["web"] = said["web"].partition("Shutting down: Master")[0]
    assert OUR_WARNING.findall("\n".join(said.values())) == []


def test_killing_it_leaves_nothing_either(tmp_path: Path) -> None:
    with started(tmp_path, "--records", "3") as first:
        wait_for(first, "simulators")
        stop(first, signal.SIGKILL)

    wait_until(lambda: left_of(tmp_path) == [])
    with started(tmp_path, "--records", "3") as second:
        wait_for(second, "simulators")
        stop(second, signal.SIGINT)
    assert second.returncode == 0
    assert left_of(tmp_path) == []
