from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from integration.models.statements import Slots
from integration.services.error_filters import (
    FILTER_NAMES,
    ErrorFilter,
    chips_of,
    parse_filter,
)

GOOD = {
    "state": "resolved",
    "q": "Müller",
    "who": "user",
    "connection": "3",
    "mapping": "CUSTOMER",
    "direction": "to_sales",
    "category": "currency",
    "problem": "4",
    "job": "5",
    "record": "a,b",
    "from": "2026-11-01T00:00:00+00:00",
    "to": "2026-11-02T00:00:00+00:00",
    "moment": "first_seen",
    "reason": "replaced",
    "settled": "2026-11-03T00:00:00+00:00",
    "unsettled": "2026-11-03T00:00:00+00:00",
}


def test_what_is_read_is_written_back_the_same() -> None:
    filters, dropped = parse_filter(GOOD)

    assert (filters.query(), dropped) == (GOOD, [])
    assert set(GOOD) == set(FILTER_NAMES)


def test_without_anything_the_open_ones_are_meant() -> None:
    assert parse_filter({}) == (ErrorFilter(state="open"), [])
    assert ErrorFilter().query() == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("state", "broken"),
        ("who", "nobody"),
        ("connection", "-1"),
        ("connection", "x"),
        ("problem", "0"),
        ("job", "9" * 40),
        ("mapping", "M" * 51),
        ("mapping", "a\x00b"),
        ("direction", "up"),
        ("category", "x"),
        ("record", ","),
        ("record", "r" * 37),
        ("record", ",".join(map(str, range(11)))),
        ("from", "yesterday"),
        ("from", "2026-13-01"),
        ("to", "9999-12-31"),
        ("to", "9999-12-31T23:59:59+00:00"),
        ("from", "0001-01-01"),
        ("to", "2026-11-02T25:00"),
        ("reason", "x"),
        ("q", "\x00"),
    ],
)
def test_nonsense_is_dropped_and_named(name: str, text: str) -> None:
    assert parse_filter({name: text}) == (ErrorFilter(), [name])


def test_a_day_is_one_of_the_readers_zone() -> None:
    with timezone.override(ZoneInfo("Europe/Zurich")):
        filters, _ = parse_filter({"from": "2026-10-25", "to": "2026-10-25"})

    assert filters.since == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert filters.until == datetime(2026, 10, 25, 22, 59, 59, 999_999, tzinfo=UTC)


def test_the_plus_of_an_offset_may_have_become_a_blank() -> None:
    filters, _ = parse_filter({"to": "2026-11-02T01:00:00 01:00"})

    assert filters.until == datetime(2026, 11, 2, tzinfo=UTC)


def test_a_clean_up_takes_only_what_never_changes() -> None:
    filters, _ = parse_filter(GOOD)

    assert filters.scope() == {
        "connection": 3,
        "mapping": "CUSTOMER",
        "direction": "to_sales",
        "problem": 4,
        "record": ["a", "b"],
        "text": "Müller",
    }


def test_relevant_and_all_stand_for_several_chips() -> None:
    assert chips_of("relevant") == ("open", "waiting", "ignored")
    assert chips_of("all") == ("open", "waiting", "ignored", "resolved")
    assert chips_of("waiting") == ("waiting",)


@pytest.mark.parametrize("name", ["connection", "problem", "job"])
def test_what_stands_for_a_value_in_a_statement_is_no_filter(name: str) -> None:
    """It would be taken for the place of a page, and show the rows of another."""
    assert parse_filter({name: str(Slots.COUNT)}) == (ErrorFilter(), [name])
    assert parse_filter({"q": f"{Slots.TEXT} Léman{Slots.TEXT}\t"})[0].q == "Léman"
