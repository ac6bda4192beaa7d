"""The one place that reads the clock of this machine.

Moments that decide what a clean-up may hide come from the database instead:
``integration.services.moment``.
"""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only grow; for measuring, never for storing."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait in this thread."""
    time.sleep(seconds)
