"""What the commands share that answer and end."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from integration.management.log_aside import log_aside
from integration.management.words import bad_days_in_words


class AnsweringCommand(BaseCommand):
    """Its answer on standard output, sentences for people beside it, the log apart."""

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        # "--dat" would be taken for --data here and by nobody before.
        return super().create_parser(
            prog_name, subcommand, **{"allow_abbrev": False, **kwargs}
        )

    def add_arguments(self, parser: CommandParser) -> None:
        # manage.py reads it, before the settings do.
        parser.add_argument("--data", metavar="DIR", help="the data directory")
        parser.add_argument("--json", action="store_true")

    def execute(self, *args: Any, **options: Any) -> str | None:
        with log_aside(settings.DATA_DIR, options["verbosity"]), bad_days_in_words():
            return super().execute(*args, **options)
