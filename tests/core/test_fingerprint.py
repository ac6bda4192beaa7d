"""What is kept of a message, and what is masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.core.fingerprint import (
    _MASKS,
    cleaned,
    fingerprint_of_article,
    first_sentence,
    masked,
    normal_code,
    normalized,
)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Odd.  CorrelationId:  5a1c2f9e-77e0-4c65-9a54-0c4d0f3d8c11.", "Odd."),
        ("AADSTS50055: Odd.\r\nTrace ID: 7b\r\nTimestamp: 2026", "AADSTS50055: Odd."),
        ("Modifying 10 failed because of the following error: Odd.", "Odd."),
        ("Échec en raison de l'erreur suivante : Bizarre.", "Bizarre."),
        ("a\\\\b\tc\u00a0d\u202fe", "a b c d e"),
    ],
)
def test_a_message_is_one_line_without_wrapper_and_ids(message: str, kept: str) -> None:
    assert normalized(message) == kept


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("Line 4 of 'Müller & Söhne' is odd", "line # of # is odd"),
        ("It doesn't matter what's 'here'", "it doesn't matter what's #"),
        ("L'entité d'un client n'existe pas", "l'entité d'un client n'existe pas"),
        ("Column telephone1 of CV-2411", "column telephone1 of #"),
        ("On 2026-11-22T07:05:00Z, 1'241.50 CHF", "on # chf"),
        ("Due 3. janv. 24, not 12 May 2024", "due #, not #"),
        ("From -5 to 7, of A-5 and x9", "from # to #, of # and x9"),
        ("7C and C--7 are no c7", "# and # are no c7"),
        ("SaLeS Is OdD!", "sales is odd"),
    ],
)
def test_ids_numbers_dates_and_quoted_values_are_masked(
    message: str, kept: str
) -> None:
    assert masked(message) == kept


@given(st.text(st.sampled_from("aBé09-:/@.,'’‘\"“”«» xTjuly"), max_size=40))
def test_a_mask_is_tried_wherever_it_would_find_something(message: str) -> None:
    found = [may_apply for may_apply, mask in _MASKS if mask.search(message)]

    assert all(may_apply(message) for may_apply in found)


def test_codes_have_one_spelling() -> None:
    codes = {"0x80040220", "0X80040220", "-2147220960", "2147746336", " 0x80040220 "}

    assert {normal_code(code) for code in codes} == {"0x80040220"}
    assert normal_code("AADSTS50055") == "aadsts50055"
    assert normal_code("50055") == "50055"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("It is odd. It stays odd.", "It is odd"),
        ("Customer No. 10000 is odd. Sorry.", "Customer No. 10000 is odd"),
        ("Version 2.5 is odd", "Version 2.5 is odd"),
        ("Why? Because.", "Why?"),
        ("", ""),
    ],
)
def test_the_first_sentence_ends_where_a_person_ends_it(
    message: str, sentence: str
) -> None:
    assert first_sentence(message) == sentence


def test_what_no_database_keeps_is_cleaned() -> None:
    assert cleaned("a\x00b\ud800 e\u0301") == "a b? é"


def test_a_fingerprint_is_for_ever() -> None:
    # A change here is a change of VERSION: every stored problem would be told anew.
    found = fingerprint_of_article("dv-missing-privilege", {"privilege": "prvReadUser"})

    assert found == "5f9410e6b8bd95ab4af21433872b0f2fdd4750acc5a4cd013232aebdf5748b7f"
    assert found == fingerprint_of_article(
        "dv-missing-privilege", {"privilege": " PRVREADUSER "}
    )
