"""What the commands share that answer and end."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from integration.management.command import OurCommand
from integration.management.log_aside import log_aside
from integration.management.words import bad_days_in_words


class AnsweringCommand(OurCommand):
    """Its answer on standard output, sentences for people beside it, the log apart."""

    def add_arguments(self, parser: CommandParser) -> None:
        # manage.py reads it, before the settings do.
        parser.add_argument("--data", metavar="DIR", help="the data directory")
        parser.add_argument("--json", action="store_true")

    def execute(self, *args: Any, **options: Any) -> str | None:
        with log_aside(settings.DATA_DIR, options["verbosity"]), bad_days_in_words():
            try:
                return super().execute(*args, **options)
            finally:
                # What cannot be written any more is told here, not while Python ends.
                sys.stdout.flush()
