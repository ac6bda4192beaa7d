"""What machines ask: alive, ready, and the figures of the pages."""

import re
from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from integration import clock
from integration.choices import CheckState
from integration.models import PendingRecord
from integration.services import cells, doctor
from integration.services.shared_memory import SharedMemory
from integration.services.status import read_shell
from tests.factories import make_error, make_job, make_mapping, make_problem

TOKEN = "scrape-token-of-32-characters-or-so"  # of this test only
SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)


def samples(client: Client) -> dict[tuple[str, frozenset[str]], float]:
    """Every sample by name and labels."""
    page = client.get("/metrics").content.decode()
    return {
        (name, frozenset(labels.split(","))): float(value)
        for name, labels, value in SAMPLE.findall(page)
    }


def test_health_needs_no_one_and_no_database() -> None:
    response = Client().get("/healthz")

    assert response.content == b"ok\n"


def test_a_browser_finds_the_icon_of_what_is_no_page() -> None:
    response = Client().get("/favicon.ico")

    assert response.status_code == 302
    assert response["Location"].endswith("mark.svg")


def test_ready_is_who_has_database_and_broker(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        doctor, "check_broker", lambda: doctor.OwnLine("broker", CheckState.OK, "")
    )

    assert Client().get("/readyz").content == b"ok\n"


@pytest.fixture
def read_only(transactional_db: None) -> Iterator[Callable[[str], object]]:
    """Makes SQLite refuse each write, as a full disk or a lock does."""
    with database.cursor() as cursor:
        yield lambda state: cursor.execute(f"PRAGMA query_only = {state}")
        cursor.execute("PRAGMA query_only = off")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Nothing was changed by this page"), ("fr-ch", "n'a rien changé")],
)
def test_what_cannot_be_stored_is_said_in_one_sentence(
    read_only: Callable[[str], object], viewer: Client, language: str, said: str
) -> None:
    viewer.raise_request_exception = False
    form = {"language": language, "time_zone": "Europe/Zurich", "theme": "dark"}
    viewer.post("/account/", form)
    read_only("on")

    refused = viewer.post("/account/", form | {"theme": "light"})
    read = viewer.get("/errors/")

    assert (refused.status_code, refused["Retry-After"]) == (503, "30")
    assert said in refused.content.decode()
    assert refused["Content-Security-Policy"]
    assert read.status_code == 200


@pytest.fixture
def written_to(broker: None, broker_url: str) -> Iterator[Callable[[int], None]]:
    """Lets the broker take nothing while it has fewer replicas than told."""
    redis = SharedMemory(broker_url)

    def want(replicas: int) -> None:
        redis.ask(lambda to: to.config_set("min-replicas-to-write", replicas))

    yield want
    want(0)


@pytest.mark.embedded
def test_a_broker_that_takes_nothing_is_not_ready(
    db: None, written_to: Callable[[int], None]
) -> None:
    before = Client().get("/readyz")
    written_to(1)

    refused = Client().get("/readyz")
    line = doctor.check_broker()

    assert before.content == b"ok\n"
    assert refused.content == b"not ready: broker\n"
    assert "takes no task" in line.sentence
    assert "NOREPLICAS" in line.sentence


@pytest.mark.embedded
def test_a_broker_that_refuses_us_says_why(broker: None, broker_url: str) -> None:
    without = broker_url.replace("virtual_host=0", "virtual_host=99")
    current_app.conf.update(broker_url=without)
    try:
        line = doctor.check_broker()
    finally:
        current_app.conf.update(broker_url=broker_url)

    assert line.state == CheckState.WARN
    assert "index is out of range" in line.sentence


def test_not_ready_names_the_part_and_nothing_else(db: None) -> None:
    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.content == b"not ready: broker\n"


def test_the_figures_equal_those_of_the_pages(db: None) -> None:
    mapping = make_mapping()
    problem = make_problem(mapping.connection, who="user")
    for state in ("open", "open", "resolved"):
        make_error(problem=problem, state=state)
    make_error(problem=make_problem(mapping.connection), waits_for="EUR")
    make_job(mapping, finished_at=clock.now())
    make_job(mapping, state="running")
    PendingRecord.objects.create(
        mapping=mapping, side="sales", record_id="s1", skipped_at=clock.now()
    )
    with transaction.atomic():
        cells.rebuild()

    found = samples(Client())

    def figure(name: str, **labels: str) -> float:
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        rows = (n for (own, row), n in found.items() if own == name and wanted <= row)
        return sum(rows)

    shell = read_shell()
    name = mapping.connection.name
    assert figure("syncerrors_errors", state="open") == shell.open == 2
    assert figure("syncerrors_errors", state="waiting") == shell.waiting == 1
    assert figure("syncerrors_errors", who="user", mapping="CUSTOMER") == 3
    assert figure("syncerrors_problems", connection=name) == 2
    assert figure("syncerrors_jobs", state="running") == 1
    assert figure("syncerrors_jobs_ended", state="succeeded") == 1
    assert figure("syncerrors_pending_records", kind="skipped") == 1
    assert figure("syncerrors_connection_paused", connection=name) == 0
    assert figure("syncerrors_connection_enabled", connection=name) == 1
    assert 0 <= figure("syncerrors_last_success_age_seconds", connection=name) < 60


def test_a_scrape_reads_no_error_row(db: None) -> None:
    make_error()

    with CaptureQueriesContext(database) as asked:
        Client().get("/metrics")

    assert len(asked) <= 9
    assert not [one for one in asked if 'FROM "integration_syncerror"' in one["sql"]]


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ({}, 403),
        ({"X-Forwarded-For": ""}, 403),
        ({"X-Forwarded-For": "unknown"}, 403),
        ({"X-Forwarded-For": "127.0.0.1, "}, 403),
        ({"X-Forwarded-For": "127.0.0.1, 192.0.2.7"}, 403),
        ({"X-Forwarded-For": "192.0.2.7, 127.0.0.1"}, 200),
        ({"X-Forwarded-For": "::1"}, 200),
    ],
)
def test_a_proxy_on_this_machine_makes_nobody_a_caller_from_it(
    db: None, settings: Settings, forwarded: dict[str, str], status: int
) -> None:
    settings.BEHIND_PROXY = True

    response = Client(REMOTE_ADDR="127.0.0.1").get("/metrics", headers=forwarded)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("token", "headers", "address", "status"),
    [
        ("", {}, "127.0.0.1", 200),
        ("", {}, "192.0.2.7", 403),
        ("", {"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", 403),
        (TOKEN, {"Authorization": f"Bearer {TOKEN}"}, "192.0.2.7", 200),
        (TOKEN, {}, "127.0.0.1", 403),
        (TOKEN, {"Authorization": "Bearer é"}, "127.0.0.1", 403),
    ],
)
def test_the_figures_are_for_this_machine_or_for_the_token(
    db: None,
    settings: Settings,
    token: str,
    headers: dict[str, str],
    address: str,
    status: int,
) -> None:
    settings.METRICS_TOKEN = token

    response = Client(REMOTE_ADDR=address).get("/metrics", headers=headers)

    assert response.status_code == status
