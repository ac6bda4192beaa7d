from typing import Any

import pytest

from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind
from integration.core.records import Direction, System
from integration.services.articles import cause_of
from integration.services.long_texts import with_long_field

LIMIT = "Application_StringExceededLength"
MESSAGE = (
    "The length of the string is {}, but it must be less than or equal to 100 "
    "characters."
)


def refused(values: dict[str, Any] | None, **said: Any) -> Outcome:
    defaults = {"code": LIMIT, "message": MESSAGE.format(118)}
    failure = Failure(System.BUSINESS_CENTRAL, FailureKind.REFUSED, **(defaults | said))
    return Outcome(
        OutcomeKind.FAILED,
        Direction.TO_BUSINESS_CENTRAL,
        "a",
        failure=failure,
        values={"sales": values} if values is not None else None,
    )


def field_of(outcome: Outcome) -> str:
    told = with_long_field(outcome).failure
    return told.field if told else ""


def test_the_only_text_above_the_limit_is_the_one() -> None:
    told = with_long_field(refused({"displayName": "x" * 120, "city": "Sion"}))

    assert cause_of(told.failure, None).title == "Name is longer than 100 characters"


def test_of_two_long_texts_the_one_with_the_named_length_is_it() -> None:
    values = {"displayName": "x" * 118, "addressLine1": "y" * 130}

    assert field_of(refused(values)) == "displayName"


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        {"displayName": "short", "number": 118},
        {"displayName": "x" * 120, "addressLine1": "y" * 130},
        {"displayName": "x" * 118, "addressLine1": "y" * 118},
    ],
)
def test_a_field_is_not_guessed(values: dict[str, Any] | None) -> None:
    assert field_of(refused(values)) == ""


def test_what_names_its_field_stays() -> None:
    assert field_of(refused({"displayName": "x" * 118}, field="city")) == "city"


def test_other_refusals_stay() -> None:
    values = {"displayName": "x" * 118}

    assert field_of(refused(values, code="Other", message="No 100.")) == ""
