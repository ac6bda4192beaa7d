import json
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.journeys.outside import environment

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30


def start(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "manage.py", "simulate", "--data", str(data), *arguments]
    return subprocess.Popen(  # noqa: S603  our own command
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(data: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """The addresses of simulators that run as long as the block."""
    process = start(data, "--port", "0", *arguments)
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert str(data / "simulators.json") in line
        yield json.loads((data / "simulators.json").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        _, words = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, words) == (0, "")


def refused(data: Path, *arguments: str) -> str:
    """What a command says that cannot start; one line and no traceback."""
    process = start(data, *arguments)
    _, words = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert len(words.splitlines()) == 1
    return words


def records(addresses: dict[str, Any]) -> Any:
    with urllib.request.urlopen(f"{addresses['control_url']}/records") as answer:  # noqa: S310  our own address
        return json.load(answer)


def test_it_serves_says_where_and_ends_on_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path, "--records", "3") as addresses:
        company = addresses["company_id"]
        found = records(addresses)["business_central"][company]["customers"]

    assert len(found) == 3
    mode = (tmp_path / "simulators.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_records_survive_a_restart_and_options_count_only_once(tmp_path: Path) -> None:
    with serving(tmp_path, "--records", "3") as addresses:
        before = records(addresses)

    with serving(tmp_path) as addresses:
        after = records(addresses)

    assert after == before


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])

        words = refused(tmp_path, "--port", port)

    assert f"Port {port} is in use by another program; choose another with" in words


def test_a_broken_folder_is_one_sentence_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "customers.json").write_text('[{"number": "1"}]')

    words = refused(tmp_path / "data", "--bc-data", str(tmp_path))

    assert "customers.json, row 1, field displayName: a value is missing." in words


def test_a_directory_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    process = start(tmp_path / "file" / "data")
    _, words = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode in (1, 2)
    assert "cannot be used" in words
    assert len(words.splitlines()) == 1


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    process = start(tmp_path, "--records", "many")
    _, words = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 2
    assert "many is not a whole number" in words


def test_two_on_one_directory_would_write_over_each_other(tmp_path: Path) -> None:
    with serving(tmp_path, "--records", "3") as addresses:
        words = refused(tmp_path, "--port", "0")

        kept = json.loads((tmp_path / "simulators.json").read_text())
        assert kept == addresses
    assert f"already runs on {tmp_path}" in words


def test_an_empty_name_is_the_usual_directory_and_not_the_current_one(
    tmp_path: Path,
) -> None:
    usual, here = tmp_path / "usual", tmp_path / "here"
    here.mkdir()
    command = [sys.executable, str(ROOT / "manage.py"), "simulate", "--data", ""]
    process = subprocess.Popen(  # noqa: S603  our own command
        [*command, "--port", "0", "--records", "0"],
        cwd=here,
        env=environment(usual),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)

    assert str(usual / "simulators.json") in line
    assert list(here.iterdir()) == []
