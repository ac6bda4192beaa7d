"""How often a system may be asked: 6,000 requests in 5 minutes, few at a time.

Both systems measure in a sliding window (protocols §2.6, §3.8), so we do too.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from integration import clock

REQUESTS = 6_000
WINDOW_SECONDS = 300.0
_KEPT = 60
"""One request of so many is left by batches to single calls: what was put off because
the window is spent reads again before it opens."""
BUDGET_SPENT, TOLD_TO_WAIT = "budget-spent", "told-to-wait"
"""The code of a call that was not sent: by our own account, or the system's."""
BUSY_SECONDS = 0.05
"""When to ask again while as many calls run as may run at once."""


def open_to(cost: int, requests: int) -> int:
    """How many of a window's ``requests`` a call of this cost may find spent."""
    return requests if cost == 1 else requests - requests // _KEPT


def worth_waiting_for(cost: int, requests: int) -> int:
    """How much of a spent budget must be free before anybody goes on.

    A run that was put off begins by reading again: that must not happen for every call.
    """
    return max(cost, requests // 6)


class Throttle(Protocol):
    """The budget of one credential at one system; services share it between workers."""

    def acquire(self, cost: int = 1) -> float:
        """0 when the request may go now; otherwise seconds after which to ask again.

        ``cost`` is in requests; each part of a batch is one. What was granted must be
        given back with ``release``.
        """
        ...

    def release(self) -> None:
        """The request has been answered, or has failed."""
        ...

    def penalize(self, seconds: float) -> None:
        """The system asked to wait: nobody goes before this time has passed."""
        ...

    def is_closed(self) -> bool:
        """Whether that time is now."""
        ...


class LocalThrottle:
    """A budget for one process; threads may share it."""

    def __init__(
        self,
        *,
        concurrent: int,
        requests: int = REQUESTS,
        window_seconds: float = WINDOW_SECONDS,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._concurrent = concurrent
        self._requests = requests
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0
        self._running = 0
        self._closed_until = 0.0

    def acquire(self, cost: int = 1) -> float:
        with self._lock:
            now = self._monotonic()
            most = open_to(cost, self._requests)
            wait = self._seconds_to_wait(now, min(cost, most), most)
            if wait == 0:
                self._running += 1
                self._spent.append((now, cost))
                self._total += cost
            return wait

    def release(self) -> None:
        with self._lock:
            self._running -= 1

    def penalize(self, seconds: float) -> None:
        with self._lock:
            until = self._monotonic() + seconds
            self._closed_until = max(self._closed_until, until)

    def is_closed(self) -> bool:
        return self._monotonic() < self._closed_until

    def _seconds_to_wait(self, now: float, cost: int, most: int) -> float:
        if now < self._closed_until:
            return self._closed_until - now
        while self._spent and self._spent[0][0] <= now - self._window_seconds:
            self._total -= self._spent.popleft()[1]
        if self._running >= self._concurrent:
            return BUSY_SECONDS
        if self._total + cost <= most:
            return 0.0
        missing = self._total + worth_waiting_for(cost, most) - most
        for moment, freed in self._spent:
            missing -= freed
            if missing <= 0:
                return moment + self._window_seconds - now
        return self._window_seconds
