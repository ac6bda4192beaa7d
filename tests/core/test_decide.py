"""Every case of the three-way decision, one line each."""

from dataclasses import replace
from typing import Any

import pytest

from integration.core.answers import ConflictRule
from integration.core.decide import decide
from integration.core.records import Direction, System
from tests.core.tables import CURRENCY, CUSTOMER

BASE = {"number": "C1", "displayName": "A", "postalCode": "1", "email": "a@b"}


def case(
    bc: dict[str, str], sales: dict[str, str], **expected: Any
) -> tuple[dict[str, str], dict[str, str], dict[str, Any]]:
    whole = {"to_sales": (), "to_bc": (), "conflict": False, **expected}
    return {**BASE, **bc}, {**BASE, **sales}, whole


@pytest.mark.parametrize(
    ("bc", "sales", "expected"),
    [
        case({}, {}),
        case({"email": "b"}, {}, to_sales=("email",)),
        case({}, {"email": "b"}, to_bc=("email",)),
        case({"email": ""}, {}, to_sales=("email",)),
        case({}, {"email": ""}, to_bc=("email",)),
        case({"email": "b"}, {"email": "c"}, conflict=True),
        case({"email": "b"}, {"displayName": "B"}, conflict=True),
        case({"email": "b"}, {"email": "b"}),
        case({"email": "b", "displayName": "B"}, {"email": "b"}, conflict=True),
        case({"number": "C2"}, {}, to_sales=("number",)),
        case({}, {"number": "X"}),
        case(
            {"number": "C2"},
            {"displayName": "B"},
            to_sales=("number",),
            to_bc=("displayName",),
        ),
    ],
)
def test_a_pair_that_was_in_step(
    bc: dict[str, str], sales: dict[str, str], expected: dict[str, Any]
) -> None:
    found = decide(CUSTOMER, BASE, bc, sales)

    assert {
        "to_sales": found.to_sales,
        "to_bc": found.to_bc,
        "conflict": found.conflict,
    } == expected


@pytest.mark.parametrize(
    ("bc", "sales", "to_sales", "to_bc"),
    [
        ("a@b", "a@b", (), ()),
        ("", "a@b", (), ("email",)),
        ("a@b", "", ("email",), ()),
        ("a@b", "c@d", ("email",), ()),
        ("", "", (), ()),
    ],
)
def test_a_pair_that_meets_for_the_first_time(
    bc: str, sales: str, to_sales: tuple[str, ...], to_bc: tuple[str, ...]
) -> None:
    found = decide(CUSTOMER, None, {"email": bc}, {"email": sales})

    assert (found.to_sales, found.to_bc) == (to_sales, to_bc)
    assert not found.conflict


def test_fields_that_agree_become_the_base_one_by_one() -> None:
    bc = {"displayName": "A", "email": "new"}

    found = decide(CUSTOMER, None, bc, {"displayName": "A", "email": "old"})

    assert found.agreed == {"displayName": "A"}


def test_a_field_without_base_is_no_conflict_with_a_changed_one() -> None:
    base = {"displayName": "A"}

    found = decide(
        CUSTOMER,
        base,
        {"displayName": "A", "email": "x"},
        {"displayName": "B", "email": "y"},
    )

    assert (found.to_sales, found.to_bc) == (("email",), ("displayName",))


def test_equal_edits_are_the_new_base() -> None:
    both = {**BASE, "email": "new"}

    found = decide(CUSTOMER, BASE, both, both)

    assert found.in_step
    assert found.agreed == both


def test_a_conflict_keeps_the_old_base() -> None:
    found = decide(CUSTOMER, BASE, {**BASE, "email": "b"}, {**BASE, "email": "c"})

    assert found.agreed == {}


def test_nothing_new_joins_the_base_of_a_pair_that_is_as_it_was() -> None:
    assert decide(CUSTOMER, BASE, {**BASE}, {**BASE}).agreed == {}


def test_a_one_way_value_follows_its_source_only_when_that_changed() -> None:
    base = {"symbol": "€", "exchangeRate": "0.95"}
    edited = {"symbol": "EUR", "exchangeRate": "0.95"}

    assert decide(CURRENCY, base, base, edited).in_step
    changed = decide(CURRENCY, base, {**base, "symbol": "E"}, edited)
    assert changed.fields(Direction.TO_SALES) == ("symbol",)
    assert changed.fields(Direction.TO_BUSINESS_CENTRAL) == ()


def test_a_blank_one_way_source_clears_nothing_at_the_first_meeting() -> None:
    assert decide(CURRENCY, None, {"symbol": ""}, {"symbol": "€"}).in_step


def test_what_may_only_be_set_on_creation_is_never_updated() -> None:
    assert decide(CURRENCY, {"code": "EUR"}, {"code": "EU"}, {"code": "EUR"}).in_step


CLASH = {"email": "b", "postalCode": "2"}, {"email": "c", "displayName": "B"}
EACH = {"email": "b"}, {"displayName": "B"}


@pytest.mark.parametrize(
    ("rule", "both", "to_sales", "to_bc"),
    [
        ("business_central", CLASH, ("displayName", "postalCode", "email"), ()),
        ("sales", CLASH, (), ("displayName", "postalCode", "email")),
        ("merge", EACH, ("email",), ("displayName",)),
    ],
)
def test_a_rule_answers_a_conflict(
    rule: str,
    both: tuple[dict[str, str], dict[str, str]],
    to_sales: tuple[str, ...],
    to_bc: tuple[str, ...],
) -> None:
    table = replace(CUSTOMER, conflict=ConflictRule(rule))
    bc, sales = ({**BASE, **side} for side in both)

    found = decide(table, BASE, bc, sales)

    assert (found.to_sales, found.to_bc) == (to_sales, to_bc)
    assert (found.conflict, found.answered) == (False, True)


def test_a_field_that_both_changed_leaves_a_merged_pair_in_conflict() -> None:
    table = replace(CUSTOMER, conflict=ConflictRule.MERGE)
    bc, sales = ({**BASE, **side} for side in CLASH)

    found = decide(table, BASE, bc, sales)

    assert found.conflict
    assert (found.to_sales, found.to_bc) == ((), ())


def test_a_rule_says_nothing_where_only_one_side_changed() -> None:
    table = replace(CUSTOMER, conflict=ConflictRule.BUSINESS_CENTRAL)

    found = decide(table, BASE, BASE, {**BASE, "email": "c"})

    assert found.to_bc == ("email",)
    assert not found.answered


def test_a_person_names_the_winner_of_each_field() -> None:
    bc, sales = ({**BASE, **side} for side in CLASH)
    chosen = {
        "email": System.SALES,
        "displayName": System.BUSINESS_CENTRAL,
        "postalCode": System.BUSINESS_CENTRAL,
    }

    found = decide(CUSTOMER, BASE, bc, sales, chosen)

    assert found.to_sales == ("displayName", "postalCode")
    assert found.to_bc == ("email",)


def test_an_answer_holds_when_half_of_it_was_written() -> None:
    chosen = {"displayName": System.BUSINESS_CENTRAL, "email": System.SALES}

    found = decide(CUSTOMER, BASE, {**BASE, "email": "b"}, BASE, chosen)

    assert found.to_bc == ("email",)


def test_an_answer_that_leaves_a_field_open_answers_nothing() -> None:
    bc, sales = ({**BASE, **side} for side in CLASH)

    assert decide(CUSTOMER, BASE, bc, sales, {"email": System.SALES}).conflict
