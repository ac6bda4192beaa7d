"""What an administrator teaches: shown first, then used for what is and what comes."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Count, Sum
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from integration import clock
from integration.choices import OperationKind, OperationState, Role
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind, RecordRef
from integration.core.records import Direction, System
from integration.models import (
    AlertSubject,
    ErrorTotal,
    Operation,
    Problem,
    SyncError,
    TableMapping,
    TaughtArticle,
    User,
)
from integration.services import cells, regrouping
from integration.services.actors import Refused
from integration.services.alerts import note_moved
from integration.services.articles import render, title_of
from integration.services.cells import count_by_place
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import CleanupRequest
from integration.services.cleanup_preview import preview as look
from integration.services.error_filters import parse_filter
from integration.services.errors import record_outcomes
from integration.services.explanations import explain
from integration.services.regrouping import is_regrouping_due, regroup
from integration.services.teaching import change, preview, teach, withdraw
from integration.services.undo import undo
from tests.factories import make_job, make_mapping, make_user
from tests.services.engine import Engine

pytestmark = pytest.mark.django_db
BLOCKED = "Customer {} is blocked by the dunning team since {}."
PATTERN = "Customer {…} is blocked by the dunning team since {…}"


@pytest.fixture
def anna() -> User:
    return make_user(Role.ADMINISTRATOR, username="anna")


@pytest.fixture
def mapping(db: None) -> TableMapping:
    return make_mapping()


def article(**values: str) -> TaughtArticle:
    told = {
        "patterns": PATTERN,
        "title_en": "The dunning team blocked the customer",
        "title_fr": "Le service du contentieux a bloqué le client",
        "meaning_en": "Somebody has not paid.",
        "meaning_fr": "Quelqu'un n'a pas payé.",
        "steps_en": "Ask the dunning team.\nRetry.",
        "steps_fr": "Demandez au contentieux.\nRéessayez.",
        "who": "user",
        "category": "validation",
    }
    return TaughtArticle(**(told | values))


def failing(
    mapping: TableMapping,
    messages: Mapping[str, str],
    waits_for: str = "",
    code: str = "",
    system: System = System.BUSINESS_CENTRAL,
) -> None:
    """Records, by number, that fail with a message."""
    outcomes = [
        Outcome(
            OutcomeKind.FAILED,
            Direction.TO_BUSINESS_CENTRAL,
            f"{number:0>36}",
            sales=RecordRef(number, number, f"Customer {number}"),
            failure=Failure(system, FailureKind.REFUSED, code, message, 400),
            waits_for=waits_for,
        )
        for number, message in messages.items()
    ]
    with transaction.atomic():
        record_outcomes(make_job(mapping), outcomes)


def blocked(*numbers: int) -> dict[str, str]:
    return {
        str(n): BLOCKED.format(f"Müller {chr(65 + n % 26)}", f"2026-11-{n % 28 + 1:02}")
        for n in numbers
    }


def problems() -> dict[str, int]:
    """Relevant errors by title, after the roll-ups were compared with a live count."""
    live = count_by_place(SyncError.objects.all(), Operation.objects.cuts())
    rows = ErrorTotal.objects.order_by().values_list("state").annotate(Sum("n"))
    states: dict[str, int] = {}
    for cell, n in live.get(0, {}).items():
        states[cell.state] = states.get(cell.state, 0) + n
    assert dict(rows) == states
    found = SyncError.objects.relevant().order_by().values_list("problem__title")
    return dict(found.annotate(Count("id")))


def same_counts() -> bool:
    """Whether what is counted by problem is what is there."""
    total = dict(
        ErrorTotal.objects.order_by().values_list("problem_id").annotate(Sum("n"))
    )
    rows = SyncError.objects.filter(deleted_by=None).visible(Operation.objects.cuts())
    return total == dict(
        rows.order_by().values_list("problem_id").annotate(Count("id"))
    )


def taught(article: TaughtArticle, by: User) -> TaughtArticle:
    teach(article, by)
    assert regroup()
    return article


def test_a_preview_counts_what_would_be_moved_and_changes_nothing(
    mapping: TableMapping,
) -> None:
    failing(mapping, blocked(1, 2, 3) | {"9": "The moon is wrong."})
    before = problems()

    found = preview(article())

    assert found.errors == 3
    assert {problem.title for problem in found.found} <= before.keys()
    assert problems() == before
    assert not Operation.objects.exists()


def test_a_preview_costs_the_same_queries_however_many_errors_there_are(
    mapping: TableMapping, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    failing(mapping, blocked(1, 2, 3))
    with CaptureQueriesContext(connection) as few:
        assert preview(article()).errors == 3

    failing(mapping, blocked(*range(4, 1_300)))

    with django_assert_num_queries(len(few)):
        assert preview(article()).errors == 1_299


def test_open_errors_move_to_what_was_taught_and_new_ones_find_it(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1, 2, 3) | {"9": "The moon is wrong."})

    saved = taught(article(), anna)
    failing(mapping, blocked(3, 4))

    assert problems() == {saved.title_en: 4, "The moon is wrong": 1}
    assert same_counts()
    operation = Operation.objects.get(kind=OperationKind.TEACH)
    assert (operation.by, operation.state, operation.rows) == (anna, "done", 3)
    assert SyncError.objects.get(sales_number="3").occurrences == 2


def test_what_was_taught_is_told_in_both_languages(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1))
    saved = taught(article(), anna)

    problem = Problem.objects.get(article=saved.key)

    told = title_of(problem.article, problem.params, "fr-ch", problem.title)
    assert told == saved.title_fr
    assert render(problem.article, problem.params, "en").meaning == saved.meaning_en
    assert (problem.who, problem.category) == ("user", "validation")
    row = SyncError.objects.get()
    assert "contentieux" in row.search_text


def test_one_language_serves_both_readers_and_says_so(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1))
    saved = taught(article(title_fr="", meaning_fr="", steps_fr=""), anna)
    problem = Problem.objects.get(article=saved.key)

    told = render(problem.article, problem.params, "fr")

    assert (told.title, told.foreign) == (saved.title_en, "en")
    assert len(told.steps) == 2
    assert render(problem.article, problem.params, "en").foreign == ""


@pytest.mark.parametrize(
    "pattern",
    ["", "{…}", "the {…}", "{…} is {…} of {…}", "Error {…}", "......................"],
)
def test_a_pattern_that_would_fit_everything_is_refused(
    anna: User, pattern: str
) -> None:
    with pytest.raises(Refused, match=r"too wide|at least one"):
        teach(article(patterns=pattern), anna)
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("pattern", "title"),
    [
        ("because there is no exchange rate defined for it", "exchange rate"),
        ("a duplicate of the current record already {…}", "Duplicate|twin|already"),
        ("AADSTS50055: The password {…} has expired", "password"),
        ("is missing {…} privilege (Id={…}) on OTC={…}", "rivilege"),
    ],
)
def test_a_pattern_of_a_built_in_article_is_refused(
    anna: User, pattern: str, title: str
) -> None:
    with pytest.raises(Refused, match="built-in article") as refused:
        teach(article(patterns=pattern), anna)
    assert refused.match(title)


def test_a_pattern_of_what_fails_for_a_built_in_cause_is_refused(
    anna: User, mapping: TableMapping
) -> None:
    failing(
        mapping,
        {"1": "Too many words about the colour of the sky."},
        code="0x80044331",
        system=System.SALES,
    )

    with pytest.raises(Refused, match="always wins"):
        preview(article(patterns="words about the colour of {…}"))


def test_a_business_rule_without_an_article_of_its_own_may_be_taught(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1, 2), code="Application_DialogException")
    failing(mapping, {"8": "No."}, code="Application_DialogException")

    saved = taught(article(), anna)
    failing(mapping, blocked(3), code="Application_DialogException")

    assert problems() == {saved.title_en: 3, "No": 1}


def test_what_waits_for_a_record_moves_with_it(
    anna: User, mapping: TableMapping
) -> None:
    currency = make_mapping("CURRENCY", connection=mapping.connection)
    failing(currency, {"EUR": BLOCKED.format("EUR", "May")})
    failing(mapping, {"1": "x", "2": "y"}, waits_for="CURRENCY:EUR")

    found = preview(article())
    saved = taught(article(), anna)

    assert found.errors == 3
    assert problems() == {saved.title_en: 3}
    assert same_counts()


def test_withdrawing_shows_errors_as_the_systems_said_them(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1, 2) | {"9": "The moon is wrong."})
    failing(mapping, blocked(3), code="Application_DialogException")
    before = problems()
    saved = taught(article(), anna)

    withdraw(saved, anna)
    regroup()
    failing(mapping, blocked(1))

    assert problems() == before
    assert same_counts()
    assert title_of(saved.key, {"edition": saved.edition}, "en", "") == saved.title_en
    with pytest.raises(Refused, match="withdrawn"):
        change(saved, anna)


def test_what_both_systems_say_is_one_cause_and_goes_back_to_two(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1), code="Unknown")
    failing(mapping, blocked(2), code="Unknown", system=System.SALES)
    fingerprints = sorted(SyncError.objects.values_list("fingerprint", flat=True))

    saved = taught(article(), anna)
    assert Problem.objects.filter(article=saved.key).count() == 1
    assert problems() == {saved.title_en: 2}
    withdraw(saved, anna)
    regroup()

    back = sorted(SyncError.objects.values_list("fingerprint", flat=True))
    assert back == fingerprints
    assert same_counts()


def test_a_changed_article_takes_and_leaves_errors_and_is_told_anew(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1) | {"9": "Today the moon is wrong."})
    saved = taught(article(), anna)

    saved.patterns, saved.title_en = "Today the {…} is wrong", "A wrong moon"
    change(saved, anna)
    regroup()

    found = problems()
    assert found.pop("A wrong moon") == 1
    assert list(found.values()) == [1]
    row = SyncError.objects.get(sales_number="9")
    assert row.problem.article == saved.key
    assert "a wrong moon" in row.search_text


def test_new_words_alone_are_found_by_a_search(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1))
    saved = taught(article(), anna)

    saved.title_en = "Gondola"
    change(saved, anna)
    regroup()

    assert problems() == {"Gondola": 1}
    assert "gondola" in SyncError.objects.get().search_text


def test_the_pattern_that_says_more_has_a_message(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1))
    taught(article(patterns="is blocked by the dunning"), anna)

    second = taught(article(title_en="More exact"), anna)

    assert problems() == {second.title_en: 1}


def test_it_goes_on_after_being_killed_between_any_two_chunks(
    anna: User, mapping: TableMapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regrouping, "_CHUNK", 2)
    failing(mapping, blocked(*range(1, 8)))
    saved = teach(article(), anna)

    passes = 0
    while not regroup(max_seconds=0):
        passes += 1
        assert same_counts()
        assert is_regrouping_due()

    assert passes > 2
    assert problems() == {saved.title_en: 7}
    assert Operation.objects.get(kind="teach").rows == 7


def test_killed_inside_a_chunk_nothing_of_it_is_done(
    anna: User, mapping: TableMapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(mapping, blocked(1, 2))
    before = problems()
    teach(article(), anna)

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(regrouping, "note_moved", die)
        with pytest.raises(KeyboardInterrupt):
            regroup()

    assert problems() == before
    assert same_counts()
    assert regroup()
    assert list(problems().values()) == [2]


def test_an_article_changed_meanwhile_is_looked_for_again(
    anna: User, mapping: TableMapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(mapping, blocked(1))
    saved = teach(article(), anna)

    def late(source: Problem, target: Problem) -> None:
        change(TaughtArticle.objects.get(), anna)
        note_moved(source, target)

    with monkeypatch.context() as slow:
        slow.setattr(regrouping, "note_moved", late)
        regroup()

    assert is_regrouping_due()
    assert regroup()
    assert not is_regrouping_due()
    assert saved.pk


def test_what_a_clean_up_hid_comes_back_under_what_was_taught(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1, 2))
    ids = list(SyncError.objects.values_list("id", flat=True))
    deleted = delete_selected(ids[:1], anna)
    assert preview(article()).errors == 1

    saved = taught(article(), anna)
    assert same_counts()
    undo(deleted, anna)
    regroup()

    assert problems() == {saved.title_en: 2}
    assert same_counts()


@pytest.mark.parametrize("by", ["problem", "q"])
def test_nothing_enters_a_previewed_clean_up_because_of_what_is_taught(
    anna: User, mapping: TableMapping, by: str
) -> None:
    failing(mapping, blocked(1, 2, 3))
    saved = taught(article(), anna)
    failing(mapping, {"8": "Quite another refusal of the bank."})
    cause = SyncError.objects.filter(record_key__endswith="1").get().problem_id
    query = {"problem": str(cause), "q": "dunning team blocked"}
    filters, _ = parse_filter({by: query[by], "state": "all"})
    shown = look(CleanupRequest(None, filters), anna)
    saved.patterns += "\nQuite another refusal of the bank."
    change(saved, anna)

    for _moved in (False, True):
        with pytest.raises(Refused, match="came into this list since"):
            delete(shown.token, shown.request, anna, include_relevant=True, typed="3")
        regroup()

    assert same_counts()
    assert SyncError.objects.visible(Operation.objects.cuts()).count() == 4


@pytest.mark.parametrize("searched", ["dunning team blocked", "bank"])
def test_new_words_take_nothing_out_of_a_clean_up_or_into_it(
    anna: User, mapping: TableMapping, searched: str
) -> None:
    failing(mapping, blocked(1, 2, 3))
    failing(mapping, {"8": "Quite another refusal of the bank."})
    saved = taught(article(), anna)
    filters, _ = parse_filter({"q": searched, "state": "all"})
    shown = look(CleanupRequest(None, filters), anna)
    typed = str(shown.relevant)
    delete(shown.token, shown.request, anna, include_relevant=True, typed=typed)
    before = set(SyncError.objects.visible(Operation.objects.cuts()))
    saved.title_en = "The bank blocked the customer"
    change(saved, anna)

    regroup()

    assert set(SyncError.objects.visible(Operation.objects.cuts())) == before
    assert same_counts()


def test_ignored_errors_stay_ignored_and_the_assignee_stays(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1))
    SyncError.objects.update(state="ignored", ignored_until=clock.now())
    with transaction.atomic():
        cells.rebuild()
    Problem.objects.update(assignee=anna)

    saved = taught(article(), anna)

    row = SyncError.objects.get()
    assert (row.state, row.problem.assignee) == ("ignored", anna)
    assert Problem.objects.exclude(article=saved.key).get().moved_to == row.problem
    assert same_counts()


def test_a_move_is_no_news(anna: User, mapping: TableMapping) -> None:
    failing(mapping, blocked(1))
    source = Problem.objects.get()
    since = clock.now() - timedelta(days=1)
    AlertSubject.objects.create(problem=source, stands=True, since=since)

    saved = taught(article(), anna)

    stands = dict(AlertSubject.objects.values_list("problem__article", "stands"))
    assert stands == {"": False, saved.key: True}


def test_a_pasted_message_finds_what_was_taught(
    anna: User, mapping: TableMapping
) -> None:
    failing(mapping, blocked(1))
    saved = taught(article(), anna)

    found = explain(BLOCKED.format("Somebody", "Monday"))

    assert [one.cause.article for one in found] == [saved.key]
    [(problem, count)] = found[0].known
    assert (problem.article, count) == (saved.key, 1)


def test_only_an_administrator_teaches(mapping: TableMapping) -> None:
    with pytest.raises(Refused, match="administrator"):
        teach(article(), make_user(Role.OPERATOR))


def test_a_second_click_saves_nothing(anna: User) -> None:
    teach(article(), anna, key="k")

    with pytest.raises(Refused, match="already"):
        teach(article(), anna, key="k")

    assert TaughtArticle.objects.count() == 1
    assert Operation.objects.get().state == OperationState.RUNNING


def test_what_the_engine_meets_is_joined_after_it_was_taught(
    anna: User, engine: Engine
) -> None:
    engine.systems.break_something("dv-plugin-aborted", entity="accounts")
    for number in ("100001", "100002"):
        engine.change(engine.customer(number), displayName=f"Renamed {number}")
    engine.sync("CUSTOMER")
    [before] = {row.problem.title for row in engine.errors()}

    saved = taught(article(patterns="plug-in of this environment does not allow"), anna)
    engine.change(engine.customer("100003"), displayName="Renamed, too")
    engine.make_due()
    engine.sync("CUSTOMER")

    assert before == "The plug-in of this environment does not allow this change"
    assert engine.articles() == [saved.key] * 3
    assert same_counts()
    assert sorted(row.occurrences for row in engine.errors()) == [1, 2, 2]

    engine.systems.repair()
    engine.make_due()
    engine.sync("CUSTOMER")
    assert engine.errors() == []
