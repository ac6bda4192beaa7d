"""The embedded Valkey."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from kombu import Connection

from integration.management.broker import Broker, BrokerFailed, ping
from integration.management.children import Children

pytestmark = pytest.mark.embedded
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    (tmp_path / "logs").mkdir()
    found = Children(ROOT, tmp_path / "logs", lambda line: None, nullcontext)
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


def test_a_socket_nobody_listens_on_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "dead.sock").touch()

    assert not ping(tmp_path / "dead.sock")
    assert not ping(tmp_path / "none.sock")


def test_a_binary_that_cannot_start_is_said(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.management.broker.START_SECONDS", 0.5)
    monkeypatch.setattr(
        "integration.management.broker._binary", lambda: Path("/bin/false")
    )

    with pytest.raises(BrokerFailed, match="did not start"):
        Broker(tmp_path, tmp_path / "broker.url").start(children)
