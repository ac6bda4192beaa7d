"""The first page says how things stand, and each figure leads to its rows."""

import re

import pytest
from django.test import Client

from integration import clock
from integration.models import PendingRecord
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
def test_causes_stand_under_who_fixes_them(administrator: Client) -> None:
    html = page(administrator)

    for_you, for_users = html.split("For you to fix")[1].split("For users to fix")
    assert "2 records" in for_you
    assert "1 record<" in for_users


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

    assert f'<a href="{link}">1 more record is out of step' in page(viewer)
    assert "10000 Adatum" in viewer.get(link).content.decode()


def test_a_mapping_line_leads_to_its_failing_rows(viewer: Client) -> None:
    mapping = make_mapping(connection=make_connection())
    make_error(connection=mapping.connection)
    cells.rebuild()
    found = re.search(r'href="(/errors/\?connection=[^"]+)">1<', page(viewer))

    assert found
    rows = viewer.get(found[1].replace("&amp;", "&")).content.decode()
    assert rows.count('<th scope="row"') == 1
