"""Service protection at its real figures, per user (protocols §2.6, §3.8).

Counted in memory and by the simulators' clock. Each part of a batch is a request; a
bulk action is one.
"""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from math import ceil
from typing import Any

from werkzeug.wrappers import Request

from integration import clock
from integration.simulators import entra
from integration.simulators.http import BUSINESS_CENTRAL, SALES
from integration.simulators.store import Store

Refusal = tuple[str, Mapping[str, Any]]
"""The fault it looks like, and what is particular about it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """``concurrent`` run at once, ``queue`` more wait for ``queue_seconds``."""

    requests: int = 6_000
    window_seconds: float = 300.0
    execution_seconds: float = float("inf")
    concurrent: int = 5
    queue: int = 95
    queue_seconds: float = 480.0


FIGURES = {
    BUSINESS_CENTRAL: Figures(),
    SALES: Figures(execution_seconds=1_200.0, concurrent=51, queue=0),
}
NAMES = tuple(each.name for each in fields(Figures))


@dataclass(slots=True)
class _User:
    """What one user did in the window: moment, requests, seconds of work."""

    turn: threading.Condition = field(default_factory=threading.Condition)
    done: deque[tuple[float, int, float]] = field(default_factory=deque)
    running: int = 0
    waiting: int = 0
    refused: int = 0


class Limits:
    """Those of one store's users."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._users: dict[tuple[str, str], _User] = {}

    @contextmanager
    def turn(
        self, request: Request, side: str, changed: Mapping[str, Any]
    ) -> Iterator[Refusal | None]:
        """Waits for its turn; why there is none, or ``None`` while the request works.

        ``changed`` figures replace the real ones.
        """
        principal = entra.principal_of(self._store, request, side)
        if principal is None:
            yield None  # Whoever is not signed in gets no further than that.
            return
        figures = replace(FIGURES[side], **changed)
        name = (side, principal.user or principal.client_id)
        with self._lock:
            user = self._users.setdefault(name, _User())
        cost = parts_of(request)
        refusal = self._enter(user, figures, side, cost)
        if refusal:
            yield refusal
            return
        started = clock.monotonic()
        try:
            yield None
        finally:
            with user.turn:
                moment = self._store.now().timestamp()
                user.done.append((moment, 0, clock.monotonic() - started))
                user.running -= 1
                user.turn.notify()

    def _enter(
        self, user: _User, figures: Figures, side: str, cost: int
    ) -> Refusal | None:
        with user.turn:
            refusal = self._spent(user, figures, side, cost)
            if not refusal and user.running >= figures.concurrent:
                refusal = _queue(user, figures, side)
            if refusal:
                user.refused += 1
                return refusal
            user.refused = 0
            user.running += 1
            user.done.append((self._store.now().timestamp(), cost, 0.0))
            return None

    def _spent(
        self, user: _User, figures: Figures, side: str, cost: int
    ) -> Refusal | None:
        now = self._store.now().timestamp()
        while user.done and user.done[0][0] <= now - figures.window_seconds:
            user.done.popleft()
        requests = cost + sum(each[1] for each in user.done)
        seconds = sum(each[2] for each in user.done)
        if requests > figures.requests:
            name = "bc-throttle" if side == BUSINESS_CENTRAL else "dv-throttle-requests"
        elif seconds > figures.execution_seconds:
            name = "dv-throttle-time"
        else:
            return None
        if side == BUSINESS_CENTRAL:
            return _too_many(requests, figures.requests)
        first = user.done[0][0] if user.done else now
        # Longer for those who keep pushing.
        wait = ceil(first + figures.window_seconds - now) + user.refused
        return name, {"retry_after": wait}


def parts_of(request: Request) -> int:
    """The parts of a batch; any other request is one."""
    if not request.path.endswith("$batch"):
        return 1
    body = request.get_data()
    if "multipart" in request.headers.get("Content-Type", ""):
        return max(1, body.count(b"application/http"))
    try:
        return max(1, len(json.loads(body)["requests"]))
    except (ValueError, TypeError, KeyError):
        return 1  # The API says what is wrong with it.


def _queue(user: _User, figures: Figures, side: str) -> Refusal | None:
    """Wait until fewer run; why not, or why no longer."""
    if side == SALES:
        return "dv-throttle-concurrency", {}
    if user.waiting >= figures.queue:
        return _too_many(user.waiting + 1, figures.queue)
    user.waiting += 1
    try:
        is_free = user.turn.wait_for(
            lambda: user.running < figures.concurrent,
            figures.queue_seconds / clock.rate(),
        )
    finally:
        user.waiting -= 1
    return None if is_free else ("bc-queue-timeout", {})


def _too_many(actual: int, maximum: int) -> Refusal:
    """Business Central does not say how long to wait."""
    message = f"Too many requests reached. Actual ({actual}). Maximum ({maximum})."
    return "bc-throttle", {"message": message}
