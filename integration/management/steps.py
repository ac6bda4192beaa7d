"""One line per step with its seconds; a step that fails is named."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from integration import clock


class StepFailed(Exception):  # noqa: N818  (a sentence for a person)
    """This step did not succeed; nothing after it was tried.

    ``is_start`` says that nothing had been synchronized yet: the input was wrong.
    """

    def __init__(self, step: str, reason: str, *, is_start: bool = False) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.is_start = is_start


class Step:
    """``result`` is what its line says besides its name."""

    def __init__(self) -> None:
        self.result = ""


class Steps:
    """Writes the lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time the block. What it raises is its own; a line is written only if not."""
        step = Step()
        started = clock.monotonic()
        yield step
        seconds = clock.monotonic() - started
        self._say(f"{name:<20} {seconds:6.1f} s  {step.result}".rstrip())
