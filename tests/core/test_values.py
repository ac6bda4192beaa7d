"""Equal values compare equal, however each system writes them."""

from decimal import Decimal

import pytest

from integration.core.values import ValueKind, canonical, digest, is_blank


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "  ",
        "_x0020_",
        " ",
        "00000000-0000-0000-0000-000000000000",
        "0001-01-01",
    ],
)
def test_every_way_of_writing_nothing_is_blank(value: str | None) -> None:
    assert is_blank(value)
    assert canonical(value, ValueKind.TEXT) == ""


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (" ch ", ValueKind.CODE, "CH"),
        ("eur", ValueKind.REFERENCE, "EUR"),
        (" Rue du Lac ", ValueKind.TEXT, " Rue du Lac "),
        (Decimal("1.0800000000"), ValueKind.DECIMAL, "1.08"),
        (1, ValueKind.DECIMAL, "1"),
        (Decimal("0.12345678904"), ValueKind.DECIMAL, "0.123456789"),
        (Decimal(100), ValueKind.DECIMAL, "100"),
        ("unreadable", ValueKind.DECIMAL, "unreadable"),
        (True, ValueKind.TEXT, True),
    ],
)
def test_a_value_has_one_form(value: object, kind: ValueKind, expected: object) -> None:
    assert canonical(value, kind) == expected


def test_the_digest_does_not_depend_on_order() -> None:
    assert digest({"a": "1", "b": "ü"}) == digest({"b": "ü", "a": "1"})
    assert digest({"a": "1"}) != digest({"a": "2"})


def test_what_no_database_keeps_is_left_out() -> None:
    assert canonical("a\0b\ud800c", ValueKind.TEXT) == "abc"
    assert canonical("\0x1", ValueKind.CODE) == "X1"
