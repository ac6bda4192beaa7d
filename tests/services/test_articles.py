"""Every article is whole in both languages; a broken file is refused in a sentence."""

import re
from pathlib import Path

import pytest

from integration.core.articles import Article, Example
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Finding
from integration.core.records import System
from integration.services import articles
from integration.services.article_files import ArticleError, read_catalog
from integration.services.articles import all_articles, cause_of, label_of, render

ARTICLES = all_articles()
LANGUAGES = ("en", "fr-ch")
FINDING_ONLY = {
    *("created-twice-undecided", "secret-expires-soon"),
    *("secret-unreadable", "address-not-allowed"),
    *("second-engine-running", "second-engine-unknown"),
}
"""Causes that no server says."""
NEEDED = """
dv-missing-privilege dv-user-no-roles dv-not-member-of-org dv-user-no-license
setup-integration-user-is-admin setup-user-disabled setup-user-not-licensed
setup-user-invalid-access-mode setup-user-role-missing aad-password-must-change
aad-wrong-user-or-password aad-account-locked aad-account-disabled aad-user-not-found
aad-mfa-required aad-conditional-access aad-consent-missing aad-app-not-found
aad-app-disabled aad-secret-invalid aad-secret-expired secret-expires-soon
aad-cert-invalid aad-tenant-not-found aad-resource-not-found aad-transient aad-throttled
bc-auth-rejected bc-permission-denied bc-company-not-found bc-environment-not-found
bc-currency-no-exchange-rate bc-exchange-rate-row-missing bc-base-currency-no-rate
bc-base-currency-unknown bc-lcy-missing bc-lcy-not-in-dataverse dv-currency-not-found
dv-duplicate-currency dv-base-rate-readonly dependency-not-coupled conflict-both-changed
record-deleted-sales record-deleted-bc match-ambiguous created-twice-undecided
bc-duplicate-key dv-duplicate-key dv-duplicate-rule bc-text-too-long dv-text-too-long
bc-field-required bc-relation-missing bc-blank-name bc-read-only stale-write
bc-throttled dv-throttled bc-unavailable dv-unavailable dv-admin-mode lost-answer
net-unreachable net-html-instead-of-json net-certificate net-timeout
second-engine-running dv-change-tracking-off dv-option-invalid dv-generic-refusal
bc-dialog engine-fault
"""

WHOLE = """
category = "currency"
who = "user"
title = [{en = "Odd {field}", fr = "Bizarre {field}"}, {en = "Odd", fr = "Bizarre"}]
meaning = [{en = "It is odd.", fr = "C'est bizarre."}]
step = [{en = "Open [it](bc:record).", fr = "Ouvrez-[le](bc:record)."}]
sample = {field = "city"}
"""


def by_id(article: Article) -> str:
    return article.id


def said(example: Example) -> Failure:
    return Failure(
        System(example.system),
        FailureKind(example.kind),
        example.code,
        example.message,
        example.status,
        field=example.field,
    )


def sentences(article: Article, language: str) -> list[str]:
    told = render(article.id, article.sample, language)
    steps = ["".join(segment.text for segment in step) for step in told.steps]
    return [told.title, told.meaning, *steps, told.cure_label]


def folder(path: Path, text: str) -> Path:
    (path / "_words.toml").write_text("", encoding="utf-8")
    (path / "odd.toml").write_text(text, encoding="utf-8")
    return path


def test_every_cause_this_product_can_meet_has_an_article() -> None:
    assert set(NEEDED.split()) <= {article.id for article in ARTICLES}


@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_an_article_is_whole_in_both_languages(article: Article) -> None:
    english, french = (sentences(article, language) for language in LANGUAGES)

    assert len(english) == len(french) == 3 + len(article.steps)
    assert all(english[:-1])
    assert all(french[:-1])
    assert bool(english[-1]) == bool(french[-1]) == bool(article.cures)


@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_a_title_fits_its_row(article: Article) -> None:
    for language in LANGUAGES:
        assert len(sentences(article, language)[0]) <= 60


@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_nothing_of_a_template_is_left_in_a_sentence(article: Article) -> None:
    for language in LANGUAGES:
        for sentence in sentences(article, language):
            assert not re.search(r"[{}\[\]]|\]\(", sentence), sentence


@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_french_has_a_no_break_space_before_double_punctuation(
    article: Article,
) -> None:
    for sentence in sentences(article, "fr-ch"):
        assert not re.search(r" [:;!?»]|« |[^\W\d][;!?](?:\s|$)", sentence), sentence


@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_both_languages_lead_to_the_same_places(article: Article) -> None:
    english, french = (
        render(article.id, article.sample, language).targets for language in LANGUAGES
    )

    assert english == french


@pytest.mark.django_db
@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_its_examples_come_down_to_it(article: Article) -> None:
    assert article.id in FINDING_ONLY or len(article.examples) >= 2
    for example in article.examples:
        cause = cause_of(said(example), None)
        named = {name: cause.params.get(name) for name in example.params}
        assert (cause.article, named) == (article.id, dict(example.params))


@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_an_article_without_any_parameter_still_reads(article: Article) -> None:
    for language in LANGUAGES:
        told = render(article.id, {}, language)
        assert told.title
        assert "{" not in told.title + told.meaning


@pytest.mark.parametrize("article", ARTICLES, ids=by_id)
def test_what_heals_itself_has_no_button_and_what_a_person_cures_has_one(
    article: Article,
) -> None:
    without = {"created-twice-undecided", "engine-fault"}

    assert (not article.cures) == (article.who == "itself" or article.id in without)


def test_rows_of_the_error_catalogue_belong_to_one_article_each() -> None:
    rows = [row for article in ARTICLES for row in article.catalog]

    assert len(rows) == len(set(rows))


def test_a_step_is_text_and_links_with_their_addresses() -> None:
    told = render(
        "bc-currency-no-exchange-rate",
        {"currency": "GBP"},
        "fr-ch",
        links={"bc:rates:GBP": "https://bc/rates"},
    )

    first = told.steps[0]
    assert [(s.text, s.target, s.url) for s in first] == [
        ("Ouvrez ", "", ""),
        ("les taux de change de GBP", "bc:rates:GBP", "https://bc/rates"),
        (" dans Business Central.", "", ""),
    ]
    assert told.title == "La devise GBP n'a pas de taux de change"
    assert told.cure_label == "Ouvrir les taux de GBP dans Business Central"
    assert (told.cure_target, told.cure_link) == ("bc:rates:GBP", "https://bc/rates")
    assert (told.who, told.category) == ("administrator", "currency")


def test_a_value_cannot_make_a_link_or_another_parameter() -> None:
    hostile = {"currency": "[x](page:connection) {reason} <b>"}
    told = render("bc-currency-no-exchange-rate", hostile, "en")

    assert (
        told.title == "Currency [x](page:connection) {reason} <b> has no exchange rate"
    )
    assert "page:connection" not in told.targets


@pytest.mark.parametrize(
    ("id", "params", "english", "french"),
    [
        (
            "dv-missing-privilege",
            {"privilege": "prvWriteTransactionCurrency"},
            "Privilege prvWriteTransactionCurrency is missing",
            "Le privilège prvWriteTransactionCurrency manque",
        ),
        (
            "dependency-not-coupled",
            {"currency": "EUR", "table": "currency", "number": "EUR"},
            "Currency EUR is not coupled",
            "La devise EUR n'est pas couplée",
        ),
        (
            "dependency-not-coupled",
            {"table": "customer", "number": "10040"},
            "Customer 10040 is not coupled",
            "Le client 10040 n'est pas couplé",
        ),
        (
            "bc-text-too-long",
            {"field": "displayName", "max": "100"},
            "Name is longer than 100 characters",
            "Le nom dépasse 100 caractères",
        ),
        (
            "conflict-both-changed",
            {"fields": "phoneNumber"},
            "Changed on both sides: phone",
            "Modifié des deux côtés\u00a0: téléphone",
        ),
        (
            "conflict-both-changed",
            {"fields": "city,country,email,phoneNumber,website"},
            "Changed on both sides: city, country and 3 more",
            "Modifié des deux côtés\u00a0: ville, pays et 3 autres",
        ),
        (
            "record-deleted-sales",
            {"table": "account"},
            "The account was deleted in Sales",
            "Le compte a été supprimé dans Sales",
        ),
        (
            "record-deleted-sales",
            {"table": "transactioncurrency"},
            "The currency was deleted in Sales",
            "La devise a été supprimée dans Sales",
        ),
        (
            "dependency-not-coupled",
            {"table": "Salesperson/Purchaser", "number": "HR"},
            "Salesperson HR is not coupled",
            "Le vendeur HR n'est pas couplé",
        ),
        (
            "dependency-not-coupled",
            {"table": "Reason Code", "number": "HR"},
            "Reason Code HR is not coupled",
            "L'enregistrement Reason Code HR n'est pas couplé",
        ),
        (
            "dv-duplicate-key",
            {"table": "account", "field": "accountnumber"},
            "An account with this number exists already",
            "Un compte portant ce numéro existe déjà",
        ),
        (
            "bc-relation-missing",
            {"field": "paymentTermsId", "value": "90 JOURS"},
            "Unknown payment terms “90 JOURS”",
            "Conditions de paiement «\u00a090 JOURS\u00a0»\u00a0: valeur inconnue",
        ),
        (
            "bc-text-too-long",
            {"field": "new_remarks", "max": "10"},
            "new_remarks is longer than 10 characters",
            "Le champ new_remarks dépasse 10 caractères",
        ),
        (
            "secret-expires-soon",
            {"system": "sales", "date": "2027-02-14"},
            "The secret of Sales ends on 14 Feb 2027",
            "Le secret de Sales expire le 14.02.2027",
        ),
    ],
)
def test_a_title_reads_well_in_both_languages(
    id: str, params: dict[str, str], english: str, french: str
) -> None:
    assert render(id, params, "en").title == english
    assert render(id, params, "fr-ch").title == french


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_list_is_named_in_the_words_of_the_reader_and_of_its_field(
    language: str,
) -> None:
    said = {"field": "Code condition paiement", "value": "90 JOURS"}
    told = render(
        "bc-relation-missing", {**said, "related": "Condition paiement"}, language
    )
    sentences = [told.meaning, *("".join(s.text for s in row) for row in told.steps)]
    word = {"en": "as payment terms", "fr": "pour les conditions de paiement"}

    assert word[language] in sentences[0]
    for strange in ("Condition paiement", "Payment Terms", "CH", "Suisse"):
        assert strange not in " ".join(sentences)


def test_an_unknown_cause_keeps_its_title_and_has_steps() -> None:
    told = render("", {}, "fr-ch", title="The moon is wrong")

    assert told.title == "The moon is wrong"
    assert told.steps
    assert told.category == "unknown"


def test_the_title_of_a_cause_is_the_english_one() -> None:
    cause = cause_of(None, Finding("dv-currency-not-found", {"currency": "EUR"}))

    assert cause.title == "Currency EUR is not in Sales"
    assert articles.title_of(cause.article, cause.params, "fr-ch", cause.title) == (
        "La devise EUR n'est pas dans Sales"
    )


def test_a_title_of_an_unknown_cause_is_the_stored_one() -> None:
    assert articles.title_of("", {}, "fr-ch", "The moon") == "The moon"


def test_fields_have_names_in_both_languages() -> None:
    assert label_of("telephone1", "fr-ch") == "Téléphone"
    assert label_of("phoneNumber", "en") == "Phone"
    assert label_of("new_region", "en") == "new_region"


def test_a_failed_outcome_without_a_reason_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="a failure or a finding"):
        cause_of(None, None)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('who = "user"', "", "odd.toml: who is “”"),
        ('"currency"', '"money"', "odd.toml: category is “money”"),
        (', fr = "C\'est bizarre."', "", "odd.toml: meaning.fr is missing"),
        ("Bizarre {field}", "Bizarre {city}", "odd.toml: title uses {city:}"),
        ("Odd {field}", "Odd {field:huge}", "odd.toml: title uses {field:huge}"),
        ('{en = "Odd", fr = "Bizarre"}', "", "odd.toml: the last title must need no"),
        ("bc:record", "bc:nowhere", "odd.toml: step leads to an unknown place"),
        ("step =", "stops =", "odd.toml: file has an unknown key “stops”"),
        ("sample =", "match = [{pattern = '(a+)'}]\nsample =", "not bounded: (a+)"),
        ("sample =", "match = [{pattern = '(ab){2}c'}]\nsample =", "not bounded"),
        ("sample =", "match = [{pattern = '(a'}]\nsample =", "odd.toml: match.pattern"),
        (
            "sample =",
            "match = [{pattern = '(?P<x>a)'}]\nsample =",
            "[sample] has no “x”",
        ),
        ("category", "category = = 1\ncategory", "odd.toml cannot be read"),
    ],
)
def test_an_article_that_is_not_whole_is_refused_in_a_sentence(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert old in WHOLE

    with pytest.raises(ArticleError, match=re.escape(sentence)):
        read_catalog(folder(tmp_path, WHOLE.replace(old, new, 1)))


def test_a_whole_article_is_read(tmp_path: Path) -> None:
    found = read_catalog(folder(tmp_path, WHOLE))

    assert found.articles["odd"].who == "user"
