"""One system, opened: signed-in calls, JSON answers, pages."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from integration import clock
from integration.connectors.auth import (
    InProcessTokenCache,
    TokenCache,
    TokenSource,
    sign_in_problem,
)
from integration.connectors.calls import Answer, Call
from integration.connectors.errors import remote_error, tellable
from integration.connectors.refusals import problem_of
from integration.connectors.secrets import Secrets
from integration.connectors.sign_in import SignIn
from integration.connectors.throttle import LocalThrottle, Throttle
from integration.connectors.transport import (
    PATIENCE_SECONDS,
    Transport,
    build_client,
)
from integration.core.failures import FailureKind
from integration.core.records import System

_MOST_EMPTY_PAGES = 1_000
"""In a row: a filter may leave whole pages out, but not for ever."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What services or tests may put in place of the connector's own parts.

    ``transport`` replaces the network, ``throttle`` the budget of this process,
    ``tokens`` the cache of this process, ``sleep`` and ``monotonic`` the clock.
    """

    transport: httpx2.BaseTransport | None = None
    throttle: Throttle | None = None
    tokens: TokenCache | None = None
    sleep: Callable[[float], None] = clock.sleep
    monotonic: Callable[[], float] = clock.monotonic


@dataclass(frozen=True, slots=True)
class Entrance:
    """How to get a token: where, for what, as whom."""

    token_url: str
    scope: str
    sign_in: SignIn


@dataclass(slots=True)
class Session:
    """Calls below one root address, which ends with a slash."""

    system: System
    root: str
    headers: Mapping[str, str]
    transport: Transport = field(repr=False)
    secrets: Secrets = field(repr=False)

    @classmethod
    def open(
        cls,
        blank: Call,
        entrance: Entrance,
        wiring: Wiring,
        concurrent: int,
    ) -> "Session":
        """``blank`` gives system, root address and the headers of every call.

        ``concurrent`` bounds the calls of this process at once, when ``wiring`` brings
        no budget.
        """
        client = build_client(wiring.transport)
        source = TokenSource(
            blank.system,
            Transport(client, sign_in_problem, sleep=wiring.sleep),
            entrance.token_url,
            entrance.scope,
            entrance.sign_in,
            wiring.tokens or InProcessTokenCache(),
        )
        transport = Transport(
            client,
            problem_of,
            throttle=wiring.throttle
            or LocalThrottle(concurrent=concurrent, monotonic=wiring.monotonic),
            tokens=source,
            sleep=wiring.sleep,
            monotonic=wiring.monotonic,
        )
        return cls(blank.system, blank.url, blank.headers, transport, source.secrets)

    def call(self, operation: str, method: str, path: str, **headers: str) -> Call:
        """A call; header names are written with underscores (``If_Match``)."""
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        return Call(
            system=self.system,
            operation=operation,
            method=method,
            url=self.root + path,
            headers={**self.headers, **own},
            repeatable=method == "GET",
            secrets=self.secrets,
        )

    def get(self, call: Call) -> dict[str, Any]:
        """The JSON object of the answer. Raises ``RemoteError``."""
        return self.read(call, self.transport.send(call))

    def read(self, call: Call, answer: Answer) -> dict[str, Any]:
        """The JSON object of an answer; a cut one is as good as none."""
        try:
            body = answer.json()
        except ValueError as error:
            kind = FailureKind.TRANSIENT
            if not call.repeatable:
                kind = FailureKind.LOST_ANSWER
            raise self._unreadable(call, answer, kind) from tellable(error, call)
        if not isinstance(body, dict):
            raise self._unreadable(call, answer, FailureKind.CONNECTION)
        return body

    def pages(
        self, call: Call, most: int | None = None
    ) -> Iterator[tuple[dict[str, Any], Answer]]:
        """Each page of a list, following the system's own links to the last.

        Every body has its rows in ``value``. A link that was followed before, or ever
        new ones to nothing or to the same rows, would never end and are refused; so are
        more rows than ``most``, which somebody keeps, or more than one answer holds.
        """
        followed: set[bytes] = set()
        brought: set[bytes] = set()
        empty = count = size = 0
        while True:
            answer = self.transport.send(call)
            body = self.read(call, answer)
            rows = body.get("value")
            if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
                raise self._unreadable(call, answer, FailureKind.CONNECTION)
            count, size = count + len(rows), size + len(answer.body)
            is_full = size > self.transport.max_answer_bytes
            if most is not None and (is_full or count > most):
                raise self._endless(call, answer)
            yield body, answer
            link = body.get("@odata.nextLink")
            if not link:
                return
            empty = 0 if rows else empty + 1
            followed.add(_digest(call.url))
            url = self._next(call, str(link), answer)
            # No two pages of a list begin and end with the same rows.
            ends = _digest(repr((len(rows), rows[0], rows[-1]))) if rows else b""
            is_round = _digest(url) in followed or ends in brought
            if is_round or empty > _MOST_EMPTY_PAGES:
                raise self._endless(call, answer)
            if rows:
                brought.add(ends)
            call = replace(call, url=url)

    @contextmanager
    def readable(self, call: Call) -> Iterator[None]:
        """What is not of the shape we know while we take it apart is a refusal."""
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = "The answer does not hold what was expected"
            kind = FailureKind.CONNECTION
            failure = call.failure(kind, "net-answer-unreadable", message)
            raise remote_error(failure) from tellable(error, call)

    def belongs_here(self, url: str) -> bool:
        """Whether an address is on the same host: only there our token may go.

        One that cannot be asked at all is nowhere.
        """
        here = urlsplit(self.root)
        try:
            there = urlsplit(url)
            httpx2.URL(url)
        except (ValueError, httpx2.InvalidURL):
            return False
        return (here.scheme, here.netloc) == (there.scheme, there.netloc)

    def be_patient(self, seconds: float) -> None:
        """As ``Connector.be_patient``."""
        least, most = PATIENCE_SECONDS
        self.transport.patience_seconds = min(max(least, seconds), most)

    def server_time(self) -> datetime | None:
        return self.transport.server_time

    def close(self) -> None:
        self.transport.client.close()

    def _next(self, call: Call, link: str, answer: Answer) -> str:
        try:
            url = urljoin(call.url, link)
        except ValueError:
            url = ""
        if url == call.url or not self.belongs_here(url):
            shown = call.redacted(link)[:200]
            message = f"The link to the next page leads elsewhere: {shown}"
            kind = FailureKind.REFUSED
            raise remote_error(
                call.failure(kind, "next-link-elsewhere", message, answer)
            )
        return url

    def _endless(self, call: Call, answer: Answer) -> Exception:
        message = "The links from page to page have no end"
        return remote_error(
            call.failure(FailureKind.REFUSED, "next-link-endless", message, answer)
        )

    def _unreadable(self, call: Call, answer: Answer, kind: FailureKind) -> Exception:
        message = "The answer is not the JSON object that was expected"
        return remote_error(
            call.failure(kind, "net-answer-unreadable", message, answer)
        )


def _digest(text: str) -> bytes:
    """Of an address, or the ends of a page: there may be as many as pages."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
