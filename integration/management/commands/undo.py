"""``manage.py undo``: take a clean-up back."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from integration.core.texts import read_number
from integration.management.answering import AnsweringCommand
from integration.management.person import at_the_command_line
from integration.management.words import as_json, could_not_run
from integration.models import Operation
from integration.services.actors import Refused
from integration.services.undo import undo
from integration.views.operations import restored_words


class Command(AnsweringCommand):
    help = "Bring back the entries that a clean-up deleted."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("operation", metavar="OPERATION", help="its number")

    def handle(self, *args: Any, **options: Any) -> None:
        operation = _find(options["operation"])
        try:
            operation = undo(operation, at_the_command_line())
        except Refused as refused:
            raise CommandError(str(refused), returncode=1) from refused
        result = {"operation": operation.pk, **operation.result}
        self.stdout.write(as_json(result) if options["json"] else _told(operation))


def _find(text: str) -> Operation:
    number = read_number(text.removeprefix("#")) or 0
    operation = Operation.objects.filter(pk=number).first()
    if operation is None:
        raise could_not_run(
            f"There is no operation “{text}”; the page Operations lists them."
        )
    return operation


def _told(operation: Operation) -> str:
    said = restored_words(operation)
    purged = operation.result.get("purged")
    return f"{said} Removed for good before: {purged:,}." if purged else said
