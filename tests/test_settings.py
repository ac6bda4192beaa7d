"""Settings are read once, typed, and fail in one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.outside import REPOSITORY, environment


def check(data: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """What ``manage.py check`` says with these variables set."""
    return subprocess.run(  # our own command
        [sys.executable, "manage.py", "check"],
        cwd=REPOSITORY,
        env=environment(data) | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_value_from_a_file_ends_before_its_line_break(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("errors.example.com\n")
    show = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"

    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", show],
        cwd=REPOSITORY,
        env=environment(tmp_path) | {"ALLOWED_HOSTS_FILE": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.strip() == "['errors.example.com']"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SYNCERRORS_HTTPS", "maybe"),
        ("SYNCERRORS_HEARTBEAT_SECONDS", "soon"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "postgres://host:port/name"),
        ("REDIS_URL", "nonsense"),
        ("TIME_ZONE", "Mars/Phobos"),
        ("TIME_ZONE", "../UTC"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_misspelt_value_stops_the_start_in_one_sentence(
    name: str, value: str, tmp_path: Path
) -> None:
    done = check(tmp_path, **{name: value})

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"{name} is “{value}”" in done.stderr


def test_a_data_directory_that_is_a_file_is_said(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")

    done = check(place)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "data directory" in done.stderr
