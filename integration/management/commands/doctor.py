"""``manage.py doctor``: is it well, and if not, what to do."""

import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from integration.management.words import as_json, bad_days_in_words
from integration.services.check_lines import CheckLine
from integration.services.doctor import Report, examine_everything

MARKS = {"ok": "ok  ", "warn": "note", "fail": "FAIL"}


class Command(BaseCommand):
    help = (
        "Check this installation and both systems of every connection; what an earlier "
        "failure paused goes on when it is well again. Exit 1 if something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with bad_days_in_words():
            report = examine_everything()
        if options["json"]:
            self.stdout.write(as_json(_as_value(report)))
        else:
            self._tell(report)
        sys.exit(0 if report.passed else 1)

    def _tell(self, report: Report) -> None:
        self.stdout.write("Sync Errors")
        self._tell_lines(report.own)
        for result in report.connections:
            state = "" if result.connection.enabled else " (not enabled)"
            self.stdout.write(f"{result.connection}{state}")
            self._tell_lines(result.lines)
            if result.paused:
                self.stdout.write("  note It is paused now: nothing would pass.")
            if result.resumed:
                self.stdout.write("  note It was paused and goes on now.")

    def _tell_lines(self, lines: Iterable[CheckLine]) -> None:
        for line in lines:
            advice = f" {' '.join(line.to_do)}" if line.to_do else ""
            self.stdout.write(
                f"  {MARKS[line.state]} {_stopped(line.sentence)}{advice}"
            )


def _stopped(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _as_value(report: Report) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "installation": [_line(line) for line in report.own],
        "connections": [
            {
                "name": result.connection.name,
                "enabled": result.connection.enabled,
                "passed": result.passed,
                "paused": result.connection.paused_at is not None,
                "resumed": result.resumed,
                "lines": [_line(line) for line in result.lines],
            }
            for result in report.connections
        ],
    }


def _line(line: CheckLine) -> dict[str, Any]:
    return {
        "step": line.step,
        "state": line.state,
        "sentence": line.sentence,
        "article": line.article,
        "to_do": list(line.to_do),
    }
