"""Where the log goes while a command answers: beside what people and scripts read."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG_BYTES = 5_000_000
SHOWN_FROM = 2
"""The ``--verbosity`` from which a command shows the log on standard error."""


class LogFile(logging.FileHandler):
    """What a full disk does not take is not told in the place of an answer."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (theirs)
        pass


def rotate(log: Path) -> None:
    """Once it is large, begin anew and keep one that is older."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))


def rotate_open(log: Path) -> None:
    """The same while somebody appends to it: what it holds is copied aside.

    A line that is written between the copy and the new beginning is lost.
    """
    if log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".old.log"))
        os.truncate(log, 0)


@contextmanager
def log_aside(data: Path, verbosity: int) -> Iterator[None]:
    """Log into ``commands.log`` of the data directory instead of standard error.

    Where that cannot be written, standard error gets only what is a warning or worse.
    """
    root = logging.getLogger()
    shown = [one for one in root.handlers if one.get_name() == "stderr"]
    if verbosity >= SHOWN_FROM or not shown:
        yield
        return
    level = shown[0].level
    file = _open(data)
    if file:
        file.setFormatter(shown[0].formatter)
        root.removeHandler(shown[0])
        root.addHandler(file)
    else:
        shown[0].setLevel(logging.WARNING)
    try:
        yield
    finally:
        shown[0].setLevel(level)
        if file:
            root.removeHandler(file)
            root.addHandler(shown[0])
            file.close()


def _open(data: Path) -> LogFile | None:
    """A mistyped data directory is not made for the sake of a log."""
    log = data / "logs" / "commands.log"
    try:
        if data.is_dir():
            log.parent.mkdir(mode=0o700, exist_ok=True)
            rotate(log)
            return LogFile(log, encoding="utf-8")
    except OSError:
        pass  # said above
    return None
