"""The embedded Valkey."""

import errno
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from kombu import Connection

from integration import clock
from integration.management.broker import Broker, BrokerFailed, ping, reach
from integration.management.children import Children

pytestmark = pytest.mark.embedded
ROOT = Path(__file__).resolve().parents[2]


def running(logs: Path) -> Children:
    return Children(ROOT, logs, lambda line: None, nullcontext)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = clock.monotonic() + 30
    while not condition():
        assert clock.monotonic() < deadline, "waited in vain"
        clock.sleep(0.05)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    (tmp_path / "logs").mkdir()
    found = running(tmp_path / "logs")
    yield found
    found.stop("broker", patience_seconds=5)
    found.close()


def test_it_listens_on_a_socket_celery_can_use_and_keeps_messages(
    children: Children, tmp_path: Path
) -> None:
    url_file = tmp_path / "broker.url"
    broker = Broker(tmp_path, url_file)

    broker.start(children)
    with Connection(url_file.read_text()) as connection:
        queue = connection.SimpleQueue("kept")
        queue.put({"run": "1"})
        queue.close()
    broker.stop(children, 5)
    again = Broker(tmp_path, url_file)
    again.start(children)

    with Connection(url_file.read_text()) as connection:
        queue = connection.SimpleQueue("kept")
        assert queue.get(timeout=5).payload == {"run": "1"}
        queue.close()


def test_a_live_one_is_attached_to_and_ended_too(
    children: Children, tmp_path: Path
) -> None:
    url_file = tmp_path / "broker.url"
    Broker(tmp_path, url_file).start(children)
    first = children.get("broker").process
    second = Broker(tmp_path, url_file)

    second.start(children)
    assert children.get("broker").process is first
    children.stop("broker", patience_seconds=5)
    second.stop(children, 5)

    assert first
    assert first.poll() is not None


def test_that_of_the_original_is_not_attached_to_by_a_copy(
    children: Children, tmp_path: Path
) -> None:
    Broker(tmp_path, tmp_path / "broker.url").start(children)
    shutil.copytree(tmp_path, tmp_path / "copy")
    url_file = tmp_path / "copy" / "broker.url"
    others = running(tmp_path / "copy" / "logs")

    copy = Broker(tmp_path / "copy", url_file)
    copy.start(others)
    url = url_file.read_text()
    copy.stop(others, 5)
    others.close()

    assert url != (tmp_path / "broker.url").read_text()
    assert children.get("broker").is_running


def test_one_whose_data_was_deleted_starts_again_empty(
    children: Children, tmp_path: Path
) -> None:
    broker = Broker(tmp_path, tmp_path / "broker.url")
    broker.start(children)
    first = children.get("broker").process
    assert first

    shutil.rmtree(tmp_path / "broker")
    first.kill()
    socket = Path(urlsplit((tmp_path / "broker.url").read_text()).path)

    wait_until(lambda: children.get("broker").process is not first and ping(socket))
    assert (tmp_path / "broker").is_dir()


def test_one_whose_socket_was_removed_is_started_again_in_its_place(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As whatever cleans temporary files does it, with the folder."""
    monkeypatch.setattr("integration.management.children.SOCKET_SECONDS", 1.0)
    Broker(tmp_path, tmp_path / "broker.url").start(children)
    socket = Path(urlsplit((tmp_path / "broker.url").read_text()).path)

    shutil.rmtree(socket.parent)

    wait_until(lambda: ping(socket))
    assert socket.parent.stat().st_mode & 0o777 == 0o700


def test_where_there_is_no_place_for_its_socket_it_is_said(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("integration.management.broker.tempfile.mkdtemp", full)

    with pytest.raises(BrokerFailed, match=r"in /tmp \(No space left on device\)"):
        Broker(tmp_path, tmp_path / "broker.url").start(children)


def test_a_socket_nobody_listens_on_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "dead.sock").touch()

    assert not ping(tmp_path / "dead.sock")
    assert not ping(tmp_path / "none.sock")


def test_one_elsewhere_that_is_silent_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes the connection, and says nothing."""
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setitem(options, "socket_timeout", options["socket_timeout"] / 50)

    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(BrokerFailed, match="does not answer"),
    ):
        reach(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")


def test_a_binary_that_cannot_start_is_said(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.management.broker.START_SECONDS", 0.5)
    monkeypatch.setattr(
        "integration.management.broker._binary", lambda: Path("/bin/false")
    )

    with pytest.raises(BrokerFailed, match="did not start"):
        Broker(tmp_path, tmp_path / "broker.url").start(children)
