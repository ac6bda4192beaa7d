"""``manage.py sync``: one run in the foreground, with or without workers."""

import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from integration.choices import Direction as DirectionChoice
from integration.core.records import Direction
from integration.core.texts import on_one_line
from integration.management.answering import AnsweringCommand
from integration.management.words import (
    COULD_NOT_RUN,
    as_json,
    could_not_run,
    counts_line,
    this_process,
)
from integration.models import Job, TableMapping
from integration.services.foreground import RunReport, rehearse_now, run_now, runnable
from integration.services.may_run import why_not
from integration.services.selection import chosen_mappings

DIRECTIONS = {
    "to-sales": Direction.TO_SALES,
    "to-bc": Direction.TO_BUSINESS_CENTRAL,
}
SOME_FAILED = 1


class Command(AnsweringCommand):
    help = (
        "Synchronize now, in this process, and print what happened. Exit 1 if a record "
        "failed, 2 if a run was not possible."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mappings", nargs="*", metavar="MAPPING")
        parser.add_argument("--connection", metavar="NAME")
        parser.add_argument("--direction", choices=DIRECTIONS)
        parser.add_argument("--full", action="store_true", help="read everything again")
        parser.add_argument(
            "--dry-run", action="store_true", help="plan, write nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        reports = [self._run(mapping, options) for mapping in self._chosen(options)]
        if options["json"]:
            self.stdout.write(as_json({"runs": [_as_value(one) for one in reports]}))
        sys.exit(_exit_code(reports))

    def _chosen(self, options: dict[str, Any]) -> list[TableMapping]:
        """Named ones as they are, to hear why one cannot run; else all that may run."""
        names, connection = options["mappings"], options["connection"]
        found = known = chosen_mappings(names, connection)
        if not names and connection is None:
            found = [one for one in runnable(found) if one.reviewed_at]
        if not found:
            raise could_not_run(_nothing_to_do(known))
        return _travelling(found, options["direction"])

    def _run(self, mapping: TableMapping, options: dict[str, Any]) -> RunReport:
        chosen = options["direction"]
        directions = {DIRECTIONS[chosen]} if chosen else None
        if options["dry_run"]:
            report = rehearse_now(mapping, full=options["full"], directions=directions)
        else:
            report = run_now(
                mapping,
                this_process("sync"),
                full=options["full"],
                directions=directions,
                waiting=self._say_waiting,
            )
        self._tell(report, is_json=options["json"])
        return report

    def _say_waiting(self, job: Job) -> None:
        self.stderr.write(
            f"{job.mapping}: {job.worker or 'a worker'} is at it now; waiting."
        )

    def _tell(self, report: RunReport, *, is_json: bool) -> None:
        name = f"{report.mapping.connection} – {report.mapping}"
        if report.problem:
            self.stderr.write(f"{name}: {on_one_line(report.problem)}")
        elif not is_json:
            for direction, counts in report.counts().items():
                way = direction.replace("_", " ")
                self.stdout.write(f"{name} {way}: {counts_line(counts)}")


def _travelling(found: list[TableMapping], chosen: str | None) -> list[TableMapping]:
    """Without those that carry nothing in the chosen direction."""
    if chosen is None:
        return found
    ways = {DirectionChoice.BOTH, DIRECTIONS[chosen].value}
    left = [mapping for mapping in found if mapping.direction in ways]
    if not left:
        names = ", ".join(dict.fromkeys(mapping.name for mapping in found))
        raise could_not_run(f"Nothing of {names} goes in the direction {chosen}.")
    return left


def _as_value(report: RunReport) -> dict[str, Any]:
    return {
        "connection": report.mapping.connection.name,
        "mapping": report.mapping.name,
        "problem": report.problem,
        "directions": report.counts(),
    }


def _exit_code(reports: list[RunReport]) -> int:
    if any(report.problem for report in reports):
        return COULD_NOT_RUN
    return SOME_FAILED if any(report.failed for report in reports) else 0


def _nothing_to_do(known: Sequence[TableMapping]) -> str:
    """Why none of the mappings there are may run, each reason once."""
    refusals = [why_not(mapping) for mapping in known]
    reasons = dict.fromkeys(told.english for told in refusals if told)
    if not reasons:
        return "There is nothing to synchronize: there is no mapping yet."
    sentences = (f"{on_one_line(reason).rstrip('.')}." for reason in reasons)
    return " ".join(["There is nothing to synchronize.", *sentences])
