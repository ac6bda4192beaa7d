import json
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from integration.connectors.calls import (
    Answer,
    Call,
    read_http_date,
    read_json,
    read_retry_after,
)
from integration.core.failures import FailureKind
from integration.core.records import System

CALL = Call(System.SALES, "read accounts", "GET", "https://org.example/accounts")


def test_decimals_keep_every_digit() -> None:
    body = read_json(b'{"rate": 1.10000000000000000001, "count": 3}')

    assert body == {"rate": Decimal("1.10000000000000000001"), "count": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1.5]", [Decimal("1.5")]),
        ('{"a":[{"b":[1E2]}]}', {"a": [{"b": [Decimal("1E2")]}]}),
        ("-0.0", Decimal("-0.0")),
        ("18446744073709551616", 2**64),
        ('["1",-7,true,null,"\\ud83d\\ude00"]', ["1", -7, True, None, "😀"]),
        ('["\\ud800","\\u0000"]', ["\ufffd", "\ufffd"]),
        ('{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_no_number_is_ever_a_float_wherever_it_stands(text: str, value: object) -> None:
    found = read_json(text.encode())

    assert found == value
    assert "float" not in repr([type(each) for each in _all_of(found)])


def _all_of(value: Any) -> list[Any]:
    if not isinstance(value, dict | list):
        return [value]
    inner = value.values() if isinstance(value, dict) else value
    return [one for each in inner for one in _all_of(each)]


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "01", "[1,]", "", '"a'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_json(text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_every_encoding_of_json_is_read_and_cleaned(encoding: str) -> None:
    text = '["Zürich", "\\u0000", "\\ud800", 1.50]'

    found = read_json(text.encode(encoding))

    assert found == ["Zürich", "\ufffd", "\ufffd", Decimal("1.50")]


def test_lists_within_lists_are_read_as_far_as_they_can_be_looked_through() -> None:
    assert read_json(b"[" * 50 + b"]" * 50)
    for deep in (b"[" * 51 + b"]" * 51, b"[" * 51 + b"1.5" + b"]" * 51):
        with pytest.raises(ValueError, match="nested too deeply"):
            read_json(deep)


@pytest.mark.parametrize("value", [b"{}", b"[]", b'"",""', b'{"a":""}'])
def test_more_values_than_any_answer_has_are_not_made(value: bytes) -> None:
    body = b'{"value":[' + b",".join([value] * 5_000_000) + b"]}"

    tracemalloc.start()
    with pytest.raises(ValueError, match="more values"):
        read_json(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2 * len(body)


def test_the_largest_page_is_read() -> None:
    record = {f"field_{n}": 'a "note" of it' for n in range(200)}
    body = json.dumps({"value": [record] * 5_000}).encode()

    assert len(read_json(body)["value"]) == 5_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "soon"}, None),
        ({}, None),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 08:05:30 GMT",
                "date": "Sun, 22 Nov 2026 08:05:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Sun, 22 Nov 2020 08:05:30 GMT"}, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert read_retry_after(headers) == seconds


def test_a_date_without_a_zone_is_in_utc() -> None:
    moment = read_http_date("Sun, 22 Nov 2026 08:05:30 -0000")

    assert moment == datetime(2026, 11, 22, 8, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"content-type": "text/html; charset=utf-8"}, b"x"),
        Answer(200, {}, b"\n <!DOCTYPE html><p>Sign in"),
        Answer(200, {}, b"<HTML>"),
    ],
)
def test_a_web_page_is_recognised(answer: Answer) -> None:
    assert answer.is_web_page


def test_the_request_id_is_found_under_any_of_its_names() -> None:
    assert Answer(200, {"req_id": "abc"}).request_id == "abc"
    assert Answer(200, {}).request_id == ""


def test_a_failure_tells_what_was_asked_and_answered() -> None:
    answer = Answer(502, {"request-id": "r1", "retry-after": "3"}, b"down")

    failure = CALL.failure(FailureKind.TRANSIENT, "code", "words", answer)

    assert failure.status == 502
    assert failure.request_id == "r1"
    assert failure.retry_after_seconds == 3
    assert failure.request.startswith("GET https://org.example/accounts")
    assert failure.response.endswith("down")
