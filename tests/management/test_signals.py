"""Ctrl-C and SIGTERM, and when they wait."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from integration.management.signals import CAUGHT, Signals
from tests.journeys.outside import REPOSITORY, environment


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in CAUGHT}
    found = Signals()
    found.install()
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", CAUGHT)
def test_each_of_them_interrupts(signals: Signals, number: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_a_held_block_ends_before_it_is_interrupted(signals: Signals) -> None:
    done = []

    def whole_block() -> None:
        with signals.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("whole block")

    with pytest.raises(KeyboardInterrupt):
        whole_block()
    assert done == ["whole block"]


def test_a_second_signal_does_not_cut_the_ending_short(signals: Signals) -> None:
    signals.ignore()

    os.kill(os.getpid(), signal.SIGTERM)


def test_one_that_was_swallowed_still_ends_the_waiting(signals: Signals) -> None:
    with suppress(KeyboardInterrupt):  # as the interpreter does in a finalizer
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        signals.wait()


def test_the_echo_of_one_does_not_interrupt_the_ending_it_began(
    signals: Signals,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)

    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        ("raise KeyboardInterrupt", 130, ""),
        ("raise ModuleNotFoundError(name='django')", 2, "Put “uv run” before"),
    ],
)
def test_what_ends_it_while_django_is_still_being_read_is_no_traceback(
    tmp_path: Path, found: str, code: int, said: str
) -> None:
    (tmp_path / "django.py").write_text(found)

    done = subprocess.run(  # our own command
        [sys.executable, "manage.py", "check"],
        cwd=REPOSITORY,
        env=environment(tmp_path) | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == bool(said)


EARLY = """
import sys

class Person:
    def find_spec(self, *_):
        raise KeyboardInterrupt

sys.meta_path.insert(2, Person())
exec(open("manage.py").read(), {"__name__": "__main__"})
"""
"""Ctrl-C at the first module that has to be read from a file."""


def test_ctrl_c_at_the_very_beginning_is_quiet(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-c", EARLY, "check"],
        cwd=REPOSITORY,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (130, "")


def test_a_reader_that_has_gone_is_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(  # our own command
        [sys.executable, "manage.py", "help"],
        cwd=REPOSITORY,
        env=environment(tmp_path),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")
