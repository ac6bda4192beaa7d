"""``manage.py review``: what a first contact would do, and its acceptance."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from integration.choices import EntryKind, JobKind
from integration.core.texts import on_one_line
from integration.management.answering import AnsweringCommand
from integration.management.words import (
    COULD_NOT_RUN,
    as_json,
    this_process,
)
from integration.models import Job, JobEntry, TableMapping
from integration.services.actors import COMMAND_LINE
from integration.services.foreground import RunReport, run_now
from integration.services.review import accept
from integration.services.selection import chosen_mappings


class Command(AnsweringCommand):
    help = (
        "Compare both sides and show what a first synchronization would do; --accept "
        "lets it begin. Without a name: the mappings that are not accepted yet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mappings", nargs="*", metavar="MAPPING")
        parser.add_argument("--connection", metavar="NAME")
        parser.add_argument("--accept", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        reports = [self._review(mapping, options) for mapping in self._chosen(options)]
        if options["json"]:
            self.stdout.write(as_json({"reviews": [_as_value(one) for one in reports]}))
        sys.exit(COULD_NOT_RUN if any(one.problem for one in reports) else 0)

    def _chosen(self, options: dict[str, Any]) -> list[TableMapping]:
        found = chosen_mappings(options["mappings"], options["connection"])
        if not options["mappings"]:
            found = [
                one
                for one in found
                if one.reviewed_at is None and one.connection.enabled
            ]
        if not found:
            self.stderr.write("Every mapping has been accepted already.")
        return found

    def _review(self, mapping: TableMapping, options: dict[str, Any]) -> RunReport:
        name = f"{mapping.connection} – {mapping}"
        report = run_now(mapping, this_process("review"), kind=JobKind.REVIEW)
        if report.problem:
            self.stderr.write(f"{name}: {report.problem}")
            return report
        if not options["json"]:
            self._tell(name, report)
        if options["accept"]:
            accept(mapping, COMMAND_LINE)
            if not options["json"]:
                self.stdout.write(f"{name}: accepted; the next run begins to write.")
        return report

    def _tell(self, name: str, report: RunReport) -> None:
        plan = ", ".join(
            f"{words.replace('_', ' ')} {number:,}"
            for words, number in _plan_of(report).items()
        )
        self.stdout.write(f"{name}: {plan}")
        for entry in _ambiguous(report):
            label = on_one_line(entry.label)
            self.stdout.write(f"  ambiguous: {label} {entry.message}")


def _plan_of(report: RunReport) -> dict[str, int]:
    return next((job.plan for job in report.jobs if job.plan), {})


def _ambiguous(report: RunReport) -> list[JobEntry]:
    jobs: tuple[Job, ...] = report.jobs
    return list(JobEntry.objects.filter(job__in=jobs, kind=EntryKind.AMBIGUOUS))


def _as_value(report: RunReport) -> dict[str, Any]:
    return {
        "connection": report.mapping.connection.name,
        "mapping": report.mapping.name,
        "problem": report.problem,
        "plan": _plan_of(report),
        "ambiguous": [
            {"label": entry.label, "detail": entry.detail}
            for entry in _ambiguous(report)
        ],
    }
