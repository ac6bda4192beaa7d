"""The one place that reads the clock of this machine.

Moments that decide what a clean-up may hide come from the database instead:
``integration.services.moment``.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class _Pace:
    rate: float = 1.0
    since: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    monotonic: float = 0.0


AHEAD = timedelta(seconds=60)
"""What was stamped further ahead was stamped before the clock was set back, and counts
as long ago: else nothing would be taken up until that time has come again."""
_pace = _Pace()


def run_at(rate: float) -> None:
    """From now on, in this process and those forked from it, time runs so much faster.

    Only where both systems are simulated: ``services.endpoints`` opens no other then.
    """
    _pace.since, _pace.monotonic = datetime.now(UTC), time.monotonic()
    _pace.rate = rate


def rate() -> float:
    """Our seconds in one second of this machine: 1, but for simulators in a hurry."""
    return _pace.rate


def now() -> datetime:
    """The present moment, aware, in UTC."""
    if _pace.rate == 1:
        return datetime.now(UTC)
    passed = time.monotonic() - _pace.monotonic
    return _pace.since + timedelta(seconds=passed * _pace.rate)


def monotonic() -> float:
    """Seconds that only grow; for measuring, never for storing."""
    return time.monotonic() * _pace.rate


def sleep(seconds: float) -> None:
    """Wait in this thread."""
    time.sleep(seconds / _pace.rate)
