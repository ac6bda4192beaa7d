"""``manage.py cleanup``: the two clean-up actions of the error list."""

from typing import Any

from django.core.management.base import CommandParser

from integration.core.texts import read_number
from integration.management.answering import AnsweringCommand
from integration.management.person import at_the_command_line
from integration.management.words import as_json, could_not_run
from integration.services.actors import Refused
from integration.services.cleanup import NoneLeft, delete
from integration.services.cleanup_preview import CleanupRequest, Preview, preview

_MOST_DAYS = 36_500


class Command(AnsweringCommand):
    help = (
        "Delete finished entries of the error list; undo takes it back for 30 days. "
        "Nothing is deleted in Business Central or Sales."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--older-than", metavar="DAYS", help="last seen before that")
        which.add_argument("--all", action="store_true", help="whenever last seen")
        parser.add_argument(
            "--include-relevant",
            action="store_true",
            help="the entries still relevant as well",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        days = None if options["all"] else _days(options["older_than"])
        value = _clean_up(
            CleanupRequest(days),
            include_relevant=options["include_relevant"],
            dry_run=options["dry_run"],
        )
        self.stdout.write(as_json(value) if options["json"] else _told(value))


def _days(text: str) -> int:
    days = read_number(text, _MOST_DAYS)
    if days:
        return days
    raise could_not_run(
        f"“{text}” is no number of days; give a whole number from 1 on."
    )


def _clean_up(
    request: CleanupRequest, *, include_relevant: bool, dry_run: bool
) -> dict[str, Any]:
    by = at_the_command_line()
    shown = preview(request, by)
    value = _counted(shown)
    nothing = {**value, "deleted": 0, "operation": None}
    if dry_run or not (shown.total if include_relevant else shown.settled):
        return nothing
    try:
        operation = delete(
            shown.token,
            request,
            by,
            include_relevant=include_relevant,
            typed=str(shown.relevant),
        )
    except NoneLeft:  # Another one was quicker.
        return nothing
    except Refused as refused:
        raise could_not_run(refused) from refused
    return {
        **value,
        "deleted": operation.rows,
        "operation": operation.pk,
        "undo_until": operation.undo_until,
    }


def _counted(shown: Preview) -> dict[str, Any]:
    return {
        "instant": shown.instant.isoformat(),
        "cutoff": shown.cutoff.isoformat(),
        "finished": dict(shown.reasons),
        "relevant": shown.relevant,
    }


def _told(value: dict[str, Any]) -> str:
    finished = sum(value["finished"].values())
    reasons = ", ".join(
        f"{number:,} {reason.replace('_', ' ')}"
        for reason, number in value["finished"].items()
    )
    lines = [
        f"Last seen at or before {value['cutoff']}: {finished:,} finished ({reasons}), "
        f"{value['relevant']:,} still relevant."
    ]
    if value["operation"] is None:
        lines.append("Nothing was deleted.")
    else:
        lines.append(
            f"{value['deleted']:,} deleted. To take it back: "
            f"manage.py undo {value['operation']}"
        )
    return "\n".join(lines)
