"""What every command that answers and ends has in common."""

import io
import logging
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
from django.conf import settings
from django.core.management import call_command

from integration.management.log_aside import log_aside
from tests.factories import make_user
from tests.journeys.outside import REPOSITORY, Finished, environment, manage
from tests.running import Systems

ANSWERING = [
    ["cleanup", "--all"],
    ["doctor"],
    ["errors"],
    ["review"],
    ["sync"],
    ["undo", "1"],
]


@pytest.mark.parametrize("command", ANSWERING, ids=lambda words: words[0])
def test_a_mistyped_data_directory_is_said_and_not_made(
    command: list[str], tmp_path: Path
) -> None:
    done = manage(tmp_path / "typo", *command)

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert f"nothing has begun in the data directory {tmp_path / 'typo'}" in done.err
    assert "--data, or begin with “manage.py quickstart”" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ANSWERING, ids=lambda words: words[0])
def test_a_mistyped_database_is_said_and_not_made(
    command: list[str], data: Path, tmp_path: Path
) -> None:
    place = tmp_path / "typo.db"

    done = manage(data, *command, more={"DATABASE_URL": f"sqlite:///{place}"})

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert f"there is no database {place}; correct DATABASE_URL" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_a_file_is_begun_by_who_may(data: Path, tmp_path: Path) -> None:
    named = {"DATABASE_URL": f"sqlite:///{tmp_path / 'right.db'}"}

    made = manage(data, "migrate", "--verbosity", "0", more=named)
    listed = manage(data, "errors", more=named)

    assert (made.code, listed.code, listed.err) == (0, 0, "No entries.\n")


def test_the_directory_may_be_named_as_for_quickstart(
    data: Path, tmp_path: Path
) -> None:
    right = copytree(data, tmp_path / "right")

    last = manage(tmp_path / "typo", "errors", "--data=/no/such", "--data", str(right))
    short = manage(right, "errors", "--dat", str(tmp_path / "typo"))

    assert (last.code, last.err) == (0, "No entries.\n")
    assert short.code == 2
    assert list(tmp_path.iterdir()) == [right]


def test_help_needs_no_data(tmp_path: Path) -> None:
    assert "NAME=VALUE" in manage(tmp_path / "none", "errors", "--help").out


@pytest.mark.django_db
def test_the_log_goes_to_its_file_and_not_among_the_answers(
    systems: Systems, shown: io.StringIO
) -> None:
    systems.connect(make_user())
    shown.truncate(0)
    log = settings.DATA_DIR / "logs" / "commands.log"
    log.unlink(missing_ok=True)

    with pytest.raises(SystemExit):
        call_command("doctor")

    assert shown.getvalue() == ""
    assert "event='remote_call'" in log.read_text()

    with pytest.raises(SystemExit):
        call_command("doctor", verbosity=2)

    assert "event='remote_call'" in shown.getvalue()


def test_a_log_that_cannot_be_written_says_only_warnings(
    tmp_path: Path, shown: io.StringIO
) -> None:
    (tmp_path / "logs").write_text("no folder")

    for place in (tmp_path, tmp_path / "typo"):
        with log_aside(place, 1):
            logging.getLogger("integration").info("called")
            logging.getLogger("integration").warning("slow")

    assert shown.getvalue().count("event='slow'") == 2
    assert "called" not in shown.getvalue()
    assert not (tmp_path / "typo").exists()


def test_a_log_that_grew_large_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.management.log_aside.LOG_BYTES", 10)
    for word in ("first", "second", "third"):
        with log_aside(tmp_path, 1):
            logging.getLogger("integration").warning(word)

    assert "third" in (tmp_path / "logs" / "commands.log").read_text()
    assert "second" in (tmp_path / "logs" / "commands.old.log").read_text()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a new database."""
    place = tmp_path_factory.mktemp("data")
    assert manage(place, "migrate", "--verbosity", "0").code == 0
    return place


def redirected(data: Path, to: str, *arguments: str) -> Finished:
    """What a shell makes of it that sends its streams somewhere."""
    command = ["sh", "-c", f'exec "$@" {to}', "sh", sys.executable, "manage.py"]
    done = subprocess.run(  # noqa: S603  (our own command)
        [*command, *arguments],
        cwd=REPOSITORY,
        env=environment(data),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", [["doctor"], ["errors", "--json"]])
def test_a_full_disk_behind_the_output_is_one_sentence(
    command: list[str], data: Path
) -> None:
    done = redirected(data, ">/dev/full", *command)

    said = "This cannot be written: No space left on device.\n"
    assert (done.code, done.err) == (2, said)


@pytest.mark.parametrize(
    ("to", "command", "code"),
    [(">&-", ["errors", "--json"], 0), ("2>&-", ["errors", "nonsense"], 2)],
)
def test_a_closed_stream_is_written_to_by_nobody(
    to: str, command: list[str], code: int, data: Path
) -> None:
    done = redirected(data, to, *command)

    assert (done.code, done.out, done.err) == (code, "", "")


def test_a_reader_that_leaves_ends_the_command_silently(data: Path) -> None:
    done = redirected(data, "| true", "doctor")

    assert (done.code, done.err) == (0, "")


def test_a_terminal_that_knows_few_signs_gets_the_rest_replaced(data: Path) -> None:
    terminal = {"PYTHONIOENCODING": "ascii"}

    told = manage(data, "undo", "--help", more=terminal)
    refused = manage(data, "errors", "mapping=“é”", more=terminal)
    listed = manage(data, "errors", "--json", more=terminal)

    assert (told.code, refused.code, listed.code) == (0, 2, 0)
    assert "Traceback" not in told.err + refused.err
    assert listed.json["errors"] == []


@pytest.mark.parametrize("command", ["doctor", "errors"])
def test_a_file_that_is_no_database_is_named(
    command: str, data: Path, tmp_path: Path
) -> None:
    place = tmp_path / "broken.db"
    place.write_text("no database" * 100)

    done = manage(data, command, more={"DATABASE_URL": f"sqlite:///{place}"})

    assert done.code == (1 if command == "doctor" else 2)
    assert f"See that {place} is a database that" in done.out + done.err
    assert "Check DATABASE_URL" not in done.out + done.err


def test_a_database_out_of_reach_is_a_sentence_for_djangos_commands_too(
    data: Path,
) -> None:
    nowhere = {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/none"}

    done = manage(data, "migrate", more=nowhere)

    assert done.code == 2
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith("The database cannot be used (")
