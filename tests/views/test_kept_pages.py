"""What is kept of the list is what would be made of it now, whatever has happened."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.test import Client
from time_machine import travel

from integration import clock
from integration.choices import JobKind, JobState, Role
from integration.markup import error_row, kept
from integration.models import (
    Connection,
    Endpoint,
    Look,
    Problem,
    SyncError,
    TableMapping,
    User,
)
from integration.services import listed_rows
from integration.services.storms import FAILED_ALIKE
from integration.tables import errors as table
from tests.factories import make_error, make_job, make_mapping, make_problem
from tests.views.test_errors import FRAGMENT, recount

pytestmark = pytest.mark.django_db
TOKEN = re.compile(r'(csrfmiddlewaretoken" value=|since=)"?[^"&]+')
Headers = Mapping[str, str] | None


def read(client: Client, headers: Headers) -> str:
    response = client.get("/errors/", headers=dict(headers or {}))
    assert response.status_code == 200
    return TOKEN.sub(r"\1", response.content.decode())


def forget() -> None:
    """As a process that has shown nothing yet."""
    for module, name in ((kept, "_kept"), (listed_rows, "_kept"), (table, "_drawn")):
        getattr(module, name).clear()
    error_row.error_row.cache_clear()
    caches["template_fragments"].clear()


def paused_in_a_storm() -> None:
    TableMapping.objects.update(
        paused_at=clock.now(),
        pause_told={"text": FAILED_ALIKE, "values": {"failed": 9, "tries": 10}},
    )


def one_more() -> None:
    problem = Problem.objects.earliest("id")
    make_error(problem=problem, bc_number="10099", bc_name="Garage du Lac")
    recount()


def another_mapping() -> None:
    make_mapping("CURRENCY", connection=Connection.objects.get())


CHANGES: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "one more": one_more,
    "seen again": lambda: SyncError.objects.update(occurrences=9),
    "ignored": lambda: SyncError.objects.filter(bc_number="10001").update(
        state="ignored"
    ),
    "another title": lambda: Problem.objects.update(title="Another cause"),
    "another who": lambda: Problem.objects.update(who="itself"),
    "another name": lambda: Connection.objects.update(name="Léman Services SA"),
    "paused": lambda: Connection.objects.update(paused_at=clock.now()),
    "a mapping paused": lambda: TableMapping.objects.update(paused_at=clock.now()),
    "a storm": paused_in_a_storm,
    "another mapping": another_mapping,
    "a check that fails": lambda: Endpoint.objects.update(check_passed=False),
    "another address": lambda: Endpoint.objects.update(web_url="https://example.org"),
    "a role": lambda: User.objects.update(role=Role.OPERATOR),
    "a person's name": lambda: User.objects.update(first_name="Anne", last_name="Lö"),
    "a theme": lambda: User.objects.update(theme="dark"),
    "a language": lambda: User.objects.update(language="fr-ch"),
    "a zone": lambda: User.objects.update(time_zone="Asia/Tokyo"),
}
MOMENTS = [
    timedelta(seconds=-70),
    *(timedelta(seconds=n) for n in (1, 59, 61, 299, 301, 3_601)),
    *(timedelta(days=n) for n in (1, 31, 400)),
]


@pytest.fixture
def scene(viewer: Client) -> Client:
    """Three errors of a mapping that ran, the first one being looked at, and one of its
    connection."""
    mapping = make_mapping()
    problem = make_problem(mapping.connection, title="A cause")
    moment = clock.now()
    job = make_job(mapping, kind=JobKind.SYNC, state=JobState.SUCCEEDED)
    job.finished_at = moment
    job.save()
    Endpoint.objects.update(check_passed=True, checked_at=moment)
    first, *_others = [
        make_error(
            problem=problem,
            bc_number=str(10_000 + n),
            bc_name=f"Hôtel {n}",
            bc_id=f"{n:08x}-1111-4000-8000-000000000000",
            bc_presence="exists",
            first_seen=moment,
            last_seen=moment,
        )
        for n in range(3)
    ]
    make_error(problem=problem, mapping_key="", last_seen=moment, first_seen=moment)
    Look.objects.create(error=first, watched_until=moment + timedelta(minutes=5))
    recount()
    return viewer


@pytest.mark.parametrize("headers", [None, FRAGMENT], ids=["page", "list"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_on_the_next_page(
    scene: Client, change: str, headers: Headers
) -> None:
    before = read(scene, headers)
    assert read(scene, headers) == before

    CHANGES[change]()
    shown = read(scene, headers)
    forget()

    assert shown == read(scene, headers)
    told_in_the_frame = {"paused", "a mapping paused", "a check that fails", "a theme"}
    told_in_the_frame |= {"a storm", "another mapping", "a person's name"}
    is_told = change != "nothing" and not (headers and change in told_in_the_frame)
    assert (shown != before) is is_told


@pytest.mark.parametrize("headers", [None, FRAGMENT], ids=["page", "list"])
def test_time_goes_by_on_what_has_not_changed(scene: Client, headers: Headers) -> None:
    start, before = clock.now(), read(scene, headers)
    assert "just now" in before
    assert "being looked at" in before

    for later in MOMENTS:
        with travel(start + later, tick=False):
            scene.force_login(User.objects.get())
            shown = read(scene, headers)
            forget()
            assert shown == read(scene, headers)
            assert ("being looked at" in shown) is (later < timedelta(minutes=5))


def test_what_is_told_once_is_told_once(scene: Client) -> None:
    plain = read(scene, None)

    scene.post("/errors/delete/", {"next": "/errors/"})
    refused = scene.get("/errors/?who=nobody").content.decode()

    assert "who" in refused
    assert "result" in refused
    assert read(scene, None) == plain


def test_each_person_has_a_token_of_their_own(scene: Client) -> None:
    pages = [scene.get("/errors/").content.decode() for _ in range(2)]
    tokens = [
        re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page) for page in pages
    ]

    for found in tokens:
        assert len(found) == 2
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("headers", [None, FRAGMENT], ids=["page", "list"])
def test_a_list_that_had_no_row_has_the_one_that_came(
    scene: Client, headers: Headers
) -> None:
    address = "/errors/?record=99999999-1111-4000-8000-000000000000"
    empty = scene.get(address, headers=dict(headers or {})).content.decode()
    assert "No error matches" in empty

    problem = Problem.objects.get()
    make_error(problem=problem, record_key="99999999-1111-4000-8000-000000000000")
    recount()
    there = scene.get(address, headers=dict(headers or {})).content.decode()
    SyncError.objects.filter(record_key__startswith="9999").delete()
    recount()

    assert "No error matches" not in there
    assert there.count("<tr data-watch=") == 1
    again = scene.get(address, headers=dict(headers or {})).content.decode()
    assert "No error matches" in again
