"""What ``quickstart`` and ``serve`` share as commands."""

import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.management.base import CommandParser

from integration.management.command import OurCommand
from integration.management.machine import unsuited
from integration.management.ports import port_number
from integration.management.words import COULD_NOT_RUN, as_json, told

if TYPE_CHECKING:
    from integration.management.start import Say, Start


class StartCommand(OurCommand):
    """Starts everything, stays, and leaves with one sentence and an exit code."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=port_number, default=8000, help="0: any free one"
        )
        parser.add_argument("--data", metavar="DIR", help="the data directory")

    def handle(self, *args: Any, **options: Any) -> None:
        problem = unsuited()
        if problem:
            self._leave(problem, COULD_NOT_RUN)
        # Only now: the rest needs the locks and process groups of a POSIX system.
        from integration.management.launch import launch

        logging.getLogger().setLevel(logging.WARNING)
        is_json = options.get("json", False)
        start = self.start(options, self._say_aside if is_json else self._say)
        outcome = launch(start)
        if outcome.problem:
            self._leave(outcome.problem, outcome.exit_code)
        if outcome.summary:
            value = asdict(outcome.summary)
            self._say(as_json(value) if is_json else told(value))
        sys.exit(outcome.exit_code)

    def start(self, options: dict[str, Any], say: "Say") -> "Start":
        """What these options start."""
        raise NotImplementedError

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _say_aside(self, line: str) -> None:
        """Where the output is JSON, everything else goes beside it."""
        self.stderr.write(line)

    def _leave(self, sentence: str, code: int) -> NoReturn:
        self.stderr.write(sentence)
        sys.exit(code)
