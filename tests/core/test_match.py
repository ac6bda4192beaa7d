"""Promise 11, rule by rule."""

import pytest

from integration.core.match import match_keys, normalized_name, plain
from integration.core.snapshots import Snapshot
from tests.core.tables import CURRENCY, CUSTOMER


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller & Söhne AG", "MULLER AND SOHNE AG"),
        ("Fabrique du Léman, S.A.", "fabrique du leman sa"),
        ("Straße 1", "STRASSE1"),
        ("ＡＢＣ　Ltd", "abc ltd"),
        ("Zażółć-gęślą", "zazołc gesla"),
        ("Ünïted  “Traders”", "united traders"),
        ("Çağrı İnşaat A.Ş.", "ÇAĞRI İNŞAAT AŞ"),
        ("Ποσειδών ΑΕ", "ΠΟΣΕΙΔΩΝ Α.Ε."),
    ],
)
def test_names_that_a_person_reads_alike_are_equal(one: str, other: str) -> None:
    assert normalized_name(one) == normalized_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Bauer AG", "Bauer GmbH"), ("東京商事", "大阪商事"), ("Луч", "Ключ")],
)
def test_other_names_stay_apart(one: str, other: str) -> None:
    assert normalized_name(one) != normalized_name(other)


def test_a_name_of_signs_only_says_nothing() -> None:
    assert normalized_name("?! –") == ""


def test_post_codes_and_mail_lose_case_and_blanks() -> None:
    assert plain(" B27 4kt ") == plain("b274KT")


def keys(**values: str) -> dict[int, str]:
    found = match_keys(CUSTOMER, Snapshot("1", "e", None, values))
    return {rule: key for _, rule, key in found}


def test_the_number_is_asked_first_and_name_or_mail_afterwards() -> None:
    values = {"number": "C1", "displayName": "A", "email": "A@B"}
    record = Snapshot("1", "e", None, values)

    found = match_keys(CUSTOMER, record)

    assert [(tier, rule) for tier, rule, _ in found] == [(0, 1), (1, 2), (1, 3)]


def test_name_and_post_code_match_together() -> None:
    one = keys(displayName="A", postalCode="8000")

    assert one != keys(displayName="A", postalCode="8001")
    assert one == keys(displayName="a.", postalCode="80 00")


def test_a_blank_name_or_mail_matches_nothing() -> None:
    assert keys(displayName="", postalCode="8000", email="") == {}


def test_a_missing_post_code_matches_a_missing_one() -> None:
    assert keys(displayName="A") == keys(displayName="a", postalCode="")


def test_a_currency_is_known_by_its_code_alone() -> None:
    found = match_keys(CURRENCY, Snapshot("1", "e", None, {"code": "EUR"}))

    assert found == ((0, 1, "EUR"),)
