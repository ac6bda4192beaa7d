import json
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from integration.simulators.app import Simulators
from integration.simulators.faults import Faults
from integration.simulators.server import (
    RunningServer,
    serve,
    write_addresses,
)
from integration.simulators.store import Store
from tests.simulators.desk import CLIENT, COMPANY, ROOT, SCOPES, SECRET, TENANT, fill


@pytest.fixture
def store() -> Store:
    return fill(Store())


@pytest.fixture
def server(store: Store) -> Iterator[RunningServer]:
    server = serve(Simulators(store))
    yield server
    server.stop()


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=10) as client:
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": SCOPES["business_central"],
        }
        answer = client.post(f"/{TENANT}/oauth2/v2.0/token", data=form)
        token = answer.json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.base_url = httpx2.URL(f"{server.url}{ROOT}/companies({COMPANY})/")
        yield client


def test_it_listens_on_this_machine_only(server: RunningServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_a_connection_is_kept_open(server: RunningServer) -> None:
    request = b"GET /control/clock HTTP/1.1\r\nHost: localhost\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        for _ in range(3):
            wire.sendall(request)
            assert wire.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_nobody_reads_does_not_become_the_next_request(
    server: RunningServer,
) -> None:
    head = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        for _ in range(2):
            wire.sendall(head + b"12345")
            assert b" 404 " in wire.recv(65536).partition(b"\r\n")[0] + b" "


def test_a_chunked_body_is_read(client: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"displayName":'
        yield b'"A"}'

    answer = client.post("customers", content=chunks())

    assert answer.status_code == 201


def test_an_answer_without_a_body_leaves_the_connection_usable(
    client: httpx2.Client,
) -> None:
    made = client.post("customers", json={"displayName": "A"}).json()
    address, header = f"customers({made['id']})", {"If-Match": "*"}

    assert client.delete(address, headers=header).status_code == 204
    assert client.delete(address, headers=header).status_code == 404


def test_a_body_above_the_limit_is_refused_unread(server: RunningServer) -> None:
    head = f"POST {ROOT}/companies HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Length: {400 * 1024 * 1024}\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.sendall(head.encode())
        assert wire.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_the_next_link_leads_back_to_the_port(
    client: httpx2.Client, server: RunningServer
) -> None:
    client.post("customers", json={"displayName": "A"})

    page = client.get("customers", headers={"Prefer": "odata.maxpagesize=1"}).json()

    assert page["@odata.nextLink"].startswith(f"{server.url}/bc/v2.0/")
    assert len(client.get(page["@odata.nextLink"]).json()["value"]) == 1


def test_a_lost_answer_cuts_the_connection_after_the_write(
    client: httpx2.Client, store: Store
) -> None:
    Faults.of(store).add({"drop_after_write": True})

    with pytest.raises(httpx2.RemoteProtocolError):
        client.post("customers", json={"displayName": "A"})

    assert len(client.get("customers").json()["value"]) == 2


def test_latency_delays_an_answer(client: httpx2.Client, store: Store) -> None:
    Faults.of(store).add({"latency_ms": 300})

    with pytest.raises(httpx2.ReadTimeout):
        client.get("customers", timeout=0.1)

    assert client.get("customers").elapsed.total_seconds() >= 0.3


def test_writers_at_the_same_time_lose_nothing(
    client: httpx2.Client, store: Store
) -> None:
    def create(number: int) -> str:
        answer = client.post("customers", json={"displayName": f"{number}"})
        return str(answer.json()["number"])

    with ThreadPoolExecutor(8) as pool:
        numbers = set(pool.map(create, range(40)))

    assert len(numbers) == 40
    assert len(store.table(f"bc:{COMPANY}:customers")) == 41


def test_a_stopped_server_leaves_its_port(store: Store) -> None:
    first = serve(Simulators(store))
    with socket.create_connection(("127.0.0.1", first.port), timeout=10) as wire:
        wire.sendall(b"GET /control/clock HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.recv(65536)
        first.stop()
        assert wire.recv(65536) == b""

    second = serve(Simulators(store), socket.create_server(("127.0.0.1", first.port)))
    second.stop()


def test_the_addresses_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = write_addresses(tmp_path, {"tenant": "one"})
    write_addresses(tmp_path, {"tenant": "two"})

    assert json.loads(path.read_text()) == {"tenant": "two"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["simulators.json"]
