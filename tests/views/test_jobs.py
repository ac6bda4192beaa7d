"""A job's and a review's counts lead to the records they count."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client

from integration.models import Job, JobEntry, SyncError
from tests.factories import SOME_TIME, make_error, make_job, make_mapping
from tests.running import running_systems
from tests.services.engine import Engine, running_engine

pytestmark = pytest.mark.django_db
FIGURE = r"<dt>{}</dt><dd><a href=\"([^\"#]*)#records\">{}</a></dd>"


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Three customers, created in Sales."""
    with running_systems(records=3) as systems, running_engine(systems) as engine:
        engine.accept()
        engine.sync("CURRENCY", "CUSTOMER")
        yield engine


def html(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def follow(client: Client, path: str, word: str, n: int) -> str:
    """The page that a count leads to."""
    found = re.search(FIGURE.format(word, n), html(client, path))
    assert found, f"{n} {word} leads nowhere"
    return html(client, path + found[1] if found[1][0] == "?" else found[1])


def last_job(engine: Engine, direction: str = "to_sales") -> Job:
    return engine.mapping().jobs.filter(direction=direction).latest("id")


def test_what_a_job_created_is_listed_behind_its_count(
    viewer: Client, engine: Engine
) -> None:
    job = last_job(engine)
    assert job.inserted == 3

    page = follow(viewer, f"/jobs/{job.pk}/", "created", 3)

    assert page.count('data-label="Result"') == 3
    assert "single records: created" in page
    assert f'href="/jobs/{job.pk}/#records">Show all' in page


def test_what_failed_leads_to_its_error(viewer: Client, engine: Engine) -> None:
    customer, account = engine.pair("100001")
    engine.change(customer, phoneNumber="021 555 11 11")
    engine.change(account, telephone1="022 555 22 22")
    engine.sync("CUSTOMER")
    job = Job.objects.filter(failed=1).latest("id")

    page = follow(viewer, f"/jobs/{job.pk}/", "failed", 1)

    assert f'<a href="/errors/{SyncError.objects.get().pk}/">100001' in page


def test_a_count_of_what_a_job_does_not_list_is_plain(viewer: Client) -> None:
    job = make_job(unchanged=7, failed=3, skipped=0)
    error = make_error(connection=job.mapping.connection)
    JobEntry.objects.create(
        job=job, kind="failed", bc_id=error.record_key, created_at=SOME_TIME
    )

    page = html(viewer, f"/jobs/{job.pk}/")

    assert "<dt>unchanged</dt><dd>7</dd>" in page
    assert "<dt>failed</dt><dd>3</dd>" in page
    assert '<dt>skipped</dt><dd class="zero">0</dd>' in page


def test_jobs_of_a_mapping_say_so_and_stay_so_in_every_state(viewer: Client) -> None:
    one, other = make_mapping("ITEM"), make_mapping("CONTACT")
    make_job(one)
    make_job(other)

    page = html(viewer, f"/jobs/?mapping={one.pk}")

    assert f'<option value="{one.pk}" selected>' in page
    assert "CONTACT to Sales" not in page
    chips = re.findall(r'class="chip" href="([^"]*)"', page)
    assert len(chips) == 5
    assert all(f"mapping={one.pk}" in href for href in chips)


def test_what_a_job_says_is_paged(viewer: Client) -> None:
    job = make_job(failed=60)
    JobEntry.objects.bulk_create(
        JobEntry(job=job, kind="failed", label=f"N {n}", created_at=SOME_TIME)
        for n in range(60)
    )

    first = viewer.get(f"/jobs/{job.pk}/?result=failed")
    older = f"/jobs/{job.pk}/?result=failed&after={first.context['page'].older}"

    assert first.content.count(b'data-label="Result"') == 50
    assert html(viewer, older).count('data-label="Result"') == 10
    assert "left out: result" in html(viewer, f"/jobs/{job.pk}/?result=odd")


def test_the_counts_of_a_review_lead_to_what_they_count(
    viewer: Client, engine: Engine
) -> None:
    mapping = engine.mapping()
    mapping.reviewed_at = None
    mapping.save()
    plan = engine.review()
    assert plan["coupled"] == 3
    path = f"/mappings/{mapping.pk}/"

    page = follow(viewer, path, "coupled", 3)

    assert page.count('data-label="Result"') == 3
    assert '<dt>to create in Sales</dt><dd class="zero">0</dd>' in html(viewer, path)


@pytest.mark.parametrize(
    ("read", "english", "french"),
    [
        (0, "0 records read", "0 enregistrement lu<"),
        (1, "1 record read", "1 enregistrement lu<"),
        (2, "2 records read", "2 enregistrements lus"),
    ],
)
def test_a_job_counts_what_it_read_in_the_grammar_of_each_language(
    viewer: Client, read: int, english: str, french: str
) -> None:
    job = make_job(records_read=read)

    page = html(viewer, f"/jobs/{job.pk}/")
    viewer.post("/language/", {"language": "fr-ch"})
    page_in_french = html(viewer, f"/jobs/{job.pk}/")

    assert english in page
    assert french in page_in_french
