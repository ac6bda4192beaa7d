"""One deadline and one bound of bytes over all of an exchange with a server.

The library's time-outs bound each pause only, and it gives nothing away before the head
of an answer is whole, its packing yields something or its trailers end: whoever drips
these would hold a worker for ever. So both bounds are kept where the bytes arrive.
"""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import httpx2

_BLOCK_BYTES = 64 * 1024
"""Written at once: whoever takes them byte by byte is given up between two blocks."""


class AnswerTooLarge(httpx2.RemoteProtocolError):
    """More came than any answer may have."""

    def __init__(self) -> None:
        super().__init__("more came than any answer may have")


@dataclass(slots=True)
class Bounds:
    """How long one exchange may take, and how many bytes may come over the line."""

    seconds: float
    most_bytes: int
    monotonic: Callable[[], float]
    _give_up: float = field(default=0.0, init=False)
    _came: int = field(default=0, init=False)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What this thread sends and reads meanwhile is bounded, from now on."""
        self.restart()
        # A sign-in within the exchange has bounds of its own, and gives these back.
        before = _current.set(self)
        try:
            yield
        finally:
            _current.reset(before)

    def restart(self) -> None:
        self._give_up = self.monotonic() + self.seconds
        self._came = 0

    def seconds_left(self) -> float:
        """Raises ``ReadTimeout`` when there are none."""
        left = self._give_up - self.monotonic()
        if left <= 0:
            raise httpx2.ReadTimeout("it came too slowly")
        return left

    def count(self, came: int) -> None:
        """Raises ``AnswerTooLarge``."""
        self._came += came
        if self._came > self.most_bytes:
            raise AnswerTooLarge


_current: ContextVar[Bounds | None] = ContextVar("bounds", default=None)


def bound(client: httpx2.Client) -> None:
    """Have every connection of ``client`` keep the bounds of who uses it.

    The library takes a network only where it builds its pool, and a pool of one's own
    would have to do again what it does about proxies and certificates.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = _Network()  # noqa: SLF001


class _Network(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(
            super().connect_tcp(host, port, timeout, local_address, socket_options)
        )


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _shortened(timeout))
        if bounds := _current.get():
            bounds.count(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _BLOCK_BYTES):
            block = buffer[start : start + _BLOCK_BYTES]
            self._stream.write(block, _shortened(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _shortened(timeout: float | None) -> float | None:
    bounds = _current.get()
    if bounds is None:
        return timeout
    left = bounds.seconds_left()
    return left if timeout is None else min(timeout, left)
