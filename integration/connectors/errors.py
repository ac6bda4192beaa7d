"""What may happen when we talk to a system.

RemoteError             any of these; carries a Failure
├── ConnectionRefused   nothing else would pass either: sign-in, licence, address, TLS
├── Throttled           wait; ``retry_after_seconds`` when the system says how long
├── Transient           try again later: a 5xx, a time-out, a broken connection
├── LostAnswer          sent, no answer: it may or may not have been done
├── Stale               the record changed since it was read
├── NotFound            the record is not there
├── CursorExpired       the stored delta link is no longer valid: read everything again
└── Refused             any other refusal of this one request

Nobody above this package sees an exception of httpx2: ``translated`` turns each into
one of these, once, and keeps the cause.
"""

# ruff: noqa: N818  (named for what happened; "Throttled", not "ThrottledError")

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2

from integration.connectors.calls import Call
from integration.core.failures import Failure, FailureKind


class RemoteError(Exception):
    """A system did not do what it was asked; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure

    @property
    def nothing_done(self) -> bool:
        """Whether the system certainly did nothing: not reached, or refused."""
        return True

    @property
    def concerns_everybody(self) -> bool:
        """Whether the next request would fare no better: do not even split."""
        return False


class ConnectionRefused(RemoteError):
    """Nothing else would pass either until a person does something."""

    @property
    def concerns_everybody(self) -> bool:
        return True


class Throttled(RemoteError):
    """The system, or our own budget for it, asks everybody to wait."""

    @property
    def retry_after_seconds(self) -> float | None:
        """How long to wait; ``None`` when nobody said."""
        return self.failure.retry_after_seconds

    @property
    def concerns_everybody(self) -> bool:
        return True


class Transient(RemoteError):
    """Would probably pass a little later."""

    @property
    def nothing_done(self) -> bool:
        failure = self.failure
        return failure.status == 503 or failure.code in _NEVER_SENT

    @property
    def concerns_everybody(self) -> bool:
        return self.nothing_done


class LostAnswer(RemoteError):
    """The request went out and no whole answer came back."""

    @property
    def nothing_done(self) -> bool:
        return False


class Stale(RemoteError):
    """The record changed since it was read."""


class NotFound(RemoteError):
    """The record is not there."""


class CursorExpired(RemoteError):
    """The stored delta link is no longer valid."""


class Refused(RemoteError):
    """This one request was refused."""


_BY_KIND: dict[FailureKind, type[RemoteError]] = {
    FailureKind.CONNECTION: ConnectionRefused,
    FailureKind.THROTTLED: Throttled,
    FailureKind.TRANSIENT: Transient,
    FailureKind.LOST_ANSWER: LostAnswer,
    FailureKind.STALE: Stale,
    FailureKind.NOT_FOUND: NotFound,
    FailureKind.EXPIRED_CURSOR: CursorExpired,
    FailureKind.EXISTS: Refused,
    FailureKind.REFUSED: Refused,
}

_NEVER_SENT = frozenset({"net-connect-timeout", "net-pool-timeout"})

_CODES: dict[type[Exception], tuple[FailureKind, str]] = {
    httpx2.ConnectTimeout: (FailureKind.TRANSIENT, "net-connect-timeout"),
    httpx2.PoolTimeout: (FailureKind.TRANSIENT, "net-pool-timeout"),
    httpx2.TimeoutException: (FailureKind.LOST_ANSWER, "net-timeout"),
    httpx2.ConnectError: (FailureKind.CONNECTION, "net-connection-refused"),
    httpx2.NetworkError: (FailureKind.LOST_ANSWER, "net-reset"),
    httpx2.RemoteProtocolError: (FailureKind.LOST_ANSWER, "net-reset"),
    httpx2.DecodingError: (FailureKind.LOST_ANSWER, "net-answer-unreadable"),
    httpx2.ProxyError: (FailureKind.CONNECTION, "net-proxy-auth"),
    httpx2.UnsupportedProtocol: (FailureKind.CONNECTION, "net-wrong-address"),
    httpx2.InvalidURL: (FailureKind.CONNECTION, "net-wrong-address"),
    httpx2.TooManyRedirects: (FailureKind.CONNECTION, "net-wrong-address"),
    httpx2.RequestError: (FailureKind.REFUSED, "net-request-invalid"),
    # What follows can only come from a mistake of ours; it must not pass for a success.
    httpx2.HTTPError: (FailureKind.REFUSED, "net-request-invalid"),
    httpx2.CookieConflict: (FailureKind.REFUSED, "net-request-invalid"),
    httpx2.StreamError: (FailureKind.REFUSED, "net-request-invalid"),
}

_WORDS = {
    "net-connect-timeout": "Connection to {host} timed out",
    "net-pool-timeout": "No free connection to {host}",
    "net-timeout": "{host} did not answer in time",
    "net-connection-refused": "{host} refuses the connection",
    "net-dns": "Name or service not known: {host}",
    "net-tls": "The certificate of {host} could not be verified",
    "net-reset": "{host} closed the connection without an answer",
    "net-answer-unreadable": "The answer of {host} cannot be decoded",
    "net-proxy-auth": "The proxy refuses the way to {host}",
    "net-wrong-address": "This address cannot be used: {host}",
    "net-request-invalid": "The request to {host} could not be made",
}


def remote_error(failure: Failure) -> RemoteError:
    """The exception that belongs to this kind of failure."""
    return _BY_KIND[failure.kind](failure)


def never_arrived(error: Exception) -> bool:
    """Whether what was sent certainly reached nobody."""
    kind, code = next(_CODES[cls] for cls in type(error).__mro__ if cls in _CODES)
    return kind is FailureKind.CONNECTION or code in _NEVER_SENT


@contextmanager
def translated(call: Call) -> Iterator[None]:
    """Turn what httpx2 raises about ``call`` into a ``RemoteError`` with its cause."""
    try:
        yield
    except (
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpx2.CookieConflict,
        httpx2.StreamError,
    ) as error:
        raise remote_error(_failure_of(error, call)) from tellable(error, call)


def tellable(error: Exception, call: Call) -> Exception | None:
    """A cause for those who read the log, unless its words hold what none may read."""
    return error if call.redacted(str(error)) == str(error) else None


def _failure_of(error: Exception, call: Call) -> Failure:
    kind, code = next(_CODES[cls] for cls in type(error).__mro__ if cls in _CODES)
    if code == "net-connection-refused":
        code = _reason_for_no_connection(error)
    if kind is FailureKind.LOST_ANSWER and call.repeatable:
        kind = FailureKind.TRANSIENT
    host = urlsplit(call.url).netloc or call.url
    words = _WORDS[code].format(host=host)
    detail = str(error).strip()
    return call.failure(kind, code, f"{words}: {detail}" if detail else words)


def _reason_for_no_connection(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return "net-tls"
        if isinstance(error, socket.gaierror):
            return "net-dns"
        error = error.__cause__ or error.__context__
    return "net-connection-refused"
