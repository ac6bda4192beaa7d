from decimal import Decimal

from integration.core.texts import bounded, cleaned, storable


def test_what_a_database_refuses_is_replaced() -> None:
    assert cleaned("a\x00b\ud800c") == "a\ufffdb\ufffdc"


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
