"""One supervisor per data directory: a lock that ends with its holder."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from integration import clock

LOCK = "supervisor.lock"


class DirectoryInUse(Exception):  # noqa: N818  (a sentence for a person)
    """Another supervisor works on this directory."""


class DirectoryUnusable(Exception):  # noqa: N818  (a sentence for a person)
    """Nothing can be written there."""


def prepare(directory: Path) -> None:
    """Make the directory and its folder for logs. Raises ``DirectoryUnusable``."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / "logs").mkdir(mode=0o700, exist_ok=True)
        probe = directory / "logs" / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise DirectoryUnusable(
            f"The data directory {directory} cannot be written ({error.strerror}); "
            f"make it writable, or choose another with --data."
        ) from error


@contextmanager
def held(
    directory: Path, lock: str = LOCK, patience_seconds: float = 0.0
) -> Iterator[None]:
    """Hold a lock of the directory. Raises ``DirectoryInUse`` naming the holder.

    The kernel releases it when this process ends, however it ends.
    """
    descriptor = _open(directory / lock)
    try:
        try:
            _lock(descriptor, patience_seconds)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise DirectoryInUse(
                f"Sync Errors already runs on {directory} (process {holder}); stop it "
                f"first, or choose another directory with --data."
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def kill(directory: Path, name: str) -> bool:
    """End a child of the supervisor at work here at once, with all its group.

    ``False`` when none runs. What a supervisor noted that was killed itself is not
    believed: another process may have its number now.
    """
    try:
        with held(directory):
            return False
    except DirectoryInUse:
        pass
    with suppress(OSError, ValueError):
        os.killpg(int((directory / "logs" / f"{name}.pid").read_text()), signal.SIGKILL)
        return True
    return False


def _lock(descriptor: int, patience_seconds: float) -> None:
    """Raises ``BlockingIOError`` while somebody else has it."""
    deadline = clock.monotonic() + patience_seconds
    while clock.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        clock.sleep(0.05)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _open(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DirectoryUnusable(
            f"The data directory {file.parent} cannot be written ({error.strerror}); "
            f"make it writable, or choose another with --data."
        ) from error
