"""Everything on one machine: the parts of a start, and how they end (D4, D5)."""

import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from integration import clock
from integration.management.broker import Broker, reach
from integration.management.children import Child, Children, Held
from integration.management.steps import StepFailed

SIMULATORS_SECONDS = 120.0
WEB_SECONDS = 45.0
STOP_SECONDS = 4.0
LAST_SECONDS = 1.5
"""What works for others ends after them; with ours, it stays below ten seconds."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are; without ``redis_url`` there is an embedded broker."""

    root: Path
    data: Path
    broker_url: Path
    redis_url: str


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """What the simulators are filled with; see ``manage.py simulate``."""

    folder: str = ""
    records: int | None = None

    def arguments(self, data: Path) -> list[str]:
        found = ["--data", str(data)]
        if self.folder:
            found += ["--bc-data", self.folder]
        if self.records is not None:
            found += ["--records", str(self.records)]
        return found


class Supervisor:
    """Starts the parts one by one; ``stop`` ends what was started, in any state."""

    def __init__(
        self,
        layout: Layout,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        held: Held,
    ) -> None:
        self._layout = layout
        self._environment = environment
        self._broker: Broker | None = None
        self.children = Children(layout.root, layout.data / "logs", say, held)

    def start_broker(self) -> str:
        """Raises ``BrokerFailed``. What it says of itself."""
        if self._layout.redis_url:
            return reach(self._layout.redis_url)
        self._broker = Broker(self._layout.data, self._layout.broker_url)
        self._broker.start(self.children)
        return "Valkey on a socket of its own"

    @property
    def broker_url(self) -> str:
        """Where the broker is that has been started or reached."""
        return self._layout.redis_url or self._layout.broker_url.read_text("utf-8")

    def start_simulators(
        self, listener: socket.socket, options: SimulatorOptions
    ) -> dict[str, Any]:
        """What they say of themselves. Raises ``StepFailed`` with their sentence."""
        addresses = self._layout.data / "simulators.json"
        with suppress(FileNotFoundError):
            addresses.unlink()
        arguments = ["simulate", "--listener", str(listener.fileno())]
        arguments += options.arguments(self._layout.data)
        child = self._managed("simulators", arguments)
        child.inherits = (listener.fileno(),)
        child.is_kept = False
        self.children.start(child)
        deadline = clock.monotonic() + SIMULATORS_SECONDS
        while clock.monotonic() < deadline:
            found = _read_addresses(addresses)
            if found and _answers(f"{found['control_url']}/clock"):
                child.is_kept = True
                return found
            if not child.is_running:
                break
            clock.sleep(0.05)
        words = self.children.last_words("simulators").removeprefix("CommandError: ")
        reason = words or "they did not start in time"
        raise StepFailed("simulators", reason, is_start=True)

    def start_worker(self) -> None:
        """A Celery worker with two processes."""
        options = ["--concurrency=2", "--loglevel=INFO", "--hostname=syncerrors@%h"]
        options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.children.start(self._celery("worker", ["worker", *options]))

    def start_beat(self) -> None:
        """The clock of the schedule, its own process."""
        self.children.start(self._celery("beat", ["beat", "--loglevel=INFO"]))

    def start_web(self, listener: socket.socket) -> None:
        """gunicorn on a socket that is listening already."""
        options = ["--bind", f"fd://{listener.fileno()}", "--preload"]
        options += ["--workers", "2", "--threads", "4", "--graceful-timeout", "3"]
        # It would lie in the person's home, one for every program that runs there.
        options += ["--no-control-socket"]
        command = [sys.executable, "-m", "gunicorn", "syncerrors.wsgi", *options]
        inherits = (listener.fileno(),)
        self.children.start(Child("web", command, self._environment, inherits))

    def wait_for_web(self, base_url: str) -> None:
        """Until it answers. Raises ``StepFailed``."""
        deadline = clock.monotonic() + WEB_SECONDS
        while not _answers(f"{base_url}/healthz"):
            if clock.monotonic() > deadline:
                words = self.children.last_words("web") or "no answer"
                raise StepFailed("web", words)
            clock.sleep(0.1)

    def stop(self) -> None:
        """Everything; what works for others ends last."""
        children = self.children
        children.stop("web", "beat", "worker", patience_seconds=STOP_SECONDS)
        children.stop("simulators", patience_seconds=LAST_SECONDS)
        if self._broker:
            self._broker.stop(children, LAST_SECONDS)
        children.close()

    def _managed(self, name: str, arguments: Sequence[str]) -> Child:
        manage = str(self._layout.root / "manage.py")
        command = [sys.executable, manage, *arguments]
        return Child(name, command, self._environment)

    def _celery(self, name: str, arguments: Sequence[str]) -> Child:
        command = [sys.executable, "-m", "celery", "-A", "syncerrors", *arguments]
        return Child(name, command, self._environment)


def _read_addresses(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2.0).status_code < 500
    except httpx2.HTTPError:
        return False
