"""Equal values compare equal, however each system writes them."""

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.core.values import ValueKind, digest, digest_of, forms_of, is_blank


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
    assert forms_of(ValueKind.TEXT)([value]) == [""]


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
        (" _x0020_ ", ValueKind.CODE, ""),
        ("_x0020_1", ValueKind.TEXT, "_x0020_1"),
        ("0041", ValueKind.TEXT, "0041"),
        ("0041 ", ValueKind.CODE, "0041"),
        ("Z\u00fcrich\n", ValueKind.CODE, "Z\u00dcRICH"),
        ("\u3000", ValueKind.TEXT, ""),
    ],
)
def test_a_value_has_one_form(value: object, kind: ValueKind, expected: object) -> None:
    assert forms_of(kind)([value]) == [expected]


def test_the_digest_does_not_depend_on_order() -> None:
    assert digest({"a": "1", "b": "ü"}) == digest({"b": "ü", "a": "1"})
    assert digest({"a": "1"}) != digest({"a": "2"})


def test_the_digest_is_that_of_json_with_sorted_names() -> None:
    # Stored check sums were made so: another form would make every record a change.
    values = {"b": 'ü "\n', "a": Decimal("1.50"), "c": {"z": None, "y": [True, 1.5]}}
    values |= {"É": "", "d": None, "aa": "東京"}

    text = json.dumps(values, sort_keys=True, default=str)

    assert digest(values) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "values",
    [
        {"b": 'ü "\n', "a %s": "東京", "É": "\ud800"},
        {"b": "1", "a %s": None, "É": [True, {"z": 1.5}]},
        {"b": "1"},
        {},
    ],
)
def test_the_digest_of_chosen_values_is_that_of_them_alone(
    values: dict[str, Any],
) -> None:
    wanted: list[list[str]] = [["b", "a %s", "É"], ["É", "b"], ["b"], []]
    for names in wanted:
        chosen = {name: values[name] for name in names if name in values}
        assert digest_of(names)(values) == digest(chosen)


def test_what_no_database_keeps_is_left_out() -> None:
    assert forms_of(ValueKind.TEXT)(["a\0b\ud800c"]) == ["abc"]
    assert forms_of(ValueKind.CODE)(["\0x1"]) == ["X1"]


_VALUES = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["", " ", "_x0020_", "0001-01-01", " ab ", "041", "ß", "a\n"]),
    st.none() | st.booleans() | st.integers(-9, 9) | st.just([Decimal("1.5")]),
)


@pytest.mark.parametrize("kind", list(ValueKind))
@given(column=st.lists(_VALUES, max_size=5))
def test_a_value_has_the_same_form_among_others(
    kind: ValueKind, column: list[Any]
) -> None:
    """A column of plain texts is looked at as a whole."""
    forms = forms_of(kind)

    assert [*forms(column)] == [
        form for each in column for form in forms([each, 1])[:1]
    ]


@pytest.mark.parametrize("value", [[Decimal("1.5")], {"a": [Decimal("1.5"), None]}])
@pytest.mark.parametrize("kind", list(ValueKind))
def test_what_no_column_holds_is_taken_as_text(value: object, kind: ValueKind) -> None:
    """The spool of a run can put no other aside, and one record must stop no other."""
    [taken] = forms_of(kind)([value])

    assert isinstance(taken, str)
    assert '"1.5"' in taken
