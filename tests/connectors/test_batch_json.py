import json
from decimal import Decimal
from typing import Any

import pytest

from integration.connectors.batch import Part
from integration.connectors.batch_json import decode, encode


def test_each_part_has_its_number_type_and_etag() -> None:
    parts = [
        Part("POST", "companies(1)/customers", {"creditLimit": Decimal("1.10")}),
        Part("PATCH", "companies(1)/customers(2)", {}, {"If-Match": 'W/"e"'}),
    ]

    text = encode(parts)

    assert b'"creditLimit":1.10' in text
    first, second = json.loads(text)["requests"]
    assert (first["id"], first["method"]) == ("1", "POST")
    assert first["headers"] == {
        "Content-Type": "application/json",
        "Accept-Language": "en-US",
    }
    assert second["headers"]["If-Match"] == 'W/"e"'


def test_answers_come_back_in_the_order_sent() -> None:
    body = {
        "responses": [
            {"id": "2", "status": 409, "headers": {"A": 1}, "body": {"error": {}}},
            {"id": "1", "status": 204},
        ]
    }

    first, second = decode(body, 2)

    assert first is not None
    assert (first.status, first.body) == (204, b"")
    assert second is not None
    assert (second.status, second.headers) == (409, {"a": "1"})
    assert second.json() == {"error": {}}


@pytest.mark.parametrize("last", [201, 400])
def test_a_part_that_is_answered_twice_has_no_answer(last: int) -> None:
    """One of the two is another part's, and nobody knows which."""
    one, other = {"id": "1", "status": 201}, {"id": "1", "status": last}

    assert decode({"responses": [one, other]}, 2) == [None, None]
    assert decode({"responses": [one, other, one]}, 1) == [None]


@pytest.mark.parametrize(
    "body",
    [
        {"responses": []},
        {"responses": "none"},
        {},
        [],
        {"responses": ["x", {"id": "1"}, {"id": "1", "status": "200"}]},
        {"responses": [{"id": None, "status": 200}, {"id": "9", "status": 200}]},
    ],
)
def test_a_part_without_an_answer_has_none(body: Any) -> None:
    assert decode(body, 1) == [None]
