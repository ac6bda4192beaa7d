import pytest
from django.test import Client
from django.urls import reverse

from integration.connectors.redaction import redacted
from integration.services import cells
from tests.factories import make_error, make_mapping, make_problem

pytestmark = pytest.mark.django_db


def test_support_reads_both_languages_and_nothing_personal(viewer: Client) -> None:
    mapping = make_mapping()
    error = make_error(
        problem=make_problem(mapping.connection),
        bc_number="10000",
        bc_name="Müller & Söhne",
        code="0x80040265",
        http_status=400,
        request_id="c0ffee",
        message="“Müller & Söhne” <anna@example.com> is refused.",
        values={
            "business_central": {"email": "anna@example.com", "currencyCode": "EUR"},
            "sales": {"email": "otto@example.com", "currencyCode": "USD"},
        },
    )
    mapping.fields.create(bc_field="email", sales_field="emailaddress1")

    answer = viewer.get(reverse("error_support", args=[error.pk]))

    text = answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    english, french = text.split("\n\n")
    for part in (english, french):
        assert "0x80040265" in part
        assert "c0ffee" in part
        assert "10000" in part
        assert "EUR | USD | –" in part
        assert "••• (16) | ••• (16) | –" in part
    assert "Who: Administrator" in english
    assert "À corriger par\u00a0: Administrateur" in french
    for personal in ("Müller", "anna", "otto"):
        assert personal not in text


def test_our_own_words_are_not_masked(viewer: Client) -> None:
    mapping = make_mapping()
    error = make_error(
        problem=make_problem(mapping.connection, params={"field": "country"}),
        sales_presence="not_created",
        values={"business_central": {"country": "ATLANTIS"}},
    )
    mapping.fields.create(
        bc_field="country", sales_field="address1_country", direction="both"
    )

    text = viewer.get(reverse("error_support", args=[error.pk])).content.decode()

    assert "••• (8) | refused | –" in text
    assert "••• (8) | refusé | –" in text


def test_an_error_of_the_set_up_has_no_records(viewer: Client) -> None:
    error = make_error(mapping_key="", direction="", record_key="")

    text = viewer.get(reverse("error_support", args=[error.pk])).content.decode()

    assert "Business Central:" not in text
    assert "Attempts: 1" in text


def test_a_sentence_of_ours_is_told_in_the_language_of_its_part(viewer: Client) -> None:
    error = make_error(message="Currency GBP is not coupled.", code="", http_status=0)

    text = viewer.get(reverse("error_support", args=[error.pk])).content.decode()

    english, french = text.split("\n\n")
    assert "Message: Currency GBP is not coupled." in english
    assert "GBP" not in french


def test_a_value_with_a_secret_in_it_is_masked_where_the_message_repeats_it(
    viewer: Client,
) -> None:
    name = "Otto Muster password=Hunter2 +41 79 555 12 12"
    error = make_error(
        problem=make_problem(make_mapping().connection),
        message=redacted(f"The string is too long. Value: {name}"),
        values={"sales": {"displayName": name}},
    )

    text = viewer.get(reverse("error_support", args=[error.pk])).content.decode()

    assert "Value: •••" in text
    for personal in ("Otto", "Hunter2", "555"):
        assert personal not in text


@pytest.mark.parametrize(
    ("language", "step"), [("en", "1. Correct"), ("fr-ch", "1. Corrigez")]
)
def test_a_cause_is_handed_to_a_user_with_its_steps_and_records(
    viewer: Client, language: str, step: str
) -> None:
    mapping = make_mapping()
    problem = make_problem(
        mapping.connection,
        article="bc-relation-missing",
        who="user",
        params={"field": "country", "value": "SUISSE"},
    )
    here = {"problem": problem, "bc_presence": "exists", "bc_id": "b1"}
    for n in range(52):
        make_error(bc_number=f"{10_000 + n}", bc_name="Müller & Söhne", **here)
    make_error(bc_number="20000", bc_name="Settled", state="resolved", **here)
    cells.rebuild()
    headers = {"Accept-Language": language}
    address = reverse("problem_for_user", args=[problem.pk])

    told = viewer.get(address, headers=headers).content.decode()

    assert "SUISSE" in told.splitlines()[0]
    assert step in told
    colon = {"en": ":", "fr-ch": "\u00a0:"}[language]
    assert told.count(f"Müller & Söhne{colon} http") == 50
    assert "Settled" not in told
    assert told.splitlines()[-1].split()[1] == "2"
    for page in ("/", "/problems/"):
        html = viewer.get(page, headers=headers).content.decode()
        assert f'href="{address}" data-copy="' in html
