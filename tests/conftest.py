"""What every test can ask for."""

import gc
import io
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection

from integration.management.broker import Broker
from integration.management.children import Children
from integration.services.error_counts import believed_for
from tests.running import Systems, running_systems

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = ("_kombu.binding.celery", "_kombu.binding_permanent.celery")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what is about the other database or the other broker."""
    others = {"sqlite", "postgresql"} - {connection.vendor}
    if settings.REDIS_URL:
        others.add("embedded")
    left_out = [
        item for item in items if others & {m.name for m in item.iter_markers()}
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def uncounted() -> None:
    """Rows and clocks of one test may look like those of another."""
    believed_for.cache_clear()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What stays to the end is not looked through again and again for what may go."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture
def demo_systems() -> Iterator[Systems]:
    """Both systems on a port, with the demonstration's companies."""
    with running_systems() as systems:
        yield systems


@pytest.fixture
def systems() -> Iterator[Systems]:
    """Both systems on a port: one company, eight customers, nothing planted."""
    with running_systems(records=8) as systems:
        yield systems


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Redis of REDIS_URL, else an embedded Valkey for this process's tests."""
    if settings.REDIS_URL:
        yield settings.REDIS_URL
        return
    folder = tmp_path_factory.mktemp("broker")
    (folder / "logs").mkdir()
    children = Children(ROOT, folder / "logs", lambda line: None, nullcontext)
    broker = Broker(folder, folder / "broker.url")
    broker.start(children)
    yield (folder / "broker.url").read_text()
    broker.stop(children, 5)
    children.close()


@pytest.fixture
def broker(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A broker that answers, with queues of the test's own."""
    before = current_app.conf.broker_url
    options = dict(current_app.conf.broker_transport_options)
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)
    current_app.conf.update(
        broker_url=broker_url,
        broker_transport_options=options | {"global_keyprefix": f"{uuid4()}:"},
    )
    yield
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.client.delete("celery", *BINDINGS)
    current_app.conf.update(broker_url=before, broker_transport_options=options)


@pytest.fixture
def shown() -> Iterator[io.StringIO]:
    """What the log's handler of the settings writes on standard error."""
    (handler,) = [
        one
        for one in logging.getLogger().handlers
        if isinstance(one, logging.StreamHandler) and one.get_name() == "stderr"
    ]
    before, handler.stream = handler.stream, io.StringIO()
    yield handler.stream
    handler.stream = before
