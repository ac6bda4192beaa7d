"""Kills at the n-th request: who is ended when, and what is done of the request."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue

import pytest

from integration.simulators.app import Simulators
from integration.simulators.kills import MOMENTS
from integration.simulators.server import serve
from tests.simulators.desk import COMPANY, ROOT, Desk


@pytest.fixture
def ended() -> list[str]:
    """The processes that were ended."""
    return []


@pytest.fixture
def desk(ended: list[str]) -> Desk:
    return Desk(end=ended.append)


@contextmanager
def served(
    desk: Desk, end: Callable[[socket.socket], object]
) -> Iterator[socket.socket]:
    """A connection of the process that is to end, which its end closes."""
    with socket.socket() as wire:
        server = serve(Simulators(desk.store, end=lambda target: end(wire)))
        wire.settimeout(10)
        wire.connect(("127.0.0.1", server.port))
        yield wire
        server.stop()


def create(wire: socket.socket, desk: Desk) -> None:
    body = '{"displayName": "A"}'
    head = f"POST {ROOT}/companies({COMPANY})/customers HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {desk.token()}\r\nContent-Type: application/json"
    wire.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_nth_request_from_now_kills_once(
    desk: Desk, ended: list[str], moment: str
) -> None:
    desk.token()
    desk.fault(kill_at_request=3, target="worker", when=moment)

    counts = []
    for _ in range(4):
        desk.find()
        counts.append(len(ended))

    assert counts == [0, 0, 1, 1]
    assert ended == ["worker"]
    log = desk.control("GET", "requests")["requests"]
    assert [entry["fault"] for entry in log][-2:] == [f"kill worker {moment}", ""]


def test_only_requests_that_ask_to_write_count_when_asked(
    desk: Desk, ended: list[str]
) -> None:
    desk.token()
    desk.fault(kill_at_request=2, target="web", when="after_write", writes=True)
    write = partial(desk.batch, ("POST", "customers", {"displayName": "A"}))

    write()
    desk.find()
    desk.batch(("GET", "customers", None))
    assert ended == []
    write()

    assert ended == ["web"]


def test_only_one_side_counts_when_asked(desk: Desk, ended: list[str]) -> None:
    desk.fault(kill_at_request=1, target="broker", when="before", side="sales")

    desk.find()

    assert ended == []


def test_before_its_work_nothing_is_done_for_who_is_gone(desk: Desk) -> None:
    desk.token()
    desk.fault(kill_at_request=1, target="worker", when="before")

    with served(desk, lambda wire: wire.shutdown(socket.SHUT_WR)) as wire:
        create(wire, desk)
        assert wire.recv(1) == b""

    assert len(desk.table("customers")) == 1
    entry = desk.control("GET", "requests")["requests"][-1]
    assert (entry["status"], entry["fault"]) == (499, "kill worker before")


def test_in_mid_answer_half_of_it_has_gone_out(desk: Desk) -> None:
    desk.token()
    desk.fault(kill_at_request=1, target="worker", when="mid_response")
    received: SimpleQueue[bytes] = SimpleQueue()

    with served(desk, lambda wire: received.put(wire.recv(65536))) as wire:
        create(wire, desk)
        half = received.get(timeout=10)
        rest = wire.recv(65536)

    assert half.startswith(b"HTTP/1.1 201")
    assert b"}" not in half
    assert rest.endswith(b"}")
