"""The command lines of ``docs/deploy``, run as they stand there as plain processes."""

import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from integration import clock
from tests.journeys.outside import REPOSITORY, environment, free_port
from tests.journeys.services import services

pytestmark = pytest.mark.journey
DEPLOY = REPOSITORY / "docs" / "deploy"
HOME = "/srv/syncerrors"
PATIENCE_SECONDS = 90
SERVICES, EMBEDDED = "services", "embedded"


def entries(name: str, entry: str) -> list[str]:
    """What systemd reads of an entry that may stand several times."""
    text = (DEPLOY / f"{name}.service").read_text()
    assert "EnvironmentFile=/etc/syncerrors/environment" in text.splitlines()
    return re.findall(rf"^{entry}=(.+)$", text, re.MULTILINE)


def unit(name: str, entry: str = "ExecStart") -> str:
    (line,) = entries(name, entry)
    return line


def patience(name: str) -> int:
    """What systemd would give it to end."""
    return int(unit(f"syncerrors-{name}", "TimeoutStopSec"))


def container() -> str:
    text = (DEPLOY / "Containerfile").read_text()
    found = re.search(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)
    assert found
    return shlex.join(json.loads(found[1]))


def here(line: str) -> list[str]:
    """The line on this machine: our folder, our interpreter's programs."""
    programs = str(Path(sys.executable).parent)
    line = line.replace(f"{HOME}/.venv/bin", programs).replace(HOME, str(REPOSITORY))
    return shlex.split(line)


def settings(data: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The documented environment, on a data directory and services of the test's."""
    lines = (DEPLOY / "environment").read_text().splitlines()
    documented = dict(
        line.split("=", 1) for line in lines if line and not line.startswith("#")
    )
    for name in ("DATABASE_URL", "REDIS_URL"):
        documented.pop(name)
    shell = environment(data)
    shell.pop("SYNCERRORS_HTTPS")
    return shell | documented | {"SYNCERRORS_DATA_DIR": str(data), **given}


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], log: Path, patience: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """Until the block's end; then it must end by itself after SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own commands
            command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=patience) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], log: Path) -> None:
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert clock.monotonic() < deadline, log.read_text()
        clock.sleep(0.2)


def says(log: Path, pattern: str) -> Callable[[], bool]:
    return lambda: log.exists() and bool(re.search(pattern, log.read_text()))


def is_healthy(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.read() == b"ok\n")
    except OSError:
        return False


TICK = "Sending due task dispatch what is due"
DONE = r"integration\.tasks\.dispatch_due\[.*succeeded"


def test_the_units_run_on_postgresql_and_redis(tmp_path: Path) -> None:
    port = free_port()
    web, worker, beat = (tmp_path / name for name in ("web", "worker", "beat"))
    with ExitStack() as stack:
        given = settings(tmp_path / "data", stack.enter_context(services()))
        start = unit("syncerrors-web").replace("8000", str(port))
        for first in entries("syncerrors-web", "ExecStartPre"):
            before = here(first)
            subprocess.run(before, cwd=REPOSITORY, env=given, check=True)  # noqa: S603  # ours
        stack.enter_context(running(here(start), given, web, patience("web")))
        for name, log in (("worker", worker), ("beat", beat)):
            line = here(unit(f"syncerrors-{name}"))
            stack.enter_context(running(line, given, log, patience(name)))

        wait_until(lambda: is_healthy(port), web)
        assert "Warning" not in web.read_text()
        assert (tmp_path / "data" / "static" / "staticfiles.json").exists()
        wait_until(says(beat, TICK), beat)
        wait_until(says(worker, DONE), worker)
        ping = [sys.executable, "-m", "celery", "-A", "syncerrors", "inspect", "ping"]
        done = subprocess.run(  # noqa: S603  # ours
            ping, cwd=REPOSITORY, env=given, capture_output=True, text=True, check=False
        )
        assert "pong" in done.stdout, done.stderr


def test_a_long_migration_has_its_time_and_workers_wait_for_it() -> None:
    """Cut short after systemd's 90 seconds it would begin anew for ever."""
    assert unit("syncerrors-web", "TimeoutStartSec") == "infinity"
    for name in ("worker", "beat"):
        assert "syncerrors-web.service" in unit(f"syncerrors-{name}", "After").split()


def test_beat_starts_over_a_schedule_that_was_cut_short(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "beat"
    data.mkdir()
    (data / "beat-schedule.dat").write_bytes(b"\x80")
    line = here(unit("syncerrors-beat"))

    with running(line, settings(data, {}), log, patience("beat")):
        wait_until(says(log, "beat: Starting"), log)

    assert {file.name for file in data.glob("beat*")} == {"beat-schedule.dat"}


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        (unit("syncerrors"), SERVICES),
        (unit("syncerrors"), EMBEDDED),
        (container(), EMBEDDED),
    ],
)
def test_serve_starts_every_part(tmp_path: Path, line: str, pair: str) -> None:
    data, port = tmp_path / "data", free_port()
    logs = data / "logs"
    with ExitStack() as stack:
        found = stack.enter_context(services()) if pair == SERVICES else {}
        log = tmp_path / "serve"
        command = [*here(line), "--port", str(port)]
        stack.enter_context(running(command, settings(data, found), log, 10))

        wait_until(says(log, "Ctrl-C ends everything"), log)
        assert is_healthy(port)
        wait_until(says(logs / "beat.log", TICK), log)
        wait_until(says(logs / "worker.log", DONE), log)
        # These settings speak https: a link to the port itself would lead nowhere.
        told = f"Open  the proxy in front of http://127.0.0.1:{port}  user: admin  pass"
        assert told in log.read_text()
        assert "/sign-in/" not in log.read_text()
        assert (logs / "broker.log").exists() == (pair == EMBEDDED)
        assert (data / "syncerrors.sqlite3").exists() == (pair == EMBEDDED)


def test_a_broker_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    url = f"redis://somebody:secret@127.0.0.1:{free_port()}/0"
    given = settings(tmp_path, {"REDIS_URL": url})

    done = subprocess.run(  # noqa: S603  # ours
        [*here(unit("syncerrors")), "--port", "0"],
        cwd=REPOSITORY,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "does not answer; start it, or correct REDIS_URL." in done.stderr
    assert "secret" not in done.stderr
