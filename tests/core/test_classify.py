"""Messages come down to their cause, and causes are neither torn nor glued."""

from collections import Counter
from dataclasses import replace

import pytest

from integration.core.articles import longest_text
from integration.core.causes import Cause
from integration.core.classify import classify
from integration.core.failures import Failure, FailureKind
from integration.core.fingerprint import normalized
from integration.core.outcomes import Finding
from integration.core.records import System
from integration.services.articles import catalog
from tests.core.corpus import KNOWN, UNKNOWN, Said


def cause(what: Failure | Finding) -> Cause:
    return classify(what, catalog())


def name(said: Said) -> str:
    return f"{said.article}: {said.failure.code} {said.failure.message[:40]}"


def sales(message: str, code: str = "", status: int = 400) -> Failure:
    return Failure(System.SALES, FailureKind.REFUSED, code, message, status)


def privilege(name: str, user: str = "1" * 8) -> Failure:
    text = f"User (Id={user}-77e0-4c65-9a54-0c4d0f3d8c11) is missing {name} privilege"
    return sales(text, "0x80040220", 403)


def test_the_corpus_is_large_enough() -> None:
    assert len(KNOWN) >= 120
    assert len(UNKNOWN) >= 30


@pytest.mark.parametrize("said", KNOWN, ids=name)
def test_a_message_belongs_to_its_article_and_names_its_culprits(said: Said) -> None:
    found = cause(said.failure)

    named = {key: found.params.get(key) for key in said.params}
    assert (found.article, named) == (said.article, said.params)


@pytest.mark.parametrize("said", UNKNOWN, ids=name)
def test_a_made_up_message_stays_unknown_and_is_its_own_title(said: Said) -> None:
    found = cause(said.failure)

    assert (found.article, found.category) == ("", "unknown")
    assert found.title.split("…")[0] in said.failure.message


def test_no_two_unknown_messages_are_glued() -> None:
    fingerprints = Counter(cause(said.failure).fingerprint for said in UNKNOWN)

    # The same text said by both systems is two causes.
    assert set(fingerprints.values()) == {1}


def test_only_one_article_asks_for_as_much_of_a_message_as_the_one_chosen() -> None:
    for said in KNOWN:
        message = normalized(said.failure.message)
        rules = catalog().rules_for(said.failure)
        holding = [
            (match.rank, article.id)
            for match, article in rules
            if not match.patterns or any(p.search(message) for p in match.patterns)
        ]
        best = {article for rank, article in holding if rank == holding[0][0]}
        assert best == {said.article}, name(said)


def test_two_privileges_are_two_causes() -> None:
    write, read = privilege("prvWriteAccount"), privilege("prvReadAccount")

    assert cause(write).fingerprint != cause(read).fingerprint


def test_append_and_append_to_are_two_causes() -> None:
    append, to = privilege("prvAppendAccount"), privilege("prvAppendToAccount")

    assert cause(append).fingerprint != cause(to).fingerprint


def test_one_privilege_is_one_cause_for_every_user_and_in_every_language() -> None:
    french = sales("Il manque le privilège prvWriteAccount.", "-2147220960", 403)
    some = [privilege("prvWriteAccount"), privilege("prvWriteAccount", "2" * 8), french]

    assert len({cause(failure).fingerprint for failure in some}) == 1


def test_two_currencies_are_two_causes() -> None:
    euro, pound = (
        cause(Finding("bc-currency-no-exchange-rate", {"currency": code}))
        for code in ("EUR", "GBP")
    )

    assert euro.fingerprint != pound.fingerprint
    assert euro.title == "Currency EUR has no exchange rate"


def test_what_we_find_and_what_business_central_says_is_one_cause() -> None:
    text = (
        "Cannot create or update the currency GBP in Dataverse, because there is no "
        "exchange rate defined for it."
    )
    said = Failure(System.BUSINESS_CENTRAL, FailureKind.REFUSED, "", text)
    found = Finding("bc-currency-no-exchange-rate", {"currency": "GBP"})

    assert cause(said).fingerprint == cause(found).fingerprint


def test_a_finding_reads_the_reason_in_its_own_words() -> None:
    text = "Cannot create … the currency GBP in Sales, because {}."
    later = text.format("its exchange rates all start later")
    finding = Finding("bc-currency-no-exchange-rate", {"currency": "GBP"}, later)

    assert cause(finding).params["reason"] == "only_future"


def test_fields_in_conflict_are_one_cause_in_any_order_and_spelling() -> None:
    one = Finding("conflict-both-changed", {"fields": "phoneNumber,email"})
    other = Finding("conflict-both-changed", {"fields": "emailaddress1, telephone1"})

    assert cause(one).fingerprint == cause(other).fingerprint
    assert cause(one).title == "Changed on both sides: e-mail, phone"


def test_the_same_refusal_of_another_system_is_another_cause() -> None:
    said = Failure(System.SALES, FailureKind.TRANSIENT, "net-timeout", "late")
    other = replace(said, system=System.BUSINESS_CENTRAL)

    assert cause(said).fingerprint != cause(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Row 17 is odd.", "Row 4,211 is odd."),
        ("Since 12 mars 2027 closed.", "Since 3 mai 2026 closed."),
        ("Due 2026-11-22T07:05:00Z here", "Due 2027-01-02T10:00:00Z here"),
        ("At 8:05 AM it stopped", "At 11:15:02 PM it stopped"),
        ("Value 'Müller' is odd", "Value 'L'Atelier' is odd"),
        ('Value "a b" is odd', 'Value "c" is odd'),
        ("Valeur « Léman » refusée", "Valeur « Rhône » refusée"),
        ("Customer C00010 is sad", "Customer CV-2411 is sad"),
        ("Sent to a@b.ch today", "Sent to anna.rochat@leman.ch today"),
        (
            f"Id {'a' * 8}-1111-2222-3333-{'b' * 12} x",
            f"Id {'c' * 8}-1111-2222-3333-{'d' * 12} x",
        ),
        (
            "Odd.  CorrelationId:  " + "1" * 8 + "-1111-1111-1111-" + "1" * 12 + ".",
            "Odd.",
        ),
        ("Modifying 1 failed because of the following error: Odd.", "Odd."),
        ("Too   many\nspaces", "Too many spaces"),
        ("See https://a.ch/x?y=1 for it", "See https://b.ch for it"),
        ("Code 0x8004abcd came", "Code 0x80041111 came"),
    ],
)
def test_an_unknown_message_with_other_values_is_the_same_cause(
    one: str, other: str
) -> None:
    assert cause(sales(one)).fingerprint == cause(sales(other)).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Row 17 is odd.", "Row 17 is even."),
        ("Column telephone1 is odd", "Column telephone2 is odd"),
        ("Column address1_city is odd", "Column address1_line1 is odd"),
        ("It doesn't bark", "It does bark"),
    ],
)
def test_an_unknown_message_with_other_words_is_another_cause(
    one: str, other: str
) -> None:
    assert cause(sales(one)).fingerprint != cause(sales(other)).fingerprint


def test_hexadecimal_and_decimal_codes_are_one_cause() -> None:
    one, other = sales("Odd", "0x80099999"), sales("Odd", "-2146854503")

    assert cause(one).fingerprint == cause(other).fingerprint


def test_a_business_rule_is_one_cause_for_every_record() -> None:
    one, other = (
        Failure(
            System.BUSINESS_CENTRAL,
            FailureKind.REFUSED,
            "Application_DialogException",
            f"Customer {number} is blocked for privacy.",
            400,
        )
        for number in ("10000", "20000")
    )

    assert cause(one).article == "bc-dialog"
    assert cause(one).fingerprint == cause(other).fingerprint


def test_a_refusal_without_words_has_a_title() -> None:
    assert cause(sales("", "0x80099999")).title == (
        "Sales refused without a message (0x80099999)"
    )


def test_a_finding_without_an_article_is_an_unknown_cause() -> None:
    found = cause(Finding("no-such-article", message="The sky is green. Truly."))

    assert (found.article, found.title) == ("", "The sky is green")


def test_a_finding_may_use_the_id_of_the_error_catalogue() -> None:
    found = cause(Finding("both-sides-changed", {"fields": "city"}))

    assert found.article == "conflict-both-changed"


def test_a_title_is_whole_when_a_culprit_is_missing() -> None:
    assert cause(Finding("dv-missing-privilege")).title == (
        "A privilege is missing in Sales"
    )


def test_a_long_title_is_cut_at_a_word() -> None:
    title = cause(sales("word " * 100)).title

    assert len(title) <= 120
    assert title.endswith("word…")


def test_no_message_is_too_hostile() -> None:
    for text in (
        "'" * 9000,
        "prv" * 3000,
        "a@" * 4000,
        "1:" * 4000,
        "é\x00\ud800" * 99,
    ):
        assert cause(sales(text)).fingerprint


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"AADSTS50057\b", "AADSTS50057"),
        (r"prv(?:Create|Read)\w{1,60} is missing", " is missing"),
        (r"(?P<word>\bprv(?:Create|Read)\w)", "prv"),
        (r"(?:seldom)?often", "often"),
        (r"abc?def", "def"),
        (r"ab{2}c|d", ""),
        (r"one[)(]two \(three+\.", "three"),
    ],
)
def test_a_pattern_is_tried_only_where_its_longest_text_stands(
    pattern: str, text: str
) -> None:
    assert longest_text(pattern) == text
