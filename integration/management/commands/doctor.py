"""``manage.py doctor``: is it well, and if not, what to do."""

import sys
from collections.abc import Iterable
from typing import Any

from integration.choices import CheckState
from integration.core.texts import on_one_line
from integration.management.answering import AnsweringCommand
from integration.management.words import as_json
from integration.services.connections import CheckResult
from integration.services.doctor import OwnLine, Report, examine_everything
from integration.views.check import ShownRow, examined

TO_ACT = {CheckState.FAIL, CheckState.WARN}
MARKS = {"ok": "ok  ", "warn": "note", "fail": "FAIL", "unchecked": "–   "}


class Command(AnsweringCommand):
    help = (
        "Check this installation and both systems of every connection; what an earlier "
        "failure paused goes on when it is well again. Exit 1 if something is wrong."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        report = examine_everything()
        told = [_told(result) for result in report.connections]
        if options["json"]:
            self.stdout.write(as_json(_as_value(report, told)))
        else:
            self._tell(report, told)
        sys.exit(0 if report.passed else 1)

    def _tell(self, report: Report, told: list[dict[str, Any]]) -> None:
        self.stdout.write("Sync Errors")
        self._tell_lines(map(_own, report.own))
        for one in told:
            state = "" if one["enabled"] else " (not enabled)"
            self.stdout.write(f"{one['name']}{state}")
            self._tell_lines(one["lines"])
            if one["paused"]:
                self.stdout.write("  note It is paused: nothing would pass.")
            if one["resumed"]:
                self.stdout.write("  note It was paused and goes on now.")

    def _tell_lines(self, lines: Iterable[dict[str, Any]]) -> None:
        for line in lines:
            title = f"{line['title']}: " if line.get("title") else ""
            said = on_one_line(f"{title}{line['sentence']}")
            self.stdout.write(f"  {MARKS[line['state']]} {said}")
            advice = [*line["to_do"], line.get("page", "")]
            for step in filter(None, advice if line["state"] in TO_ACT else ()):
                self.stdout.write(f"       {on_one_line(step)}")


def _told(result: CheckResult) -> dict[str, Any]:
    connection = result.connection
    return {
        "name": connection.name,
        "enabled": connection.enabled,
        "passed": result.passed,
        "paused": connection.paused_at is not None,
        "resumed": result.resumed,
        "lines": [_row(one) for one in examined(connection, result.lines).rows],
    }


def _row(shown: ShownRow) -> dict[str, Any]:
    row = shown.row
    wrong = next(iter(row.worst), None)
    return {
        "step": row.step,
        "title": row.step.label,
        "state": row.state,
        "sentence": " ".join(line.sentence for line in row.worst) or row.state.label,
        "article": wrong.article if wrong else "",
        "to_do": list(row.to_do),
        "page": shown.page,
        "open_errors": sum(n for _link, n in shown.errors),
    }


def _own(line: OwnLine) -> dict[str, Any]:
    return {
        "step": line.step,
        "state": line.state,
        "sentence": line.sentence,
        "article": "",
        "to_do": list(line.to_do),
    }


def _as_value(report: Report, told: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "installation": [_own(line) for line in report.own],
        "connections": told,
    }
