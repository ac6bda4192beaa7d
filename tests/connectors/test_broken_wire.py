"""What only a real socket can show."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from integration.connectors.calls import Call
from integration.connectors.errors import ConnectionRefused, LostAnswer, Transient
from integration.connectors.refusals import problem_of
from integration.connectors.transport import Transport, build_client
from integration.core.records import System
from tests.connectors.wire import Seconds

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"


@contextmanager
def serving(answer: bytes) -> Iterator[int]:
    """A port that reads a request, answers these bytes and hangs up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=_serve, args=(server, answer), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with closing(connection):
            connection.recv(65_536)
            connection.sendall(answer)


@contextmanager
def sending(call: Call) -> Iterator[tuple[Callable[[], object], Seconds]]:
    clock = Seconds()
    with build_client() as client:
        transport = Transport(client, problem_of, sleep=clock.sleep)
        yield lambda: transport.send(call), clock


def read(port: int, scheme: str = "http") -> Call:
    url = f"{scheme}://127.0.0.1:{port}/x"
    return Call(System.SALES, "read", "GET", url, repeatable=True)


def write(port: int) -> Call:
    url = f"http://127.0.0.1:{port}/x"
    return Call(System.SALES, "write", "POST", url, content=b"{}")


def test_a_closed_port_refuses_after_three_tries() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]

    with sending(write(port)) as (send, clock):
        with pytest.raises(ConnectionRefused, match="net-connection-refused"):
            send()

        assert len(clock.slept) == 2


def test_a_port_without_tls_is_told_at_once() -> None:
    with serving(OK) as port, sending(read(port, "https")) as (send, clock):
        with pytest.raises(ConnectionRefused, match="net-tls"):
            send()

        assert clock.slept == []


@pytest.mark.parametrize("answer", [b"", CUT])
def test_a_write_whose_answer_is_cut_is_lost(answer: bytes) -> None:
    with serving(answer) as port, sending(write(port)) as (send, clock):
        with pytest.raises(LostAnswer, match="net-reset"):
            send()

        assert clock.slept == []


def test_a_read_whose_answer_is_cut_is_tried_again() -> None:
    with serving(CUT) as port, sending(read(port)) as (send, clock):
        with pytest.raises(Transient, match="net-reset"):
            send()

        assert len(clock.slept) == 2


def test_this_machine_is_reached_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with serving(OK) as port, sending(read(port)) as (send, _):
        assert send()
