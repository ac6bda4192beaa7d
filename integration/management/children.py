"""The processes of one supervisor: started, watched, restarted, ended together.

Each child leads a session and process group of its own, so Ctrl-C reaches only the
supervisor and ending the group ends grandchildren too.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from integration import clock
from integration.management.log_aside import rotate, rotate_open

Held = Callable[[], AbstractContextManager[None]]
"""Holds signals back for a block."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
STEADY_SECONDS = 60.0
SOCKET_SECONDS = 15.0


@dataclass(slots=True)
class Child:
    """How to start one process, and the one running now.

    ``environment`` is added to our own. ``inherits`` are file descriptors it gets,
    ``folder`` is made before each start if somebody has removed it. Without its
    ``socket`` nobody reaches it any more: it is ended, and started again. One that is
    not ``is_kept`` is on trial: whoever started it tells why it ended.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    inherits: Sequence[int] = ()
    folder: Path | None = None
    socket: Path | None = None
    is_kept: bool = True
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    wait_seconds: float = FIRST_WAIT_SECONDS
    due_at: float | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def is_cut_off(self) -> bool:
        """Who cleans temporary files takes sockets, too. It has had time to make it."""
        age = clock.monotonic() - self.started_at
        gone = self.socket is not None and not self.socket.exists()
        return gone and age > SOCKET_SECONDS


class Children:
    """Starts children and keeps them alive until ``stop``."""

    def __init__(
        self, root: Path, logs: Path, say: Callable[[str], None], held: Held
    ) -> None:
        self._root = root
        self._held = held
        self._logs = logs
        self._say = say
        self._children: dict[str, Child] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._undertaker = subprocess.Popen(
            [sys.executable, "-m", "integration.management.undertaker"],
            stdin=subprocess.PIPE,
            cwd=root,
            start_new_session=True,
        )
        self._watch = threading.Thread(target=self._keep_alive, daemon=True)
        self._watch.start()

    def start(self, child: Child) -> None:
        """Start it now and keep it running from here on."""
        # A signal between the start and its note would leave a process to nobody.
        with self._held(), self._lock:
            self._children[child.name] = child
            self._launch(child)

    def get(self, name: str) -> Child:
        return self._children[name]

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Beside its log: the process, which leads its group, while it runs."""
        return self._logs / f"{name}.pid"

    def last_words(self, name: str) -> str:
        """The last line a child has logged, for a sentence about why it ended."""
        try:
            text = self.log_of(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def remove_afterwards(self, folder: Path) -> None:
        """Have a folder removed when we are gone, even if we are killed."""
        self._note(str(folder))

    def stop(self, *names: str, patience_seconds: float) -> None:
        """End these children and their offspring; returns when they are gone."""
        with self._lock:
            found = [self._children.pop(n) for n in names if n in self._children]
        for child in found:
            self._signal(child, signal.SIGTERM)
        deadline = clock.monotonic() + patience_seconds
        for child in found:
            self._end(child, deadline)

    def close(self) -> None:
        """Stop watching and let the undertaker go; children must be stopped before."""
        self._stopping.set()
        self._watch.join()
        if self._undertaker.stdin:
            with suppress(OSError):
                self._undertaker.stdin.close()
        self._undertaker.wait()

    def _launch(self, child: Child) -> None:
        log = self.log_of(child.name)
        rotate(log)
        if child.folder:
            child.folder.mkdir(mode=0o700, exist_ok=True)
        if child.socket:
            _make_private(child.socket.parent)
        added = [f"{name}={value}" for name, value in child.environment.items()]
        with log.open("ab") as output:
            child.process = subprocess.Popen(  # noqa: S603  (our own commands)
                ["/usr/bin/env", *added, *child.command],
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(child.inherits),
                start_new_session=True,
            )
        self._note(f"+{child.process.pid}")
        with suppress(OSError):  # It runs, also when the disk is full.
            self.pid_file(child.name).write_text(f"{child.process.pid}\n")
        child.started_at = clock.monotonic()
        child.due_at = None

    def _keep_alive(self) -> None:
        while not self._stopping.wait(0.3):
            with self._lock:
                for child in self._children.values():
                    # A full disk takes neither a log nor our words; the next look does.
                    with suppress(OSError):
                        self._restart_if_ended(child)
                        rotate_open(self.log_of(child.name))

    def _restart_if_ended(self, child: Child) -> None:
        if child.is_cut_off:
            self._signal(child, signal.SIGTERM)
        if child.is_running or child.process is None or not child.is_kept:
            return
        now = clock.monotonic()
        if child.due_at is None:
            self._has_ended(child.name, child.process)
            if now - child.started_at > STEADY_SECONDS:
                child.wait_seconds = FIRST_WAIT_SECONDS
            wait = child.wait_seconds
            child.due_at = now + wait
            child.wait_seconds = min(wait * 2, LONGEST_WAIT_SECONDS)
            self._say(
                f"{child.name} ended; it is started again in {wait:.0f} s "
                f"({self.log_of(child.name)})"
            )
        elif now >= child.due_at:
            self._launch(child)

    def _end(self, child: Child, deadline: float) -> None:
        process = child.process
        if process is None:
            return
        while process.poll() is None and clock.monotonic() < deadline:
            clock.sleep(0.05)
        # What the leader left of its group must not stay either.
        self._signal(child, signal.SIGKILL)
        process.wait()
        self._has_ended(child.name, process)

    def _has_ended(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        self.pid_file(name).unlink(missing_ok=True)
        self._note(f"-{process.pid}")

    def _signal(self, child: Child, number: int) -> None:
        if child.process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, number)

    def _note(self, line: str) -> None:
        pipe = self._undertaker.stdin
        if pipe:
            with suppress(OSError):
                pipe.write(f"{line}\n".encode())
                pipe.flush()


def _make_private(folder: Path) -> None:
    """Raises ``OSError`` where somebody else has made one of this name meanwhile."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is somebody else's")
