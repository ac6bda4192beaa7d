"""Children: kept alive, ended with their offspring, and gone with their parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from integration import clock
from integration.management.children import Child, Children
from integration.management.data_directory import held, kill, prepare
from integration.management.log_aside import LOG_BYTES

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = """
import sys, time
from contextlib import nullcontext
from pathlib import Path
from integration.management.children import Child, Children
children = Children(Path.cwd(), Path(sys.argv[1]), print, nullcontext)
children.start(Child("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"]))
children.remove_afterwards(Path(sys.argv[2]))
print(children.get("sleeper").process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def children(tmp_path: Path, said: list[str]) -> Iterator[Children]:
    prepare(tmp_path)
    found = Children(ROOT, tmp_path / "logs", said.append, nullcontext)
    yield found
    found.stop("one", "two", patience_seconds=5)
    found.close()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert clock.monotonic() < deadline, "waited in vain"
        clock.sleep(0.05)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().split(") ")[1][0] == "Z")


def pid_of(children: Children, name: str = "one") -> int:
    process = children.get(name).process
    assert process
    return process.pid


def test_a_child_gets_its_environment_and_writes_its_log(children: Children) -> None:
    words = "import os; print('hello', os.environ['WHO']); import time; time.sleep(600)"
    children.start(Child("one", [sys.executable, "-uc", words], {"WHO": "Léman"}))

    wait_until(lambda: children.last_words("one") == "hello Léman")


def test_the_log_of_a_child_that_never_ends_begins_anew_once_it_is_large(
    children: Children,
) -> None:
    log = children.log_of("one")
    words = f"import signal; print('x' * {LOG_BYTES + 1}, flush=True); signal.pause()"

    children.start(Child("one", [sys.executable, "-c", words]))

    old = log.with_suffix(".old.log")
    wait_until(lambda: old.exists() and old.stat().st_size > LOG_BYTES)
    wait_until(lambda: log.stat().st_size == 0)
    assert pid_of(children)


def test_a_child_that_dies_is_started_again(
    children: Children, said: list[str]
) -> None:
    children.start(Child("one", SLEEPER))
    first = pid_of(children)

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: pid_of(children) != first and is_there(pid_of(children)))
    assert "one ended; it is started again in 1 s" in said[0]


@pytest.mark.parametrize("is_supervised", [True, False])
def test_a_child_is_killed_by_name_only_while_its_supervisor_lives(
    children: Children, tmp_path: Path, is_supervised: bool
) -> None:
    children.start(Child("one", SLEEPER))
    first = pid_of(children)

    with held(tmp_path) if is_supervised else nullcontext():
        assert kill(tmp_path, "one") is is_supervised
        assert kill(tmp_path, "two") is False

    if is_supervised:
        wait_until(lambda: pid_of(children) != first)
    assert is_there(pid_of(children))


def test_a_child_on_trial_ends_without_a_word_and_is_kept_from_then_on(
    children: Children, said: list[str]
) -> None:
    children.start(Child("one", ["/bin/false"], is_kept=False))
    children.start(Child("two", ["/bin/false"]))

    wait_until(lambda: said)
    assert "two ended" in said[0]
    children.get("one").is_kept = True

    wait_until(lambda: any("one ended" in line for line in said))


def test_each_further_death_waits_longer(children: Children, said: list[str]) -> None:
    children.start(Child("one", ["/bin/false"]))

    wait_until(lambda: len(said) >= 2)

    assert ["again in 1 s" in said[0], "again in 2 s" in said[1]] == [True, True]


def test_a_child_that_cannot_be_started_again_is_as_soon_as_it_can(
    children: Children,
) -> None:
    children.start(Child("one", SLEEPER))
    log = children.log_of("one")
    log.unlink()
    log.mkdir()
    os.kill(pid_of(children), signal.SIGKILL)
    wait_until(lambda: children.get("one").due_at)
    wait_until(lambda: clock.monotonic() > (children.get("one").due_at or 0) + 1)
    assert not children.get("one").is_running

    log.rmdir()

    wait_until(lambda: children.get("one").is_running)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_keeps_no_child_from_starting_once(children: Children) -> None:
    children.pid_file("one").symlink_to("/dev/full")

    children.start(Child("one", SLEEPER))

    assert children.get("one").is_running
    os.kill(pid_of(children), signal.SIGKILL)
    wait_until(lambda: children.pid_file("one").is_file())
    wait_until(lambda: children.pid_file("one").read_text().strip())
    assert int(children.pid_file("one").read_text()) == pid_of(children)


def test_stopping_ends_a_child_that_will_not_and_its_offspring(
    children: Children, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    stubborn = (
        "import signal, subprocess, sys, time; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        f"open({str(note)!r}, 'w').write(str(p.pid)); time.sleep(600)"
    )
    children.start(Child("one", [sys.executable, "-c", stubborn]))
    wait_until(lambda: note.exists() and note.read_text())
    pid = pid_of(children)

    children.stop("one", patience_seconds=0.5)

    assert not is_there(pid)
    wait_until(lambda: not is_there(int(note.read_text())))


def test_killing_the_parent_leaves_no_child_and_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "socket"
    folder.mkdir()
    parent = subprocess.Popen(  # noqa: S603  (our own script)
        [sys.executable, "-c", PARENT, str(tmp_path), str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert is_there(child)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    wait_until(lambda: not is_there(child))
    wait_until(lambda: not folder.exists())
