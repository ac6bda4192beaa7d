"""The first page says how things stand, and each figure leads to its rows."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from integration import clock
from integration.models import PendingRecord, SyncError, User
from integration.services import cells
from tests.factories import make_connection, make_error, make_mapping, make_problem

pytestmark = pytest.mark.django_db


def page(client: Client, language: str = "en") -> str:
    answer = client.get("/", headers={"Accept-Language": language})
    return re.sub(r"\s+", " ", answer.content.decode())


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


@pytest.fixture
def troubled(db: None) -> None:
    """Two causes, three records: two for the administrator."""
    connection = make_mapping().connection
    rate = make_problem(
        connection=connection, title="No rate", article="", who="administrator"
    )
    twice = make_problem(
        connection=connection, title="Twice", article="bc-duplicate-key", who="user"
    )
    for problem, keys in ((rate, "ab"), (twice, "c")):
        for key in keys:
            make_error(record_key=key, problem=problem)
    cells.rebuild()


@pytest.mark.usefixtures("troubled")
@pytest.mark.parametrize(
    ("language", "verdict"),
    [
        ("en", "3 records are out of step, from 2 causes. 1 needs you."),
        (
            "fr",
            "3 enregistrements ne sont pas synchronisés, pour 2 causes. 1 vous attend.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(
    administrator: Client, language: str, verdict: str
) -> None:
    heading = re.search(r"<h1>(.*?)</h1>", page(administrator, language))

    assert heading
    assert text_of(heading[1]) == verdict


@pytest.mark.usefixtures("troubled")
@pytest.mark.parametrize(
    ("language", "verdict", "one", "retry"),
    [
        ("en", "4 entries (1 about the set-up) are", "1 entry", "Retry 1 entry"),
        (
            "fr",
            "4 entrées (dont 1 de configuration) restent à traiter",
            "1 entrée",
            "Réessayer 1 entrée",
        ),
    ],
)
def test_what_is_no_record_is_not_called_one(
    administrator: Client, language: str, verdict: str, one: str, retry: str
) -> None:
    problem = make_problem(title="No licence", article="", who="administrator")
    make_error(problem=problem, mapping_key="", direction="", record_key="")
    cells.rebuild()
    headers = {"accept-language": language}

    html = page(administrator, language)
    heading = re.search(r"<h1>(.*?)</h1>", html)
    path = reverse("problem", args=[problem.pk])
    of_cause = administrator.get(path, headers=headers).content.decode()
    causes = administrator.get("/problems/", headers=headers).content.decode()

    assert heading
    assert verdict in text_of(heading[1])
    assert f">{one}<" in html
    assert f"2 causes, 3 {verdict.split()[1]}" in html
    assert retry in of_cause
    assert f">{one[2:]}<" in causes


@pytest.mark.usefixtures("troubled")
def test_causes_stand_under_who_fixes_them(administrator: Client) -> None:
    html = page(administrator)

    for_you, for_users = html.split("For you to fix")[1].split("For users to fix")
    assert "2 records" in for_you
    assert "1 record<" in for_users


@pytest.mark.usefixtures("troubled")
def test_a_group_counts_what_its_list_shows_also_where_a_cause_is_ignored(
    administrator: Client,
) -> None:
    connection = SyncError.objects.latest("pk").connection
    for title in ("Not wanted", "Nor this"):
        problem = make_problem(connection, title=title, article="", who="administrator")
        make_error(problem=problem, state="ignored", record_key=title)
    cells.rebuild()

    html = page(administrator)

    href = link_of(html, "3 causes, 4 records")
    rows = administrator.get(href).content.decode()
    assert rows.count('<th scope="row"') == 4
    for_you = html.split("For you to fix")[1].split("For users to fix")[0]
    assert "Not wanted" not in for_you
    assert 'href="/problems/?who=administrator">2 more causes<' in for_you
    assert "1 needs you" in text_of(html)


def test_a_cause_leads_to_those_that_wait_and_those_that_are_ignored(
    viewer: Client,
) -> None:
    problem = make_problem()
    for state in ("open", "ignored", "ignored"):
        make_error(problem=problem, state=state)
    make_error(problem=problem, waits_for="CURRENCY:EUR")
    cells.rebuild()

    causes = viewer.get("/problems/").content.decode()

    for words, state, count in (
        ("1 of them waits", "waiting", 1),
        ("2 of them are ignored", "ignored", 2),
    ):
        href = link_of(causes, words)
        assert href == f"/errors/?problem={problem.pk}&state={state}"
        rows = viewer.get(href).content.decode()
        assert rows.count('<th scope="row"') == count


@pytest.mark.usefixtures("troubled")
def test_a_viewer_is_told_that_an_administrator_fixes_it(viewer: Client) -> None:
    html = page(viewer)

    assert "For an administrator to fix" in html
    assert "need" not in text_of(html.split("</h1>")[0].split("<h1>")[1])


@pytest.mark.usefixtures("troubled")
def test_only_one_button_is_filled(administrator: Client) -> None:
    assert page(administrator).count("btn-primary") <= 1


def test_records_without_an_entry_are_told_and_listed(viewer: Client) -> None:
    PendingRecord.objects.create(
        mapping=make_mapping(),
        side="sales",
        record_id="x",
        label="10000 Adatum",
        skipped_at=clock.now(),
        skip_reason="The filter of the mapping leaves it out.",
    )
    link = "/couplings/?show=unlisted"

    assert f'<a href="{link}">1 record is out of step' in page(viewer)
    assert "10000 Adatum" in viewer.get(link).content.decode()


def test_a_mapping_without_records_has_an_empty_bar(viewer: Client) -> None:
    make_mapping()

    html = page(viewer)

    assert "0 of 0 in step" in html
    assert '<rect class="part" width="0"' in html


def test_a_mapping_line_leads_to_its_failing_rows(viewer: Client) -> None:
    mapping = make_mapping(connection=make_connection())
    make_error(connection=mapping.connection)
    cells.rebuild()
    found = re.search(r'href="(/errors/\?connection=[^"]+)">1<', page(viewer))

    assert found
    rows = viewer.get(found[1].replace("&amp;", "&")).content.decode()
    assert rows.count('<th scope="row"') == 1


@pytest.fixture
def returned(viewer: Client) -> User:
    """The viewer was here yesterday; one record has failed since."""
    now = clock.now()
    make_error(first_seen=now, last_seen=now)
    yesterday = now - timedelta(days=1)
    User.objects.update(seen_at=yesterday, away_since=None)
    return User.objects.get()


def link_of(html: str, words: str) -> str:
    found = re.search(rf'href="([^"]+)">{words}<', html)
    assert found, words
    return found[1].replace("&amp;", "&")


@pytest.mark.parametrize(("language", "words"), [("en", "1 new"), ("fr", "1 nouvelle")])
@pytest.mark.usefixtures("returned")
def test_who_comes_back_is_told_what_is_new(
    viewer: Client, language: str, words: str
) -> None:
    rows = viewer.get(link_of(page(viewer, language), words)).content.decode()

    assert rows.count('<th scope="row"') == 1


def test_parts_that_ask_again_by_themselves_end_no_pause(
    viewer: Client, returned: User
) -> None:
    viewer.get("/errors/", headers={"HX-Request": "true", "HX-Target": "list"})
    returned.refresh_from_db()

    assert returned.away_since is None
    assert "1 new<" in page(viewer)


def test_news_that_were_read_are_gone(viewer: Client, returned: User) -> None:
    assert "Since your last visit" in page(viewer)

    viewer.post("/account/caught-up/")

    assert "Since your last visit" not in page(viewer)


@pytest.mark.usefixtures("returned")
def test_changes_by_others_lead_to_their_operations(
    viewer: Client, administrator: Client
) -> None:
    error = make_error()
    administrator.post(
        "/errors/resolve/", {"entry": error.pk, "reason": "Done by phone"}
    )
    listed = viewer.get(link_of(page(viewer), "1 change by others")).content.decode()

    assert "Done by phone" in listed
    assert listed.count('<th scope="row"') == 1


@pytest.mark.parametrize("query", ["by=colleagues", "from=2026-11-01", "by=x&from=y"])
def test_half_of_a_question_about_others_is_left_out_and_said(
    viewer: Client, query: str
) -> None:
    html = viewer.get(f"/operations/?{query}").content.decode()

    assert "Not understood in the address" in html


def test_an_installation_without_connection_says_what_to_do_first(
    viewer: Client, db: None
) -> None:
    new = viewer.get("/").content.decode()
    make_connection()
    begun = viewer.get("/").content.decode()

    assert "There is no connection yet." in new
    assert "There is no connection yet." not in begun
