"""A worker's sign of life on the jobs it runs (D5)."""

import logging
import threading
from types import TracebackType
from uuid import UUID

from django.conf import settings
from django.db import Error, connection

from integration import clock
from integration.choices import JobState
from integration.models import Job

logger = logging.getLogger(__name__)


class Heartbeat:
    """Stamps the jobs of one run while the ``with`` block works.

    Runs in a thread with a database connection of its own, closed at the end. A beat
    that could not be written is only logged: the next one follows on a new one.
    """

    def __init__(self, run_id: UUID, attempt: int) -> None:
        self._run_id = run_id
        self._attempt = attempt
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(settings.HEARTBEAT_SECONDS):
                self._stamp()
        finally:
            connection.close()

    def _stamp(self) -> None:
        mine = Job.objects.filter(
            run=self._run_id, attempt=self._attempt, state=JobState.RUNNING
        )
        try:
            mine.update(heartbeat_at=clock.now())
        except Error:
            connection.close()
            logger.warning("heartbeat missed", extra={"run": str(self._run_id)})
