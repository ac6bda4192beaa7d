"""Words take the form their sentence needs, in both languages."""

import pytest

from integration.core.wording import (
    Segment,
    Word,
    Words,
    fill,
    segments,
    short_language,
)

NAME = Word("displayName", "Name", "le nom")
ADDRESS = Word("addressLine1", "Address", "l'adresse", feminine=True)
TERMS = Word("paymentTermsId", "Payment terms", "les conditions", feminine=True)
MAIL = Word("email", "E-mail", "l'e-mail")
VAT = Word("vat", "VAT number", "le n° TVA")
WORDS = Words(
    {
        ("field", name): word
        for word in (NAME, ADDRESS, TERMS, MAIL, VAT)
        for name in (word.key.casefold(), word.en.casefold())
    }
)


def say(template: str, language: str, **params: str) -> str | None:
    return fill(template, params, language, WORDS)


@pytest.mark.parametrize(
    ("form", "field", "english", "french"),
    [
        ("", "displayName", "Name", "Nom"),
        ("lower", "vat", "VAT number", "n° TVA"),
        ("the", "displayName", "the name", "le nom"),
        ("The", "addressLine1", "The address", "L'adresse"),
        ("a", "addressLine1", "an address", "une adresse"),
        ("A", "displayName", "A name", "Un nom"),
        ("this", "displayName", "this name", "ce nom"),
        ("this", "addressLine1", "this address", "cette adresse"),
        ("this", "email", "this e-mail", "cet e-mail"),
        ("this", "paymentTermsId", "this payment terms", "ces conditions"),
        ("e", "addressLine1", "", "e"),
        ("e", "paymentTermsId", "", "es"),
        ("e", "displayName", "", ""),
        ("", "new_region", "new_region", "new_region"),
        ("the", "new_region", "the field new_region", "le champ new_region"),
    ],
)
def test_a_field_takes_the_form_of_its_sentence(
    form: str, field: str, english: str, french: str
) -> None:
    template = f"{{field:{form}}}" if form else "{field}"

    assert say(template, "en", field=field) == english
    assert say(template, "fr", field=field) == french


def test_a_sentence_is_not_told_when_a_parameter_is_missing() -> None:
    assert say("{field} of {table}", "en", field="displayName") is None


def test_a_date_that_is_none_is_shown_as_it_is() -> None:
    assert say("{date:date}", "en", date="soon") == "soon"
    assert say("{date:date}", "en", date="2026-13-01") == "2026-13-01"


def test_names_of_one_field_have_one_spelling() -> None:
    assert WORDS.canonical("fields", "NAME, e-mail,displayname") == "displayName,email"
    assert WORDS.canonical("currency", "eur") == "eur"


def test_links_are_cut_out_before_values_are_filled_in() -> None:
    found = segments("Open [{code}](bc:rates:{code}).", {"code": "[a](b)"}, "en", WORDS)

    assert found == (
        Segment("Open "),
        Segment("[a](b)", "bc:rates:[a](b)"),
        Segment("."),
    )


def test_every_french_is_french_and_the_rest_english() -> None:
    assert [short_language(code) for code in ("fr-ch", "fr", "FR", "en-gb", "de")] == [
        *("fr", "fr", "fr"),
        *("en", "en"),
    ]


@pytest.mark.parametrize(
    ("form", "english", "french"),
    [
        ("", "Reason Code HR", "Reason Code HR"),
        ("The", "The record Reason Code HR", "L'enregistrement Reason Code HR"),
        ("a", "a record Reason Code HR", "un enregistrement Reason Code HR"),
        ("this", "this record Reason Code HR", "cet enregistrement Reason Code HR"),
    ],
)
def test_a_table_without_a_word_is_told_as_its_record(
    form: str, english: str, french: str
) -> None:
    template = f"{{table:{form}}} HR" if form else "{table} HR"

    assert say(template, "en", table="Reason Code") == english
    assert say(template, "fr", table="Reason Code") == french
    assert say("supprimé{table:e}", "fr", table="Reason Code") == "supprimé"
