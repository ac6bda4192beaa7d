"""Explain answers on its own page and keeps nothing."""

import re
from html import unescape
from uuid import UUID

import pytest
from django.test import Client

from integration.core.outcomes import Finding
from integration.models import Operation, TaughtArticle
from integration.services import cells
from integration.services.articles import cause_of
from integration.services.teaching import teach
from tests.factories import make_error, make_problem, make_user

pytestmark = pytest.mark.django_db
RATE = (
    "Cannot create or update the currency GBP in Dataverse, because there is no "
    "exchange rate defined for it."
)


def explained(client: Client, text: str, language: str = "en") -> str:
    answer = client.post(
        "/explain/", {"message": text}, headers={"Accept-Language": language}
    )
    return answer.content.decode()


def test_a_viewer_reads_what_a_message_means(viewer: Client) -> None:
    assert "Currency GBP has no exchange rate" in explained(viewer, RATE)
    assert "La devise GBP" in explained(viewer, RATE, "fr")
    assert not Operation.objects.exists()


def test_the_page_asks_for_a_message(viewer: Client) -> None:
    assert '<textarea name="message"' in viewer.get("/explain/").content.decode()


def test_records_with_this_cause_are_counted_with_a_link(viewer: Client) -> None:
    cause = cause_of(None, Finding("bc-currency-no-exchange-rate", {"currency": "GBP"}))
    problem = make_problem(fingerprint=cause.fingerprint, article=cause.article)
    make_error(problem=problem)
    cells.rebuild()

    html = explained(viewer, RATE)

    assert f'href="/errors/?problem={problem.pk}&amp;state=relevant">1 record' in html


@pytest.mark.parametrize(
    ("title", "in_french"),
    [
        ("Currency GBP has no exchange rate", "La devise GBP n'a pas de taux"),
        ("Several records could be the same one", "Plusieurs enregistrements peuvent"),
    ],
)
def test_a_title_of_our_own_pages_is_known(
    viewer: Client, title: str, in_french: str
) -> None:
    article = explained(viewer, title)
    french = re.search(r'id="cause-1">(.*?)</h2>', explained(viewer, title, "fr"))

    assert f'id="cause-1">{title}</h2>' in article
    assert french
    assert in_french in unescape(french[1])
    again = explained(viewer, f"« {unescape(french[1])} »")
    assert f'id="cause-1">{title}</h2>' in again


def test_the_title_of_a_cause_in_the_list_leads_to_its_records(viewer: Client) -> None:
    named = {"currency": "GBP"}
    cause = cause_of(None, Finding("bc-currency-no-exchange-rate", named))
    unknown = make_problem(title="The foo has barred")
    problem = make_problem(
        fingerprint=cause.fingerprint, article=cause.article, params=cause.params
    )
    for one in (unknown, problem):
        make_error(problem=one)
    cells.rebuild()

    for title, of, is_known in (
        ("Currency GBP has no exchange rate", problem, True),
        ("La devise GBP n\u2019a pas de taux de change", problem, True),
        ("the foo has barred.", unknown, False),
    ):
        html = explained(viewer, title)
        assert f"/errors/?problem={of.pk}&amp;state=relevant" in html
        assert ("No article knows this message." in html) is not is_known


def test_the_title_of_a_taught_article_is_known(viewer: Client) -> None:
    told = {"title_en": "A foo bars", "meaning_en": "It bars.", "who": "user"}
    article = TaughtArticle(
        patterns="The foo {…} has barred the whole bar", category="unknown", **told
    )
    teach(article, make_user())

    assert 'id="cause-1">A foo bars</h2>' in explained(viewer, "a foo bars")


@pytest.mark.parametrize(
    ("language", "title", "said"),
    [
        (
            "en",
            "The client secret for Business Central or Sales has expired",
            "Both systems could have said this.",
        ),
        (
            "fr",
            "Le secret client pour Business Central ou Sales a expiré",
            "Les deux systèmes pourraient",
        ),
    ],
)
def test_what_is_said_of_the_sign_in_to_either_system_is_told_of_both(
    viewer: Client, language: str, title: str, said: str
) -> None:
    html = explained(viewer, "AADSTS7000222: The secret keys are expired.", language)

    assert title in html
    assert said in html


def test_what_only_one_system_says_is_told_of_that_one(viewer: Client) -> None:
    html = explained(viewer, f"account With Id = {UUID(int=9)} Does Not Exist")

    assert "is gone from Sales" in html
    assert "Both systems" not in html


def test_what_nobody_knows_is_said_so(viewer: Client) -> None:
    assert "No article knows this message." in explained(viewer, "The moon is wrong.")


def test_markup_in_a_message_stays_text(viewer: Client) -> None:
    html = explained(viewer, "<script>alert(1)</script>")

    assert "<script>alert" not in html


@pytest.mark.parametrize("text", ["", " ", "x" * 20_001])
def test_nothing_and_too_much_are_refused_in_words(viewer: Client, text: str) -> None:
    assert 'class="wrong"' in explained(viewer, text)
