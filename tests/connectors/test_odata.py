from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from integration.connectors.odata import (
    RecordShape,
    address,
    dump_json,
    guid,
    id_filters,
    literal,
    parse_moment,
)
from tests.connectors.wire import guid as numbered

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("O'Neil' or 1 eq 1", "'O''Neil'' or 1 eq 1'"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (Decimal("1E+2"), "100"),
        (NOON, "2026-11-22T12:00:00.123Z"),
        (
            datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=1))),
            "2026-11-22T00:00:00.000Z",
        ),
    ],
)
def test_a_literal_cannot_break_out(value: Any, text: str) -> None:
    assert literal(value) == text


def test_an_address_escapes_what_would_end_an_option() -> None:
    path = address("customers", filter="name eq 'A&B #1+2'", top="", select="id,name")

    assert path == ("customers?$filter=name%20eq%20'A%26B%20%231%2B2'&$select=id,name")
    assert address("customers") == "customers"


@pytest.mark.parametrize("text", ["", "1", "x' or true", numbered(1) + ")"])
def test_only_a_guid_is_written_as_one(text: str) -> None:
    with pytest.raises(ValueError, match="Not a GUID"):
        guid(text)


def test_a_guid_is_written_in_lower_case() -> None:
    assert guid(numbered(1).upper()) == numbered(1)


def test_ids_are_packed_into_few_filters_that_fit() -> None:
    ids = [numbered(n) for n in range(100)]

    filters = list(id_filters("id", ids, 1_500))

    assert len(filters) == 4
    assert all(len(address("", filter=f)) <= 1_520 for f in filters)
    assert " or ".join(filters).count(" eq ") == 100


def test_no_ids_need_no_filter() -> None:
    assert list(id_filters("id", [], 100)) == []


def test_json_keeps_every_digit_and_every_letter() -> None:
    value = {"rate": Decimal("0.10"), "name": "Zoë \ud800", "all": [1, None, (True,)]}

    assert dump_json(value) == (
        '{"rate":0.10,"name":"Zoë '.encode() + b'\\ud800","all":[1,null,[true]]}'
    )


@pytest.mark.parametrize("value", [Decimal("NaN"), float("inf")])
def test_json_has_no_word_for_infinity(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|JSON compliant"):
        dump_json(value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T12:00:00.1234567Z", NOON),
        ("2026-11-22T13:00:00.123456+01:00", NOON),
        ("2026-11-22T12:00:00.123456", NOON),
        ("yesterday", None),
        (None, None),
    ],
)
def test_moments_are_read_in_utc(text: Any, moment: datetime | None) -> None:
    assert parse_moment(text) == moment


def test_a_record_is_taken_from_a_body() -> None:
    shape = RecordShape("accountid", "modifiedon")
    body = {
        "@odata.etag": 'W/"1"',
        "accountid": numbered(1).upper(),
        "modifiedon": "2026-11-22T12:00:00Z",
        "name": "A",
    }

    record = shape.record(body)

    assert record.id == numbered(1)
    assert record.etag == 'W/"1"'
    assert record.modified_at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert "@odata.etag" not in record.values


def test_what_is_said_of_one_record_is_no_value_of_it() -> None:
    """Also where the rows before and after it have other names."""
    shape = RecordShape("id", "lastModifiedDateTime")
    bodies: list[dict[str, Any]] = [
        {"id": numbered(1), "name": "A"},
        {"id": numbered(2), "@odata.id": "there", "name": "B"},
        {"id": numbered(3), "name": "C", "city@odata.type": "#String"},
        {"@odata.etag": 'W/"é"', "id": numbered(4), "name": "D"},
    ]

    records = shape.records(bodies)

    assert [[*record.values] for record in records] == [
        ["id", "name"],
        ["id", "name"],
        ["id", "name", "city@odata.type"],
        ["id", "name"],
    ]
    assert records[3].etag == ""


def test_a_select_names_each_column_once() -> None:
    shape = RecordShape("id", "lastModifiedDateTime")

    assert shape.select(["name", "id", "name"]) == "id,lastModifiedDateTime,name"
