"""How commands speak: one sentence for a bad day, exit codes, JSON."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from integration.services.doctor import cure_of_database, reason_of
from integration.services.selection import UnknownName

COULD_NOT_RUN = 2


def as_json(value: Any) -> str:
    """For scripts: indented, moments in ISO 8601; accents kept where UTF-8 is read."""
    encoding = (sys.stdout.encoding or "").replace("-", "").lower()
    is_plain = encoding != "utf8"
    return json.dumps(value, ensure_ascii=is_plain, indent=2, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def this_process(command: str) -> str:
    """Who runs a job, as the job's page names it."""
    return f"{command} {os.getpid()}"


def counts_line(counts: dict[str, int]) -> str:
    """ "12 inserted, 3 failed"; what is zero is left out."""
    told = [
        f"{number:,} {name.replace('_', ' ')}"
        for name, number in counts.items()
        if number and name != "records_read"
    ]
    read = counts.get("records_read", 0)
    return f"{read:,} read: {', '.join(told)}" if told else f"{read:,} read"


def told(value: Mapping[str, Any]) -> str:
    """A summary as lines: a name and a figure, or a name and its parts below it."""
    lines = []
    for name, part in value.items():
        words = name.replace("_", " ")
        if isinstance(part, Mapping):
            lines += [words, *(f"  {n:>7,}  {title}" for title, n in part.items())]
        elif isinstance(part, list):
            rows = ("  ".join(str(cell) for cell in row.values()) for row in part)
            lines += [words, *(f"  {row}" for row in rows)]
        else:
            lines.append(f"{words}: {part:,}")
    return "\n".join(lines)


@contextmanager
def bad_days_in_words() -> Iterator[None]:
    """No database, or nothing of a typed name, is one sentence, not a traceback."""
    try:
        yield
    except UnknownName as error:
        raise could_not_run(error) from error
    except DatabaseError as error:
        raise could_not_run(unusable_database(error)) from error


def could_not_run(sentence: object) -> CommandError:
    """To be raised: why nothing was done."""
    return CommandError(str(sentence), returncode=COULD_NOT_RUN)


def unusable_database(error: DatabaseError) -> str:
    """Why it cannot be used, and what to do."""
    reason = reason_of(error)
    return f"The database cannot be used ({reason}). {cure_of_database(reason)}"
