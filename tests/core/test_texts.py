from decimal import Decimal

import pytest

from integration.core.texts import bounded, cleaned, read_number, storable


def test_what_a_database_refuses_is_replaced() -> None:
    assert cleaned("a\x00b\ud800c") == "a\ufffdb\ufffdc"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("0", 0), ("007", 7), ("12", 12), ("13", None), ("9" * 5000, None)],
        *[("0" * 20 + "9" * 30, None), ("", None), ("-1", None), ("1.0", None)],
        *[("٣", None), ("²", None), (" 1", None)],
    ],
)
def test_a_number_is_plain_digits_up_to_a_limit(text: str, number: int | None) -> None:
    assert read_number(text, 12) == number


def test_a_text_within_its_limit_stays_whole() -> None:
    assert bounded("é" * 5, 10) == "éééééé"[:5]


def test_a_longer_text_is_cut_with_a_mark_and_keeps_its_limit() -> None:
    text = bounded("é" * 100, 101)

    assert text.endswith("… [cut: 200 bytes in all]")
    assert len(text.encode()) <= 101


def test_values_become_what_json_can_hold() -> None:
    value = {"a\x00": [Decimal("1.50"), None, True, "x\x00"], "n": {"m": 1}}

    assert storable(value) == {
        "a\ufffd": ["1.50", None, True, "x\ufffd"],
        "n": {"m": 1},
    }
