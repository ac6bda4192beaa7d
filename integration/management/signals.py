"""Ctrl-C, SIGTERM and SIGHUP as one exception, held back where it would do harm."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Raises ``KeyboardInterrupt`` in the main thread, once."""

    def __init__(self) -> None:
        self._holding = 0
        self._pending = False
        self._done = False

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
        if self._pending and not self._holding:
            self._raise()

    def ignore(self) -> None:
        """We are ending anyway from here on; a second Ctrl-C must not cut it short."""
        self._done = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._holding:
            self._pending = True
        else:
            self._raise()

    def _raise(self) -> None:
        if not self._done:
            self._done = True
            raise KeyboardInterrupt
