"""``manage.py undo``: take a clean-up back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.core.texts import read_number
from integration.management.person import at_the_command_line
from integration.management.words import COULD_NOT_RUN, as_json, bad_days_in_words
from integration.models import Operation
from integration.services.actors import Refused
from integration.services.undo import undo


class Command(BaseCommand):
    help = "Bring back the entries that a clean-up deleted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("operation", metavar="OPERATION", help="its number")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with bad_days_in_words():
            operation = _find(options["operation"])
            try:
                operation = undo(operation, at_the_command_line())
            except Refused as refused:
                raise CommandError(str(refused), returncode=1) from refused
        result = {"operation": operation.pk, **operation.result}
        self.stdout.write(as_json(result) if options["json"] else _told(result))


def _find(text: str) -> Operation:
    number = read_number(text.removeprefix("#")) or 0
    operation = Operation.objects.filter(pk=number).first()
    if operation is None:
        raise CommandError(
            f"There is no operation “{text}”; the page Operations lists them.",
            returncode=COULD_NOT_RUN,
        )
    return operation


def _told(result: dict[str, Any]) -> str:
    said = f"{result['restored']:,} entries are back."
    if result.get("changed_since"):
        said += f" {result['changed_since']:,} have changed since and stay as they are."
    if result.get("still_hidden"):
        said += f" {result['still_hidden']:,} stay deleted by another clean-up."
    if result.get("purged"):
        said += f" {result['purged']:,} were removed for good before."
    return said
