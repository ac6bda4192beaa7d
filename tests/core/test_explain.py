"""A pasted message finds its article by what stands in it, whoever said it."""

import json
from uuid import UUID

import pytest

from integration.core.explain import LONGEST, explain, read_pasted
from integration.services.articles import catalog
from tests.core.corpus import KNOWN, UNKNOWN, Said

ENTRA = json.dumps(
    {
        "error": "invalid_grant",
        "error_description": "AADSTS50055: The password is expired. Trace ID: x",
        "error_codes": [50055],
    }
)
WITH_A_CODE_OF_THEIRS = [
    said
    for said in KNOWN
    if said.failure.kind == "refused"
    and said.failure.code.startswith(("0x8", "-214", "AADSTS", "Application_"))
    and said.failure.status
]


def articles_of(text: str) -> list[str]:
    return list(dict.fromkeys(cause.article for cause in explain(text, catalog())))


def body_of(said: Said) -> str:
    failure = said.failure
    return json.dumps({"error": {"code": failure.code, "message": failure.message}})


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('{"error": {"code": "0x80040220", "message": "No"}}', "0x80040220", "No"),
        ('POST failed: {"error":{"code":"X","message":"No"}} at 8', "x", "No"),
        (ENTRA, "50055", "AADSTS50055: The password is expired. Trace ID: x"),
        ("(-2147220960) No", "0x80040220", "(-2147220960) No"),
        ("Internal_CompanyNotFound: No", "internal_companynotfound", None),
        ("{ not JSON", None, "{ not JSON"),
    ],
)
def test_code_and_message_are_read_from_what_people_paste(
    text: str, code: str | None, message: str | None
) -> None:
    pasted = read_pasted(text)

    assert (pasted.codes[0] if pasted.codes else None) == code
    assert pasted.message == (text if message is None else message)


@pytest.mark.parametrize("said", WITH_A_CODE_OF_THEIRS, ids=lambda said: said.article)
def test_a_body_with_a_code_finds_its_article(said: Said) -> None:
    assert articles_of(body_of(said)) == [said.article]


@pytest.mark.parametrize(
    ("text", "article"),
    [
        ("AADSTS50055 : le mot de passe a expiré.", "aad-password-must-change"),
        (
            "Il manque le privilège prvWriteAccount à l'utilisateur.",
            "dv-missing-privilege",
        ),
        (
            "La longueur de la chaîne est de 118, mais elle doit être inférieure ou "
            "égale à 100 caractères.",
            "bc-text-too-long",
        ),
    ],
)
def test_french_is_known_by_what_stays_untranslated(text: str, article: str) -> None:
    assert articles_of(text) == [article]


@pytest.mark.parametrize(
    "text",
    [
        "> Cannot find the currency\n> with the value 'NOK'\n> in Dataverse.",
        "> > Cannot find the currency with the value\n> > 'NOK' in Dataverse.",
        "\u200eCannot find the cur\u00adrency with\u200b the value 'NOK' in Dataverse.",
    ],
)
def test_a_message_out_of_a_mail_is_read_without_its_marks(text: str) -> None:
    (cause,) = explain(text, catalog())

    assert (cause.article, cause.params["currency"]) == ("dv-currency-not-found", "NOK")


@pytest.mark.parametrize(
    ("half", "title"),
    [
        (
            "L'enregistrement de la table Client existe déjà. Champs et valeurs "
            "d'identification : N°='10000'",
            "A customer with this number exists already",
        ),
        (
            "Cannot create or update the currency USD in Dynamics 365 Sa",
            "Currency USD has no exchange rate",
        ),
        (
            "must be less than or equal to 100 characters. Value: Foo",
            "A text is longer than 100 characters",
        ),
        (
            "already exists. Identification fields and values: No.='10000'",
            "Business Central has this record already",
        ),
        (
            "existe déjà. Champs et valeurs d'identification : N°='10000'",
            "Business Central has this record already",
        ),
        (
            "and one or both values have changed since the last synchronization.",
            "Changed on both sides",
        ),
    ],
)
def test_half_a_message_finds_its_article(half: str, title: str) -> None:
    (cause,) = explain(half, catalog())

    assert cause.title == title


@pytest.mark.parametrize(
    "text",
    [
        "cannot find the currency with the value 'NOK' in dataverse.",
        "CANNOT FIND THE CURRENCY WITH THE VALUE 'NOK' IN DATAVERSE.",
        "Cannot find the curr\nency with the value 'NOK' in Dataverse.",
        "Cannot find the curr-\nency with the value 'NOK' in Dataverse.",
        "Cannot find the curr=\nency with the value 'NOK' in Dataverse.",
        "Cannot find\nthe curr\nency with the\nva\nlue 'NOK' in Dataverse.",
        "Cann\not find the curr\nency wit\nh the valu\ne 'NOK' in Da\ntaverse.",
        "cannot find the curr\nency with the value 'nok' in dataverse.",
        "> Cannot find the curr\r\n> ency with the value 'NOK' in Dataverse.",
    ],
)
def test_other_letters_and_cut_words_find_the_article(text: str) -> None:
    (cause,) = explain(text, catalog())
    (exact,) = explain(
        "Cannot find the currency with the value 'NOK' in Dataverse.", catalog()
    )

    assert cause.article == "dv-currency-not-found"
    assert cause.fingerprint == exact.fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "The role has prvReadAccount and prvWriteAccount.",
        "We gave prvCreateAccount to the integration user yesterday.",
        "Le rôle contient prvReadAccount.",
        "prvreadings of the meter",
    ],
)
def test_a_privilege_in_a_harmless_sentence_is_not_one_that_is_missing(
    text: str,
) -> None:
    assert articles_of(text) == [""]


@pytest.mark.parametrize(
    "text",
    [
        "User lacks prvReadAccount.",
        "prvWriteAccount privilege is missing",
        "The user does not have the prvWriteAccount privilege.",
        "SecLib::CheckPrivilege failed. PrivilegeName: prvReadAccount",
        "L'utilisateur n'a pas le privilège prvReadAccount.",
        "Access is denied: prvReadAccount is required.",
        "IS MISSING PRVREADACCOUNT PRIVILEGE",
    ],
)
def test_a_privilege_that_a_sentence_misses_is_missing(text: str) -> None:
    assert articles_of(text) == ["dv-missing-privilege"]


def test_what_only_sales_says_is_gone_from_sales() -> None:
    text = f"account With Id = {UUID(int=9)} Does Not Exist"

    assert [
        (cause.article, cause.params["system"]) for cause in explain(text, catalog())
    ] == [("reference-gone", "sales")]


@pytest.mark.parametrize(
    "text",
    [
        "No matching entity was found for Customer 10000 in Dataverse by matching on "
        "following fields: Name.",
        "Aucune entité correspondante n'a été trouvée pour Customer 10000.",
    ],
)
def test_that_none_matches_is_not_told_as_several(text: str) -> None:
    assert articles_of(text) == [""]


def test_a_status_alone_is_told_for_both_systems() -> None:
    assert articles_of("HTTP 429") == ["bc-throttled", "dv-throttled"]


@pytest.mark.parametrize("said", UNKNOWN, ids=lambda said: said.failure.message[:30])
def test_a_made_up_message_is_nobodys(said: Said) -> None:
    assert articles_of(said.failure.message) == [""]
    assert articles_of(body_of(said)) == [""]


def test_a_hostile_text_is_read_to_a_limit() -> None:
    assert articles_of("{" * LONGEST + "[" * LONGEST) == [""]
