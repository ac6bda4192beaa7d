"""``manage.py quickstart``: from nothing to a working page, on one machine.

``--check`` proves it instead of staying: it waits until a worker has run, opens the
pages, prints a summary and ends everything again.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandParser

from integration.management.ports import port_number, record_count
from integration.management.start_command import StartCommand

if TYPE_CHECKING:
    from integration.management.start import Say, Start


class Command(StartCommand):
    help = "Everything on one machine, with simulated systems; Ctrl-C ends it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--sim-port", type=port_number, default=8100)
        parser.add_argument("--bc-data", metavar="DIR", help="a folder of BC API JSON")
        parser.add_argument(
            "--records", type=record_count, metavar="N", help="customers"
        )
        parser.add_argument("--no-accept", action="store_true")
        parser.add_argument("--check", action="store_true", help="prove it and end")
        parser.add_argument("--json", action="store_true", help="with --check")

    def start(self, options: dict[str, Any], say: "Say") -> "Start":
        from integration.management.quickstart import Quickstart, QuickstartOptions

        folder = options["bc_data"]
        chosen = QuickstartOptions(
            port=options["port"],
            is_check=options["check"],
            sim_port=options["sim_port"],
            bc_data=str(Path(folder).absolute()) if folder else "",
            records=options["records"],
            accept=not options["no_accept"],
        )
        return Quickstart(chosen, say)
