"""A worker's sign of life on the jobs it runs (D5)."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Thread, get_ident

from django.conf import settings
from django.db import Error, connection

from integration import clock
from integration.connectors.transport import BEFORE_WRITING
from integration.services.runs import Run, RunLost, mine

logger = logging.getLogger(__name__)


@contextmanager
def heartbeat(run: Run) -> Iterator[None]:
    """Stamps the jobs of a run while the ``with`` block works.

    Runs in a thread with a database connection of its own, closed at the end. A beat
    that could not be written is only logged: the next one follows on a new one. Who was
    asleep for so long that another may have the run, asks before anything is written.
    """
    pulse = _Pulse(run)
    thread = Thread(target=pulse.beat, daemon=True)
    before = BEFORE_WRITING.set(pulse.refuse_if_lost)
    thread.start()
    try:
        yield
    finally:
        BEFORE_WRITING.reset(before)
        pulse.stop.set()
        thread.join()


class _Pulse:
    """``felt_at`` is when the run was last known to be ours."""

    def __init__(self, run: Run) -> None:
        self.stop = Event()
        self._run = run
        self._thread = get_ident()
        self._felt_at: datetime = clock.now()

    def beat(self) -> None:
        try:
            while not self.stop.wait(settings.HEARTBEAT_SECONDS):
                self._try()
        finally:
            connection.close()

    def refuse_if_lost(self) -> None:
        """Raises ``RunLost``. The machine, or this process, may have been suspended."""
        # Beats keep this machine's time, whatever pace the clock has.
        patience = max(settings.TAKE_UP_SECONDS / 2, settings.HEARTBEAT_SECONDS)
        silence = patience * clock.rate()
        since = (clock.now() - self._felt_at).total_seconds()
        if -clock.AHEAD.total_seconds() < since <= silence:
            return
        try:
            is_mine = self._stamp()
        finally:
            if get_ident() != self._thread:
                connection.close()
        if not is_mine:
            raise RunLost(f"run {self._run.id} was taken up by another worker")

    def _try(self) -> None:
        try:
            self._stamp()
        except Error:
            connection.close()
            logger.warning("heartbeat missed", extra={"run": str(self._run.id)})

    def _stamp(self) -> bool:
        now = clock.now()
        is_mine = bool(mine(self._run).update(heartbeat_at=now))
        if is_mine:
            self._felt_at = now
        return is_mine
