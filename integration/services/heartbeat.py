"""A worker's sign of life on the jobs it runs (D5)."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from django.conf import settings
from django.db import Error, connection

from integration import clock
from integration.services.runs import Run, mine

logger = logging.getLogger(__name__)


@contextmanager
def heartbeat(run: Run) -> Iterator[None]:
    """Stamps the jobs of a run while the ``with`` block works.

    Runs in a thread with a database connection of its own, closed at the end. A beat
    that could not be written is only logged: the next one follows on a new one.
    """
    stop = Event()
    thread = Thread(target=_beat, args=(run, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(run: Run, stop: Event) -> None:
    try:
        while not stop.wait(settings.HEARTBEAT_SECONDS):
            _stamp(run)
    finally:
        connection.close()


def _stamp(run: Run) -> None:
    try:
        mine(run).update(heartbeat_at=clock.now())
    except Error:
        connection.close()
        logger.warning("heartbeat missed", extra={"run": str(run.id)})
