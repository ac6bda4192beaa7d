"""Teaching on pages: who may, what is shown before, what stands afterwards."""

import pytest
from django.test import Client

from integration.models import Operation, SyncError, TaughtArticle
from integration.services import cells, regrouping
from integration.services.regrouping import regroup
from tests.factories import make_error, make_problem

pytestmark = pytest.mark.django_db
MESSAGE = 'Gondola "Arve" is closed since 2026-11-03 in station 17.'
PATTERN = "Gondola {…} is closed since {…} in station {…}."
WORDS = {
    "patterns": PATTERN,
    "title_en": "A gondola is closed",
    "meaning_en": "The wind is too strong.",
    "steps_en": "Wait for the wind.",
    "who": "user",
    "category": "validation",
    "key": "k",
}


@pytest.fixture
def errors(db: None) -> list[SyncError]:
    problem = make_problem(title="Gondola is closed")
    found = [make_error(problem=problem, message=MESSAGE) for _number in range(3)]
    cells.rebuild()
    return found


def post(client: Client, language: str = "en", **values: str) -> str:
    answer = client.post(
        "/articles/teach/",
        WORDS | values,
        follow=True,
        headers={"Accept-Language": language},
    )
    return answer.content.decode()


def saved(client: Client, **values: str) -> TaughtArticle:
    post(client, do="save", seen=values.get("patterns", PATTERN), **values)
    return TaughtArticle.objects.get()


def test_an_unknown_message_is_offered_to_be_taught(
    administrator: Client, viewer: Client
) -> None:
    html = administrator.post("/explain/", {"message": MESSAGE}).content.decode()
    read = viewer.post("/explain/", {"message": MESSAGE}).content.decode()

    assert 'action="/articles/teach/"' in html
    assert "An administrator can teach" in read
    assert 'action="/articles/teach/"' not in read


def test_the_offer_leads_to_a_pattern_with_places(administrator: Client) -> None:
    answer = administrator.post("/articles/teach/", {"message": MESSAGE})

    assert PATTERN in answer.content.decode()
    assert not TaughtArticle.objects.exists()


def test_the_page_of_an_unknown_cause_offers_it_with_its_message(
    administrator: Client, errors: list[SyncError]
) -> None:
    problem = errors[0].problem_id
    html = administrator.get(f"/problems/{problem}/").content.decode()

    assert f'href="/articles/teach/?problem={problem}"' in html
    page = administrator.get(f"/articles/teach/?problem={problem}").content.decode()
    assert PATTERN in page


def test_what_it_matches_is_shown_before_it_is_saved(
    administrator: Client, errors: list[SyncError]
) -> None:
    html = post(administrator, do="preview")

    assert "It matches 3 open errors." in html
    assert f'href="/problems/{errors[0].problem_id}/"' in html
    assert all(f'href="/errors/{row.pk}/"' in html for row in errors)
    assert not TaughtArticle.objects.exists()
    assert not Operation.objects.exists()


def test_it_is_saved_only_with_the_pattern_that_was_seen(
    administrator: Client, errors: list[SyncError]
) -> None:
    html = post(administrator, do="save", seen="Gondola {…} is shut in {…}")

    assert "Look at what it matches now" in html
    assert not TaughtArticle.objects.exists()


def test_what_was_saved_explains_its_errors_at_once(
    administrator: Client, viewer: Client, errors: list[SyncError]
) -> None:
    article = saved(administrator)

    html = viewer.get(f"/articles/{article.key}/").content.decode()
    assert "3 records of" in html
    assert "A gondola is closed" in viewer.get("/articles/").content.decode()
    row = viewer.get(f"/errors/{errors[0].pk}/").content.decode()
    assert "Wait for the wind." in row
    old = viewer.get(f"/problems/{errors[0].problem_id}/").content.decode()
    assert "Its records are under “A gondola is closed” now" in old
    shown = viewer.get("/errors/").content.decode()
    assert shown.count("A gondola is closed") >= 3


@pytest.mark.parametrize("language", ["en", "fr"])
def test_many_errors_are_moved_by_a_worker_and_the_page_that_follows_tells(
    administrator: Client,
    errors: list[SyncError],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
) -> None:
    monkeypatch.setattr(regrouping, "_SMALL", 2)

    html = post(administrator, language, do="save", seen=PATTERN)

    assert 'hx-trigger="load delay:2s"' in html
    said = {"en": "0 errors have moved so far", "fr": "0 erreur déplacée jusqu"}
    assert said[language] in html
    assert SyncError.objects.filter(problem__article="").count() == 3
    regroup()
    page = administrator.get(f"/operations/{Operation.objects.get().pk}/")
    assert "moved so far" not in page.content.decode()
    assert SyncError.objects.filter(problem__article="").count() == 0


def test_a_reader_of_the_other_language_is_told_so(
    administrator: Client, viewer: Client, errors: list[SyncError]
) -> None:
    article = saved(administrator)

    page = viewer.get(f"/articles/{article.key}/", headers={"Accept-Language": "fr"})

    html = page.content.decode()
    assert "Rédigé en anglais seulement." in html
    assert '<p lang="en">The wind is too strong.</p>' in html


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"patterns": "{…} the {…}"}, "too wide"),
        ({"patterns": "no exchange rate defined for it"}, "built-in article"),
        ({"patterns": ""}, "required"),
        ({"steps_en": ""}, "Give title, meaning and steps"),
        ({"title_fr": "Une télécabine"}, "Give title, meaning and steps"),
        ({"title_en": "", "meaning_en": "", "steps_en": ""}, "in English or in French"),
        ({"title_en": "A {thing}"}, "patterns only"),
        ({"steps_en": "[Here](https://x.ch)"}, "is no place"),
        ({"patterns": "x" * 501}, "at most 500"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    administrator: Client, values: dict[str, str], words: str
) -> None:
    html = post(
        administrator, do="save", seen=values.get("patterns", PATTERN), **values
    )

    assert words in html
    assert not TaughtArticle.objects.exists()


def test_an_article_is_changed_and_withdrawn_with_who_and_why(
    administrator: Client, errors: list[SyncError]
) -> None:
    article = saved(administrator)
    change = WORDS | {"title_en": "No gondola", "seen": PATTERN, "do": "save"}

    administrator.post(f"/articles/{article.key}/change/", change)
    assert "No gondola" in administrator.get("/problems/").content.decode()
    administrator.post(f"/articles/{article.key}/withdraw/", {"reason": "wrong"})

    assert "No gondola" not in administrator.get("/problems/").content.decode()
    acts = Operation.objects.order_by("id").values_list("kind", "rows", "reason")
    assert [act[:2] for act in acts] == [("teach", 3), ("teach", 0), ("teach", 3)]
    assert acts[2][2] == "wrong"
    last = Operation.objects.latest("id")
    page = administrator.get(f"/operations/{last.pk}/").content.decode()
    assert "withdrawn" in page
    assert PATTERN in page


def test_markup_in_an_article_stays_text(
    administrator: Client, errors: list[SyncError]
) -> None:
    article = saved(administrator, title_en="<script>alert(1)</script>")

    for path in (f"/articles/{article.key}/", "/articles/", "/errors/", "/problems/"):
        assert "<script>alert(1)" not in administrator.get(path).content.decode()


@pytest.mark.parametrize("key", ["taught-0", "taught-x", "taught-", f"taught-{10**40}"])
def test_an_article_that_is_not_there_is_not_found(
    administrator: Client, key: str
) -> None:
    for path in ("", "change/"):
        assert administrator.get(f"/articles/{key}/{path}").status_code == 404
