"""Ctrl-C, SIGTERM and SIGHUP as one exception, held back where it would do harm."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from integration import clock

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


ECHO_SECONDS = 1.0
"""A terminal's Ctrl-C may arrive twice, from it and from ``uv run``."""


class Signals:
    """Raises ``KeyboardInterrupt`` in the main thread."""

    def __init__(self) -> None:
        self._holding = 0
        self._received = False
        self._raised_at = -ECHO_SECONDS
        self._ending = False

    def install(self) -> None:
        for number in CAUGHT:
            signal.signal(number, self._receive)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing interrupts the block; what came meanwhile is raised at its end."""
        self._holding += 1
        try:
            yield
        finally:
            self._holding -= 1
        if self._received:
            self._raise()

    def wait(self) -> NoReturn:
        """Until one comes, also one whose exception a finalizer has swallowed."""
        while not self._received:
            clock.sleep(ECHO_SECONDS)
        raise KeyboardInterrupt

    def ignore(self) -> None:
        """We are ending anyway from here on; a second Ctrl-C must not cut it short."""
        self._ending = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        self._raise()

    def _raise(self) -> None:
        now = clock.monotonic()
        is_echo = now - self._raised_at < ECHO_SECONDS
        if self._holding or self._ending or is_echo:
            return
        self._raised_at = now
        raise KeyboardInterrupt
