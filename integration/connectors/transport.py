"""Sends a call: waits its turn, repeats what is safe, bounds, translates and logs.

Reads and sign-ins are sent again after anything that may pass by itself. Any other call
is sent again only when the system certainly did nothing (not reached, 429, 503);
otherwise its answer is lost, and only the caller can find out what happened.
"""

import logging
import random
import ssl
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http import HTTPStatus
from threading import Timer
from typing import Protocol
from urllib.parse import urlsplit

import httpx2

from integration import clock
from integration.connectors.bounds import AnswerTooLarge, Bounds, bound
from integration.connectors.calls import Answer, Call
from integration.connectors.errors import (
    RemoteError,
    Throttled,
    Transient,
    remote_error,
    translated,
)
from integration.connectors.throttle import BUDGET_SPENT, TOLD_TO_WAIT, Throttle
from integration.core.failures import Failure, FailureKind

logger = logging.getLogger(__name__)

MADE_UP: ContextVar[Callable[[], None]] = ContextVar("made_up", default=lambda: None)
"""Who wants to know when a call only waits any more: for its turn, for its answer."""
ANSWERED: ContextVar[Callable[[], None]] = ContextVar("answered", default=lambda: None)
"""Who wants to know when a system has said yes; what it said is still to be read."""
BEFORE_WRITING: ContextVar[Callable[[], None]] = ContextVar(
    "before_writing", default=lambda: None
)
"""Who says, by raising, that a call that may change something must not go any more."""
UNANSWERED: ContextVar[Callable[[Call, float], None] | None] = ContextVar(
    "unanswered", default=None
)
"""Who wants to know of a call without answer so far, and after how many seconds more it
is given up if nothing comes."""
UNANSWERED_SECONDS = 10.0
TRIES = 3
LONGEST_WAIT_SECONDS = 5.0
"""A longer wait before a repeat is the job's, not ours: ``Throttled`` is raised."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_ON_THE_LINE = 2
"""Times that much may arrive: a head, trailers and the lengths of chunks besides."""
_CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = (30.0, 150.0)
"""So long a call waits for its turn if nobody says otherwise, and at most: half of a
window, which leaves a task's time to its work."""
_UNTOLD_SECONDS = 1.0
"""How long everybody waits after a 429 that does not say how long."""

_LOGGED = 500
"""Characters of what a system has chosen, in a line of the log."""
_LONGEST_PAUSE = 0.5
"""Before a call is repeated; doubled with each try."""

_random = random.SystemRandom()


def build_client(transport: httpx2.BaseTransport | None = None) -> httpx2.Client:
    """A client that follows no redirect and keeps no cookie for affinity.

    ``transport`` replaces the network, for tests. Dropping cookies spreads the load
    over Dataverse's servers (protocols §3.8).
    """
    client = httpx2.Client(
        transport=transport,
        verify=_certificates(),
        # A proxy of the environment cannot reach what runs on this machine.
        mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]")),
        http2=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(120.0, connect=_CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=20, max_keepalive_connections=10),
        event_hooks={"response": [lambda _: client.cookies.clear()]},
        headers={"User-Agent": "sync-errors", "Accept-Encoding": "gzip, deflate"},
    )
    bound(client)
    return client


def time_limits(read_seconds: float) -> httpx2.Timeout:
    """For reaching the system and for each pause in its answer."""
    return httpx2.Timeout(read_seconds, connect=_CONNECT_SECONDS)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom we trust: read once, which takes longer than many a run."""
    return httpx2.create_ssl_context()


class Tokens(Protocol):
    """Where the tokens of a sign-in come from."""

    def token(self, rejected: str = "") -> str:
        """One that is not ``rejected``. Raises ``RemoteError``; may wait."""
        ...


@dataclass(slots=True)
class Transport:
    """One system's door. ``problem_of`` reads a refusal; ``None`` is a success."""

    client: httpx2.Client
    problem_of: Callable[[Call, Answer], Failure | None]
    throttle: Throttle | None = None
    tokens: Tokens | None = None
    sleep: Callable[[float], None] = clock.sleep
    monotonic: Callable[[], float] = clock.monotonic
    patience_seconds: float = PATIENCE_SECONDS[0]
    max_answer_bytes: int = MAX_ANSWER_BYTES
    server_time: datetime | None = field(default=None, init=False)

    def send(self, call: Call) -> Answer:
        """The answer of success. Raises ``RemoteError`` for anything else; may wait."""
        MADE_UP.get()()
        attempt = 1
        while True:
            try:
                answer = self._send_once(call)
            except RemoteError as error:
                wait = _seconds_before_repeat(error, call, attempt)
                if wait is None:
                    raise
                self.sleep(wait)
                attempt += 1
            else:
                ANSWERED.get()()
                return answer

    def _send_once(self, call: Call) -> Answer:
        self._take_turn(call)
        try:
            if call.method != "GET":
                BEFORE_WRITING.get()()
            with translated(call):
                answer = self._exchange(call)
        finally:
            if self.throttle:
                self.throttle.release()
        self.server_time = answer.date or self.server_time
        failure = self.problem_of(call, answer)
        if failure is None:
            return answer
        self._slow_down(failure)
        raise remote_error(failure)

    def _take_turn(self, call: Call) -> None:
        if self.throttle is None:
            return
        give_up = self.monotonic() + self.patience_seconds
        while wait := self.throttle.acquire(call.cost):
            if self.monotonic() + wait > give_up:
                raise Throttled(_not_sent(call, wait, closed=self.throttle.is_closed()))
            self.sleep(wait)

    def _slow_down(self, failure: Failure) -> None:
        if self.throttle and failure.kind is FailureKind.THROTTLED:
            asked = failure.retry_after_seconds
            self.throttle.penalize(_UNTOLD_SECONDS if asked is None else asked)

    def _exchange(self, call: Call) -> Answer:
        started = self.monotonic()
        status = 0
        answer: Answer | None = None
        bounds = self._bounds(call)
        try:
            with bounds.kept():
                response = self._send_signed(call, bounds)
                status = response.status_code
                answer = self._read(response, bounds)
        except AnswerTooLarge as error:
            raise remote_error(_too_large(call, self.max_answer_bytes)) from error
        else:
            return answer
        finally:
            _log(call, status, self.monotonic() - started, answer)

    def _bounds(self, call: Call) -> Bounds:
        """For all of one request and its answer, of which a pause is only a part."""
        return Bounds(
            2 * call.read_timeout_seconds,
            _ON_THE_LINE * self.max_answer_bytes,
            self.monotonic,
        )

    def _send_signed(self, call: Call, bounds: Bounds) -> httpx2.Response:
        """With our token; after the first 401 it is renewed once and sent again.

        The library's own way would read the refusal whole, however large it is.
        """
        request = self._build(call)
        if self.tokens is None:
            with _watched(call):
                return self.client.send(request, stream=True)
        token = self.tokens.token()
        response = self._send_as(token, call, request, bounds)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response.close()
            token = self.tokens.token(rejected=token)
            response = self._send_as(token, call, request, bounds)
        return response

    def _send_as(
        self, token: str, call: Call, request: httpx2.Request, bounds: Bounds
    ) -> httpx2.Response:
        # Getting the token has taken time of its own.
        bounds.restart()
        request.headers["Authorization"] = f"Bearer {token}"
        with _watched(call):
            return self.client.send(request, stream=True)

    def _build(self, call: Call) -> httpx2.Request:
        own_id = str(uuid.uuid4())
        ids = {"client-request-id": own_id, "x-ms-client-request-id": own_id}
        return self.client.build_request(
            call.method,
            call.url,
            headers={**ids, **call.headers},
            content=call.content or None,
            timeout=time_limits(call.read_timeout_seconds),
        )

    def _read(self, response: httpx2.Response, bounds: Bounds) -> Answer:
        """Unpacked it is bounded as well: a little on the line may become very much."""
        body = bytearray()
        try:
            if "," in response.headers.get("content-encoding", ""):
                # Each layer may blow up a thousandfold before we see a byte.
                raise httpx2.DecodingError("packed more than once")
            for block in response.iter_bytes():
                body += block
                if len(body) > self.max_answer_bytes:
                    raise AnswerTooLarge
                bounds.seconds_left()
        finally:
            response.close()
        return Answer(response.status_code, dict(response.headers), bytes(body))


@contextmanager
def _watched(call: Call) -> Iterator[None]:
    """Tell whoever wants to know when there is no answer for long.

    A sign-in before it is a call of its own.
    """
    tell = UNANSWERED.get()
    if tell is None:
        yield
        return
    once = _CONNECT_SECONDS + call.read_timeout_seconds
    tries = TRIES if call.repeatable else 1
    pauses = sum(_LONGEST_PAUSE * 2**attempt for attempt in range(1, tries))
    left = tries * once + pauses - UNANSWERED_SECONDS
    timer = Timer(UNANSWERED_SECONDS, tell, (call, left))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _seconds_before_repeat(
    error: RemoteError, call: Call, attempt: int
) -> float | None:
    """How long to wait before the same call may go again; ``None``: it may not."""
    failure = error.failure
    # A sign-in inside this call has had its own tries.
    if attempt >= TRIES or failure.operation != call.operation:
        return None
    if not (call.repeatable or error.nothing_done):
        return None
    may_pass = isinstance(error, Transient | Throttled)
    if not may_pass and failure.code != "net-connection-refused":
        return None
    if failure.retry_after_seconds is not None:
        asked = failure.retry_after_seconds
        return asked if asked <= LONGEST_WAIT_SECONDS else None
    return _random.uniform(_LONGEST_PAUSE / 2, _LONGEST_PAUSE) * float(2**attempt)


def _not_sent(call: Call, wait: float, *, closed: bool) -> Failure:
    why = "Our own budget of requests for this system is spent"
    return Failure(
        system=call.system,
        kind=FailureKind.THROTTLED,
        code=TOLD_TO_WAIT if closed else BUDGET_SPENT,
        message="This system has asked us to wait" if closed else why,
        # Not the call's own operation: it was never sent, so it is not sent again here.
        operation=f"wait to {call.operation}",
        retry_after_seconds=wait,
    )


def _too_large(call: Call, bound: int) -> Failure:
    kind = FailureKind.REFUSED if call.repeatable else FailureKind.LOST_ANSWER
    message = f"The answer is larger than {bound} bytes"
    return call.failure(kind, "net-answer-too-large", message)


def _log(call: Call, status: int, seconds: float, answer: Answer | None) -> None:
    address = urlsplit(call.url)
    logger.info(
        "remote_call",
        extra={
            "system": call.system.value,
            "operation": call.operation,
            "method": call.method,
            "host": address.hostname,
            # The system gives the address of a next page, and may put in what it likes.
            "path": call.redacted(address.path)[:_LOGGED],
            "status": status,
            "ms": round(seconds * 1000),
            "request_id": call.redacted(answer.request_id)[:_LOGGED] if answer else "",
        },
    )
