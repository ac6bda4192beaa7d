"""How commands speak."""

import io

import pytest
from django.core.management import CommandError
from django.db import OperationalError

from integration.management.steps import Steps
from integration.management.words import (
    as_json,
    bad_days_in_words,
    counts_line,
    told,
)


def test_counts_leave_out_what_is_zero() -> None:
    counts = {"records_read": 1200, "inserted": 12, "modified": 0, "filtered_out": 3}

    assert counts_line(counts) == "1,200 read: 12 inserted, 3 filtered out"
    assert counts_line({"records_read": 0}) == "0 read"


def test_json_keeps_accents() -> None:
    assert '"Léman"' in as_json({"name": "Léman"})


def test_a_missing_database_is_one_sentence() -> None:
    pattern = r"no such table.*migrate"
    with pytest.raises(CommandError, match=pattern) as refused, bad_days_in_words():
        raise OperationalError("no such table: integration_job\nmore")
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ('relation "integration_job" does not exist', "manage.py migrate"),
        ("database is locked", "try again in a moment"),
        ("disk I/O error", "its disk has room|whether the server runs"),
        ('database "typo" does not exist', "is a database|whether the server runs"),
    ],
)
def test_what_to_do_fits_what_is_wrong_with_the_database(
    reason: str, advice: str
) -> None:
    with pytest.raises(CommandError, match=advice), bad_days_in_words():
        raise OperationalError(reason)


def test_a_summary_is_told_in_lines() -> None:
    value = {
        "read": 1069,
        "errors_by_problem": {"Currency GBP has no exchange rate": 13},
        "pages": [{"url": "/", "status": 200}],
    }

    assert told(value).splitlines() == [
        "read: 1,069",
        "errors by problem",
        "       13  Currency GBP has no exchange rate",
        "pages",
        "  /  200",
    ]


def test_a_step_is_told_with_its_seconds_unless_it_failed() -> None:
    lines: list[str] = []
    steps = Steps(lines.append)

    with steps.step("database") as step:
        step.result = "migrated"
    with pytest.raises(RuntimeError), steps.step("broker"):
        raise RuntimeError

    (line,) = lines
    assert line.startswith("database")
    assert line.endswith("s  migrated")


def test_json_is_plain_where_the_reader_does_not_read_utf_8(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    latin = io.TextIOWrapper(io.BytesIO(), encoding="iso-8859-1")
    monkeypatch.setattr("sys.stdout", latin)

    assert as_json({"name": "Léman – “x”"}).isascii()
