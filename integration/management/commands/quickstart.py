"""``manage.py quickstart``: from nothing to a working page, on one machine.

``--check`` proves it instead of staying: it waits until a worker has run, opens the
pages, prints a summary and ends everything again.
"""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from integration.management.machine import unsuited
from integration.management.ports import port_number, whole_number
from integration.management.words import as_json, told

if TYPE_CHECKING:
    from integration.management.quickstart import Options

COULD_NOT_START = 2


class Command(BaseCommand):
    help = "Everything on one machine, with simulated systems; Ctrl-C ends it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=port_number, default=8000, help="0: any free one"
        )
        parser.add_argument("--sim-port", type=port_number, default=8100)
        parser.add_argument("--data", metavar="DIR", help="the data directory")
        parser.add_argument("--bc-data", metavar="DIR", help="a folder of BC API JSON")
        parser.add_argument(
            "--records", type=whole_number, metavar="N", help="customers"
        )
        parser.add_argument("--no-accept", action="store_true")
        parser.add_argument("--check", action="store_true", help="prove it and end")
        parser.add_argument("--json", action="store_true", help="with --check")

    def handle(self, *args: Any, **options: Any) -> None:
        problem = unsuited()
        if problem:
            self._leave(problem, COULD_NOT_START)
        # Only now: the rest needs the locks and process groups of a POSIX system.
        from integration.management.launch import launch

        logging.getLogger().setLevel(logging.WARNING)
        say = self._say_aside if options["json"] else self._say
        outcome = launch(_options(options), say)
        if outcome.problem:
            self._leave(outcome.problem, outcome.exit_code)
        if outcome.summary:
            value = outcome.summary.as_value()
            self._say(as_json(value) if options["json"] else told(value))
        sys.exit(outcome.exit_code)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _say_aside(self, line: str) -> None:
        """Where the output is JSON, everything else goes beside it."""
        self.stderr.write(line)

    def _leave(self, sentence: str, code: int) -> NoReturn:
        self.stderr.write(sentence)
        sys.exit(code)


def _options(options: dict[str, Any]) -> "Options":
    from integration.management.quickstart import Options

    return Options(
        root=settings.BASE_DIR,
        data=Path(settings.DATA_DIR),
        broker_url=Path(settings.BROKER_URL_FILE),
        port=options["port"],
        sim_port=options["sim_port"],
        bc_data=str(Path(options["bc_data"]).absolute()) if options["bc_data"] else "",
        records=options["records"],
        accept=not options["no_accept"],
        is_check=options["check"],
    )
