"""``manage.py serve``: the pages, worker and beat for real systems, on one machine."""

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandParser

from integration.management.start_command import StartCommand

if TYPE_CHECKING:
    from integration.management.start import Say, Start


class Command(StartCommand):
    help = "The pages, a worker and beat on this machine; Ctrl-C ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--host", default="127.0.0.1", help="where to listen")

    def start(self, options: dict[str, Any], say: "Say") -> "Start":
        from integration.management.start import Options, Start

        return Start(Options(options["host"], options["port"]), say)
