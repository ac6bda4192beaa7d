"""One supervisor per directory."""

import os
import threading
from pathlib import Path

import pytest

from integration.management.data_directory import (
    DirectoryInUse,
    DirectoryUnusable,
    held,
    prepare,
)


def test_a_second_holder_is_told_the_process_of_the_first(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(DirectoryInUse, match=f"process {os.getpid()}"):
        held(tmp_path).__enter__()


def test_a_lock_is_free_again_when_its_holder_has_left(tmp_path: Path) -> None:
    with held(tmp_path):
        pass

    with held(tmp_path):
        assert (tmp_path / "supervisor.lock").read_text().strip() == str(os.getpid())


def test_who_waits_gets_a_lock_that_is_given_back(tmp_path: Path) -> None:
    first = held(tmp_path, "other.lock")
    first.__enter__()
    threading.Timer(0.2, first.__exit__, (None, None, None)).start()

    with held(tmp_path, "other.lock", patience_seconds=20), held(tmp_path):
        assert (tmp_path / "other.lock").read_text().strip() == str(os.getpid())


def test_preparing_makes_what_is_missing(tmp_path: Path) -> None:
    prepare(tmp_path / "new" / "data")

    assert (tmp_path / "new" / "data" / "logs").is_dir()
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_written_is_said_in_a_sentence(
    tmp_path: Path,
) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")

    with pytest.raises(DirectoryUnusable, match=r"cannot be written.*--data"):
        prepare(occupied)
