"""Servers that never pause for long and never come to an end."""

import gzip
import itertools
import socket
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress

import httpx2
import pytest

from integration.connectors.calls import Call
from integration.connectors.errors import LostAnswer, Refused, Transient
from integration.connectors.refusals import problem_of
from integration.connectors.transport import Transport, build_client
from integration.connectors.webhook import post
from integration.core.records import System
from tests.connectors.wire import Seconds, Wire

READ_SECONDS = 0.2
PAUSE_SECONDS = 0.02
LONG_SECONDS = 5
"""Whoever is still read after so long hangs up, so that a test fails and ends."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
DEFLATE = HEAD + b"Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n"
NOTHING = b"\0\0\0\xff\xff" * 1000


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def packed_head(flags: bytes = b"\0") -> bytes:
    return b"\x1f\x8b\x08" + flags + b"\0\0\0\0\0\xff"


DRIPS = {
    "status line": (b"HTTP/1.1 200 O", b"K"),
    "header": (HEAD + b"X: ", b"a"),
    "early answers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "chunk extension": (CHUNKED + b"5;x=", b"a"),
    "chunks": (CHUNKED, chunk(b" ")),
    "trailers": (CHUNKED + chunk(b"{}") + b"0\r\nX: ", b"a"),
    "length": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "gzip of nothing": (GZIP + chunk(packed_head()), chunk(NOTHING)),
    "gzip file name": (GZIP + chunk(packed_head(b"\x08")), chunk(b"a" * 100)),
    "after gzip": (GZIP + chunk(gzip.compress(b"{}")), chunk(b"z" * 100)),
    "deflate of nothing": (DEFLATE + chunk(zlib.compress(b"")[:2]), chunk(NOTHING)),
}
FLOODS = ("early answers", "gzip of nothing", "gzip file name", "after gzip")


@contextmanager
def serving(pieces: Iterable[bytes], pause: float) -> Iterator[str]:
    """An address that answers with these pieces until somebody hangs up."""
    done = threading.Event()
    sent = list(itertools.islice(pieces, 1000))

    def answer(connection: socket.socket) -> None:
        end = time.monotonic() + LONG_SECONDS
        with closing(connection), suppress(OSError):
            connection.recv(65_536)
            for piece in itertools.chain(sent, itertools.repeat(sent[-1])):
                if time.monotonic() > end or done.wait(pause):
                    return
                connection.sendall(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=server.accept()[:1]).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/x"
        done.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(LONG_SECONDS)


def send(url: str, *, repeatable: bool = False, most: int = 10**8) -> None:
    call = Call(
        *(System.SALES, "read", "POST", url),
        repeatable=repeatable,
        read_timeout_seconds=READ_SECONDS,
    )
    with build_client() as client:
        door = Transport(client, problem_of, sleep=Seconds().sleep)
        door.max_answer_bytes = most
        door.send(call)


@pytest.mark.parametrize("name", DRIPS)
def test_whatever_drips_ends_after_twice_the_time_out(name: str) -> None:
    with (
        serving(DRIPS[name], PAUSE_SECONDS) as url,
        pytest.raises(LostAnswer, match="net-timeout"),
    ):
        send(url)


def test_a_read_that_drips_is_tried_three_times() -> None:
    started = time.monotonic()

    with (
        serving(DRIPS["header"], PAUSE_SECONDS) as url,
        pytest.raises(Transient, match="net-timeout"),
    ):
        send(url, repeatable=True)

    assert time.monotonic() - started >= 3 * 2 * READ_SECONDS


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_that_yields_nothing_ends_at_the_bound(name: str) -> None:
    with (
        serving(DRIPS[name], 0) as url,
        pytest.raises(Refused, match="net-answer-too-large"),
    ):
        send(url, repeatable=True, most=20_000)


def test_a_webhook_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.connectors.webhook._READ_SECONDS", READ_SECONDS)

    with serving(DRIPS["header"], PAUSE_SECONDS) as url:
        posted = post(url, b"{}", {})

    assert posted.is_lost
    assert posted.words in {"timed out", "it came too slowly"}


def test_a_server_that_takes_nothing_in_is_given_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        call = Call(
            *(System.SALES, "write", "POST", url),
            content=b" " * 50_000_000,
            read_timeout_seconds=READ_SECONDS,
        )
        with build_client() as client, pytest.raises(LostAnswer, match="net-timeout"):
            Transport(client, problem_of).send(call)


class SlowSignIn(Wire):
    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/token"):
            self.clock.sleep(10_000)
        return super().__call__(request)


def test_a_slow_sign_in_leaves_the_call_its_whole_time() -> None:
    body = b'{"value": [{"a": 1}]}'
    wire = SlowSignIn(httpx2.Response(200, content=iter([body])))

    assert wire.bc().ledger_setup() == {"a": 1}
