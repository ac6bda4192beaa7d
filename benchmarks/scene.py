"""Both systems in processes of their own, and the product on an empty data directory.

Whoever wants a clock in a hurry sets it before: the systems take it over as they start.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import django
import httpx2

from integration import clock

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def systems(records: int) -> Iterator[dict[str, Any]]:
    """One company with so many customers; what ``simulators.json`` would say."""
    # A copy of this process shares its memory, and each page of it that we write to is
    # copied while we are timed; but only a copy has our clock.
    way: Any = multiprocessing.get_context("spawn" if clock.rate() == 1 else "fork")
    ours, theirs = way.Pipe()
    process = way.Process(target=_serve, args=(theirs, records), daemon=True)
    process.start()
    yield ours.recv()
    ours.send("end")
    process.join()


@contextmanager
def product() -> Iterator[None]:
    """Django on a new SQLite database (or DATABASE_URL) with a broker."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["SYNCERRORS_DATA_DIR"] = str(folder)
        os.environ["SYNCERRORS_HTTPS"] = "0"
        os.environ.setdefault("LOG_LEVEL", "ERROR")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncerrors.settings")
        if "REDIS_URL" not in os.environ:
            _start_broker(stack, folder)
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield


def in_step(described: dict[str, Any], name: str = "Benchmark") -> Any:
    """The mapping of customers of a new connection; each has its account."""
    for mapping in accepted(described, name):
        carry_over(mapping)
    return mapping


def accepted(described: dict[str, Any], name: str = "Benchmark") -> Iterator[Any]:
    """The mappings of a new connection, each accepted and about to run for the first
    time; whoever takes the next one has run it."""
    from integration.services.demo import make_connections
    from integration.services.foreground import run_now
    from integration.services.review import accept
    from tests.factories import make_user

    user = make_user()
    described["connections"][0]["name"] = name
    [result] = make_connections(described, user)
    for mapping in result.connection.mappings.in_order():
        run_now(mapping, "benchmark", kind="review")
        accept(mapping, user, "benchmark")
        yield mapping


def carry_over(mapping: Any) -> float:
    """Seconds of a run in this process."""
    from integration.services.foreground import run_now

    start = clock.monotonic()
    report = run_now(mapping, "benchmark")
    assert not report.problem, report.problem
    assert not report.failed
    return clock.monotonic() - start


CUSTOMERS = {"system": "business_central", "entity": "customers", "action": "change"}


def change_all(described: dict[str, Any], **values: str) -> None:
    """Every customer in Business Central."""
    ask(described, "records", {**CUSTOMERS, "where": {}, "values": values})


def ask(described: dict[str, Any], name: str, body: Any = None) -> Any:
    """One of the controls of design §10."""
    method = "GET" if body is None else "POST"
    address = f"{described['control_url']}/{name}"
    return httpx2.request(method, address, json=body, timeout=60).json()


def _serve(pipe: Pipe, records: int) -> None:
    from integration.simulators.app import Simulators
    from integration.simulators.seed import seed_generated, simulators_json
    from integration.simulators.server import serve
    from integration.simulators.store import Store

    store = Store(None)
    seed_generated(store, records, 1)
    server = serve(Simulators(store))
    pipe.send(simulators_json(store, server.url))
    pipe.recv()
    server.stop()


def _start_broker(stack: ExitStack, folder: Path) -> None:
    from integration.management.broker import Broker
    from integration.management.children import Children

    (folder / "logs").mkdir()
    children = Children(ROOT, folder / "logs", lambda line: None, nullcontext)
    broker = Broker(folder, folder / "broker.url")
    broker.start(children)
    stack.callback(children.close)
    stack.callback(broker.stop, children, 5)
