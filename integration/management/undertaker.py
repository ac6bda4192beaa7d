"""Ends what a supervisor leaves behind when it is killed.

Runs as a small process of its own (``python -m integration.management.undertaker``) in
its own session. It reads lines from a pipe whose other end only the supervisor holds:
``+123`` a process group to end, ``-123`` one that has ended, ``/path`` a folder to
remove. The pipe closes when the supervisor ends, however it ends; then it works.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress

from integration import clock

PATIENCE_SECONDS = 4.0


def main(lines: Iterable[str]) -> None:
    """Follow the supervisor's notes to the end, then end what is left."""
    groups: set[int] = set()
    folders: set[str] = set()
    for line in lines:
        note = line.strip()
        if note.startswith("+"):
            groups.add(int(note))
        elif note.startswith("-"):
            groups.discard(-int(note))
        elif note.startswith("/"):
            folders.add(note)
    bury(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def bury(groups: set[int]) -> None:
    """Ask each process group to end, then make it end."""
    left = {group for group in groups if _signal(group, signal.SIGTERM)}
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while left and clock.monotonic() < deadline:
        clock.sleep(0.1)
        left = {group for group in left if _signal(group, 0)}
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Whether the group was there to receive it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with suppress(ValueError):
            signal.signal(ignored, signal.SIG_IGN)
    main(sys.stdin)
