"""What all our commands share."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class OurCommand(BaseCommand):
    """Takes options as they are called: ``--dat`` would be --data here only.

    manage.py has read that before, for the settings, and knows no abbreviation.
    """

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        exact = {"allow_abbrev": False, **kwargs}
        return super().create_parser(prog_name, subcommand, **exact)
