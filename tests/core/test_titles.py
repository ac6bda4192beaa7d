"""A title as our pages show it leads back to its article and its parameters."""

import pytest

from integration.core.articles import Article
from integration.core.classify import classify, title_in
from integration.core.titles import LONGEST, causes_titled, titles_of
from integration.services.articles import catalog
from tests.core.corpus import KNOWN, UNKNOWN, Said

TITLES = titles_of(catalog())
WORDLESS = {"bc-dialog", "dv-generic-refusal"}
"""Their title is nothing but what a system said."""


def causes(text: str) -> dict[str, dict[str, str]]:
    found = causes_titled(text, TITLES, catalog().words)
    return {cause.article: dict(cause.params) for cause in found}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("said", KNOWN, ids=lambda said: said.article)
def test_every_title_finds_its_article_and_is_told_again_in_the_same_words(
    said: Said, language: str
) -> None:
    cause = classify(said.failure, catalog())
    article = catalog().articles[cause.article]
    title = title_in(article, cause.params, language, catalog().words)

    found = causes(title)

    if article.id in WORDLESS:
        return
    assert article.id in found
    assert title_in(article, found[article.id], language, catalog().words) == title


@pytest.mark.parametrize("article", catalog().articles.values(), ids=lambda one: one.id)
def test_the_title_of_an_article_without_parameters_finds_it(article: Article) -> None:
    for both in article.titles:
        for language in ("en", "fr"):
            title = both.in_language(language)
            if "{" not in title:
                assert article.id in causes(title)


@pytest.mark.parametrize(
    "text",
    [
        "Currency GBP has no exchange rate",
        " \u201ccurrency GBP  has no\nexchange rate.\u201d ",
        "- La devise GBP n\u2019a pas de taux de change",
    ],
)
def test_what_stands_around_a_title_does_not_matter(text: str) -> None:
    assert causes(text)["bc-currency-no-exchange-rate"]["currency"] == "GBP"


def test_words_of_a_title_are_read_in_either_language() -> None:
    english = causes("Name is longer than 100 characters")
    french = causes("Le nom d\u00e9passe 100 caract\u00e8res")

    assert english == french
    assert english["bc-text-too-long"] == {"field": "displayName", "max": "100"}


@pytest.mark.parametrize(
    ("title", "date"),
    [
        ("The secret of Sales ends on 14 Feb 2027", "2027-02-14"),
        ("Le secret de Sales expire le 14.02.2027", "2027-02-14"),
        ("The secret of Sales ends on Friday", "Friday"),
        ("The secret of Sales ends on 14 Xyz 2027", "14 Xyz 2027"),
    ],
)
def test_a_date_of_a_title_is_read(title: str, date: str) -> None:
    found = causes(title)["secret-expires-soon"]

    assert (found["date"], found["system"]) == (date, "sales")


@pytest.mark.parametrize("said", [*KNOWN, *UNKNOWN], ids=lambda said: said.failure.code)
def test_what_a_system_says_is_no_title(said: Said) -> None:
    assert causes(said.failure.message) == {}


def test_a_long_text_is_no_title() -> None:
    assert causes("Currency GBP has no exchange rate" + " " * LONGEST) == {}
