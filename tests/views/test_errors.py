"""The list of errors and one error, through the page's own door."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from integration.choices import Direction, Role
from integration.markup.kept import blank
from integration.models import Connection, Operation, PendingRecord, SyncError
from integration.services import cells
from integration.services.error_sort import SORTS
from tests.factories import (
    SOME_TIME,
    make_connection,
    make_error,
    make_job,
    make_mapping,
    make_problem,
    make_user,
)
from tests.views.conftest import signed_in

FRAGMENT = {"HX-Request": "true", "HX-Target": "list"}
LIST = "/errors/"


@pytest.fixture
def scene(db: None) -> dict[str, Any]:
    """One mapping with twelve open errors of three causes."""
    connection = make_connection(name="Fabrique du Léman SA")
    mapping = make_mapping(connection=connection)
    problems = [
        make_problem(connection, title=f"Cause {n}", who="user", category="conflict")
        for n in range(3)
    ]
    job = make_job(mapping, started_at=SOME_TIME, finished_at=SOME_TIME)
    rows = [
        make_error(
            problem=problems[n % 3],
            bc_number=str(10_000 + n),
            bc_name=f"Hôtel {n}",
            bc_presence="exists",
            sales_presence="not_created",
            search_text=f"Hôtel {n}",
            job=job,
        )
        for n in range(12)
    ]
    recount()
    return {"connection": connection, "problem": problems[0], "job": job, "rows": rows}


def recount() -> None:
    with transaction.atomic():
        cells.rebuild()


def html(client: Client, address: str, headers: dict[str, str] | None = None) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def test_a_connection_that_is_made_while_the_page_is_read_has_its_name(
    viewer: Client, scene: dict[str, Any]
) -> None:
    made: list[Connection] = []

    def meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        """Just before the rows are read, after all that was asked ahead of them."""
        if " AS page" in sql and not made:
            made.append(make_connection(name="Léman Services SA"))
            make_error(problem=make_problem(made[0]), mapping_key="")
        return execute(sql, *rest)

    with database.execute_wrapper(meanwhile):
        page = html(viewer, LIST)

    assert made
    assert "Léman Services SA" in page


def test_the_page_shows_each_row_with_sentence_record_and_cause(
    viewer: Client, scene: dict[str, Any]
) -> None:
    page = html(viewer, LIST)

    assert page.count('name="entry"') == 12
    assert "10000 Hôtel 0" in page
    assert "not created yet" in page
    assert "Fabrique" not in page


def test_a_row_shows_neither_guid_nor_code(
    viewer: Client, scene: dict[str, Any]
) -> None:
    SyncError.objects.update(code="0x80040220", bc_id="b" * 36)

    page = html(viewer, LIST)

    assert "0x80040220" not in page
    assert "b" * 36 not in page


def test_htmx_gets_the_list_alone_and_its_address(
    viewer: Client, scene: dict[str, Any]
) -> None:
    response = viewer.get(f"{LIST}?mapping=CUSTOMER", headers=FRAGMENT)

    assert b"<html" not in response.content
    assert b'id="list"' in response.content
    assert response["HX-Push-Url"] == f"{LIST}?mapping=CUSTOMER"


def test_a_page_restored_from_history_is_whole(
    viewer: Client, scene: dict[str, Any]
) -> None:
    page = html(viewer, LIST, {**FRAGMENT, "HX-History-Restore-Request": "true"})

    assert "<html" in page


def offered(scene: dict[str, Any]) -> Iterator[tuple[str, str]]:
    error: SyncError = scene["rows"][0]
    yield from {
        "q": "Hôtel",
        "state": "all",
        "who": "user",
        "connection": str(scene["connection"].pk),
        "mapping": "CUSTOMER",
        "direction": Direction.TO_SALES.value,
        "category": "conflict",
        "problem": str(scene["problem"].pk),
        "job": str(scene["job"].pk),
        "record": error.record_key,
        "from": "2026-01-01",
        "to": "2027-01-01",
    }.items()


def test_every_filter_finds_its_rows_and_is_told_in_words(
    viewer: Client, scene: dict[str, Any]
) -> None:
    for name, value in offered(scene):
        page = html(viewer, f"{LIST}?{name}={value}", FRAGMENT)

        assert 'name="entry"' in page, name
        assert name == "state" or "filterline" in page, name


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        ("", ("Seen from", "Seen until")),
        ("first_seen", ("First seen from", "First seen until")),
        ("reopened", ("Came back from", "Came back until")),
        ("settled", ("Finished from", "Finished by")),
    ],
)
def test_the_days_are_named_after_the_moment_that_they_bound(
    viewer: Client, scene: dict[str, Any], moment: str, days: tuple[str, str]
) -> None:
    page = html(viewer, f"{LIST}?moment={moment}")

    labels = re.findall(r'<label class="label" for="id_(?:from|to)">(.*?)<', page)
    assert tuple(labels) == days


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_every_sort_lists_all_rows(
    viewer: Client, scene: dict[str, Any], sort: str
) -> None:
    page = html(viewer, f"{LIST}?sort={sort}", FRAGMENT)

    assert page.count('name="entry"') == 12


def test_the_sorted_column_says_so_and_leads_to_the_opposite(
    viewer: Client, scene: dict[str, Any]
) -> None:
    page = html(viewer, f"{LIST}?sort=record")

    assert 'aria-sort="ascending"><a href="?sort=-record"' in page


def test_pages_follow_one_another_without_gap(
    viewer: Client, scene: dict[str, Any]
) -> None:
    for n in range(60):
        make_error(problem=scene["problem"], bc_number=str(20_000 + n))
    first = html(viewer, f"{LIST}?size=25")
    second = html(viewer, LIST + led_to("next", first))
    back = html(viewer, LIST + led_to("prev", second))

    assert not set(entries(first)) & set(entries(second))
    assert len(entries(second)) == 25
    assert entries(back) == entries(first)


def led_to(rel: str, page: str) -> str:
    """The address of the next or previous page."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    assert found
    return unescape(found[1])


def entries(page: str) -> list[str]:
    return re.findall(r'name="entry" value="(\d+)"', page)


NONSENSE = {
    "state": "x",
    "who": "💥",
    "connection": "abc",
    "direction": "up",
    "category": "'",
    "problem": "9" * 40,
    "job": "-1",
    "record": "x" * 400,
    "from": "31.02.2026",
    "to": "never",
    "sort": "password",
    "size": "10000000",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_in_the_address_is_left_out_with_a_notice(
    viewer: Client, scene: dict[str, Any], name: str
) -> None:
    page = html(viewer, f"{LIST}?{name}={NONSENSE[name]}")

    assert page.count('name="entry"') == 12
    assert f"left out: {name}." in page


@pytest.mark.parametrize("token", ["x", "%00", "e30", "W10", "💥", "WzEsMl0"])
@pytest.mark.parametrize("name", ["after", "before"])
def test_a_token_that_makes_no_sense_shows_the_first_page(
    viewer: Client, scene: dict[str, Any], name: str, token: str
) -> None:
    assert html(viewer, f"{LIST}?{name}={token}").count('name="entry"') == 12


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=all",
        "q=Hôtel",
        "who=user&sort=record",
        "state=all&connection={connection}&problem={problem}&q=Hôtel",
    ],
)
def test_the_fragment_takes_at_most_eight_queries_at_any_size(
    viewer: Client, scene: dict[str, Any], query: str
) -> None:
    query = query.format(**{k: scene[k].pk for k in ("connection", "problem")})
    few = queries(viewer, query)
    for _n in range(60):
        make_error(problem=scene["problem"], search_text="Hôtel")
    recount()

    assert queries(viewer, query) == few <= 8


def queries(client: Client, query: str) -> int:
    with CaptureQueriesContext(database) as captured:
        html(client, f"{LIST}?{query}", FRAGMENT)
    return len(captured)


def test_four_empties_are_told_apart(viewer: Client, scene: dict[str, Any]) -> None:
    nothing_matches = html(viewer, f"{LIST}?q=zzzz")
    no_such_state = html(viewer, f"{LIST}?state=ignored")
    SyncError.objects.all().delete()
    recount()
    all_clear = html(viewer, LIST)
    SyncError.objects.all().delete()
    scene["job"].delete()
    never_ran = html(viewer, LIST)

    assert "No error matches." in nothing_matches
    assert '<a href="?q=zzzz&amp;state=all">Look in every state</a>' in nothing_matches
    assert "Look in every state" not in html(viewer, f"{LIST}?q=zzzz&state=all")
    assert "No error is in this state." in no_such_state
    assert "Last successful run" in all_clear
    assert "Nothing has been synchronized yet." in never_ran


def test_nothing_open_is_not_all_clear_while_records_wait(
    viewer: Client, scene: dict[str, Any]
) -> None:
    SyncError.objects.update(waits_for="EUR")
    recount()

    page = html(viewer, LIST)

    assert "Everything is in step" not in page
    assert "No error is open" in page


@pytest.mark.parametrize("address", [LIST, "/problems/"])
def test_an_empty_list_is_not_all_clear_while_records_are_out_of_step(
    viewer: Client, scene: dict[str, Any], address: str
) -> None:
    SyncError.objects.all().delete()
    recount()
    PendingRecord.objects.create(
        mapping=scene["job"].mapping, side="sales", record_id="x"
    )

    page = html(viewer, address)

    assert "Everything is in step" not in page
    assert "No error is open, but not everything is in step." in page
    assert "1 record is out of step, without an entry" in page


def test_a_hostile_name_is_only_text(viewer: Client, scene: dict[str, Any]) -> None:
    SyncError.objects.update(bc_name='<script>alert("x")</script>')

    assert "<script>alert" not in html(viewer, LIST)


def test_numbers_of_rows_are_never_grouped_in_addresses(
    administrator: Client, scene: dict[str, Any]
) -> None:
    make_error(id=1_234_567, problem=scene["problem"])

    page = html(administrator, LIST)

    assert 'value="1234567"' in page
    assert "/errors/1234567/" in page


def test_the_detail_leads_back_to_its_list_and_on_in_it(
    viewer: Client, scene: dict[str, Any]
) -> None:
    second = viewer.get(f"{LIST}?sort=record").context["page"].rows[1]["id"]

    page = html(viewer, f"/errors/{second}/?sort=record")

    assert 'href="/errors/?sort=record"' in page
    assert "2 of 12" in page
    assert 'rel="prev"' in page
    assert 'rel="next"' in page


def test_the_call_stack_is_closed_and_there(
    viewer: Client, scene: dict[str, Any]
) -> None:
    error = make_error(problem=scene["problem"], call_stack="core/plan.py: resolve")

    page = html(viewer, f"/errors/{error.pk}/")

    assert "Show error call stack" in page
    assert "core/plan.py: resolve" in page
    assert "<details open" not in page


@pytest.mark.parametrize(
    ("status", "why"),
    [(400, "There is none: the refusal came as an answer"), (0, "There is none: noth")],
)
def test_without_a_call_stack_it_is_said_why(
    viewer: Client, scene: dict[str, Any], status: int, why: str
) -> None:
    error = make_error(problem=scene["problem"], call_stack="", http_status=status)

    assert why in html(viewer, f"/errors/{error.pk}/")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "call stack were removed 90 days after this error was finished."),
        ("fr-ch", "pile d'appels ont été supprimées 90 jours après la fin"),
    ],
)
def test_what_was_removed_is_said_where_it_stood(
    viewer: Client, scene: dict[str, Any], language: str, said: str
) -> None:
    error = make_error(problem=scene["problem"], state="resolved", payload_days=90)
    kept = make_error(problem=scene["problem"], state="resolved", payload_days=0)

    headers = {"accept-language": language}
    page = viewer.get(f"/errors/{error.pk}/", headers=headers).content.decode()

    assert page.count(said) == 2
    assert "were removed" not in html(viewer, f"/errors/{kept.pk}/")


def test_requests_and_answers_are_not_shown_to_viewers(
    viewer: Client, operator: Client, scene: dict[str, Any]
) -> None:
    error: SyncError = scene["rows"][0]
    error.payloads.create(
        latest=True, request="PATCH personal", recorded_at=error.last_seen
    )

    assert "PATCH personal" not in html(viewer, f"/errors/{error.pk}/")
    assert "PATCH personal" in html(operator, f"/errors/{error.pk}/")


def test_deleting_a_selection_offers_undo_at_once(
    administrator: Client, scene: dict[str, Any]
) -> None:
    keys = [str(row.pk) for row in scene["rows"][:2]]

    page = administrator.post(
        reverse("errors_delete"), {"entry": keys}, follow=True
    ).content.decode()
    operation = Operation.objects.get()
    undone = administrator.post(
        reverse("operation_undo", args=[operation.pk]), {"next": LIST}, follow=True
    )

    assert "2 entries deleted." in page
    assert page.count('name="entry"') == 10
    assert undone.content.decode().count('name="entry"') == 12


def test_a_deleted_entry_is_not_found_in_words(
    administrator: Client, scene: dict[str, Any]
) -> None:
    key = scene["rows"][0].pk
    administrator.post(reverse("errors_delete"), {"entry": [key]})

    response = administrator.get(f"/errors/{key}/")

    assert response.status_code == 404
    assert "may have been deleted" in response.content.decode()


def test_an_operator_retries_and_a_viewer_has_no_button(
    viewer: Client, operator: Client, scene: dict[str, Any]
) -> None:
    address = f"/errors/{scene['rows'][0].pk}/"

    assert "/retry/" not in html(viewer, address)
    assert "/retry/" in html(operator, address)


def test_a_retry_that_would_be_in_vain_says_why(
    operator: Client, scene: dict[str, Any]
) -> None:
    key = scene["rows"][0].pk

    response = operator.post(reverse("error_retry", args=[key]), follow=True)

    assert "review" in response.content.decode()


@pytest.mark.parametrize(
    ("language", "title"),
    [("en", "Not created yet"), ("fr-CH", "pas encore créé"), ("fr", "Problème")],
)
def test_the_browsers_language_is_spoken(
    viewer: Client, scene: dict[str, Any], language: str, title: str
) -> None:
    page = html(viewer, LIST, {"Accept-Language": language})

    assert title.lower() in page.lower()


def test_the_language_switch_keeps_the_filter(
    viewer: Client, scene: dict[str, Any]
) -> None:
    address = f"{LIST}?mapping=CUSTOMER&sort=record"

    response = viewer.post(
        reverse("language"), {"language": "fr-ch", "next": address}, follow=True
    )

    assert response.redirect_chain == [(address, 302)]
    assert "Origine" in response.content.decode()


def test_the_language_switch_leads_nowhere_else(viewer: Client) -> None:
    response = viewer.post(
        reverse("language"), {"language": "fr-ch", "next": "https://evil.example/"}
    )

    assert response["Location"] == "/"


def test_an_open_page_renews_the_number_in_the_navigation(viewer: Client) -> None:
    error = make_error(problem=make_problem())
    with transaction.atomic():
        cells.rebuild()

    lists = viewer.get("/errors/live/", {"entry": error.pk}).content.decode()
    page = viewer.get(f"/errors/{error.pk}/live/").content.decode()

    for part in (lists, page):
        assert 'class="count" id="open"' in part
        assert 'hx-swap-oob="true">1<' in part


@pytest.mark.parametrize("first", ["viewer", "superuser"])
def test_what_a_page_keeps_is_not_shown_to_whoever_may_less_or_more(
    scene: dict[str, Any], first: str
) -> None:
    """A superuser may everything, whatever the role."""
    people = {"viewer": signed_in(Role.VIEWER), "superuser": Client()}
    superuser = make_user(Role.VIEWER, username="root", is_superuser=True)
    people["superuser"].force_login(superuser)
    caches["template_fragments"].clear()
    people[first].get(LIST)

    pages = {name: one.get(LIST).content.decode() for name, one in people.items()}

    assert "Only operators and administrators" in pages["viewer"]
    assert 'formaction="/errors/resolve/"' not in pages["viewer"]
    assert 'formaction="/errors/resolve/"' in pages["superuser"]


@pytest.mark.parametrize("name", ["list", "pace", "live_query", "rows", "csrf"])
def test_a_name_that_looks_like_a_blank_is_a_name(
    viewer: Client, scene: dict[str, Any], name: str
) -> None:
    sign = blank(name)
    scene["rows"][0].delete()
    make_error(problem=scene["problem"], bc_name=sign, bc_presence="exists")
    make_mapping(connection=scene["connection"], name=sign)
    recount()

    for headers in (FRAGMENT, None):
        page = html(viewer, f"{LIST}?q=&mapping=", headers)
        assert escape(str(sign)) in page
        assert sign not in page
        assert page.count("<tr data-watch=") == 12
        assert page.count('id="live"') == 1


@pytest.mark.parametrize(
    "address", [LIST, "/", "/problems/", "/couplings/", "/connections/", "/errors/{}/"]
)
def test_an_icon_that_a_page_refers_to_stands_in_it(
    operator: Client, scene: dict[str, Any], address: str
) -> None:
    page = html(operator, address.format(scene["rows"][0].pk))

    used = set(re.findall(r'<use href="#([^"]+)"', page))
    assert used or address not in {LIST, "/errors/{}/"}
    for name in used:
        assert page.count(f'<symbol id="{name}"') == 1


def test_the_frame_counts_as_the_list_does_or_anew(
    viewer: Client, scene: dict[str, Any]
) -> None:
    make_error(
        problem=make_problem(scene["connection"], title="Other"), state="ignored"
    )
    recount()

    for query, sums in {
        "": 1,
        "state=ignored": 1,
        "mapping=CUSTOMER": 2,
        "who=user": 3,  # Among how many its rows stand decides how they are read.
    }.items():
        with CaptureQueriesContext(database) as captured:
            page = html(viewer, f"{LIST}?{query}")
        asked = [one for one in captured if "sum(" in one["sql"].lower()]
        assert len(asked) == sums, query
        assert re.search(r'id="open"[^>]*>12<', page)


@pytest.mark.parametrize(
    ("query", "chosen"),
    [("", 1), ("?state=ignored", 1), ("?state=relevant", 3), ("?state=all", 4)],
)
def test_the_chips_say_which_states_are_listed(
    viewer: Client, scene: dict[str, Any], query: str, chosen: int
) -> None:
    page = viewer.get(f"/errors/{query}").content.decode()

    chips = re.findall(r'class="chip" href="[^"]*"( aria-current="true")?', page)
    assert sum(map(bool, chips)) == chosen
