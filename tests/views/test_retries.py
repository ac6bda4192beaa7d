"""Retry of several, through the pages' own doors."""

import csv
from html import unescape
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from integration import clock
from integration.models import Operation, OperationItem, SyncError, TableMapping
from integration.services import cells, error_list
from integration.services.operations import record_operation
from integration.services.retry import retry_error
from tests.factories import make_error, make_mapping, make_problem, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def errors() -> list[SyncError]:
    """Three of one cause, on a mapping that may run."""
    mapping = make_mapping(reviewed_at=clock.now())
    problem = make_problem(mapping.connection)
    rows = [make_error(problem=problem, bc_name=f"Hôtel {n}") for n in range(3)]
    with transaction.atomic():
        cells.rebuild()
    return rows


def html(client: Client, address: str, **form: Any) -> str:
    """The page a form, or a link, leads to."""
    response = client.post(address, form, follow=True) if form else client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_a_selection_is_tried_at_once(
    operator: Client, errors: list[SyncError]
) -> None:
    page = html(operator, "/errors/retry/", entry=[row.pk for row in errors[:2]])

    assert "Retry of 2 records" in page
    assert "2 left" in page
    assert page.count('id="item-') == 2
    assert 'hx-trigger="load delay:2s"' in page
    assert "Cancel the rest" in page


def test_a_retry_from_an_open_page_is_answered_with_what_is_said_alone(
    operator: Client, errors: list[SyncError]
) -> None:
    """It asks for its row by itself, and stays where it is."""
    address = f"/errors/{errors[0].pk}/retry/"

    told = operator.post(address, {}, headers={"HX-Request": "true"})

    assert told.status_code == 200
    assert "It is being tried again" in told.content.decode()
    assert "<html" not in told.content.decode()
    assert OperationItem.objects.get().error_id == errors[0].pk


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Nothing was tried. CUSTOMER is paused"), ("fr", "Rien n'a été essayé.")],
)
def test_a_retry_on_what_is_paused_says_that_nothing_was_tried(
    operator: Client, errors: list[SyncError], language: str, words: str
) -> None:
    TableMapping.objects.update(paused_at=clock.now(), pause_reason="A storm")
    address = f"/errors/{errors[0].pk}/retry/"

    told = operator.post(
        address, {}, follow=True, headers={"accept-language": language}
    )

    assert words in unescape(told.content.decode())
    assert not OperationItem.objects.exists()


def test_a_whole_cause_is_shown_first_and_tried_by_a_second_button(
    operator: Client, errors: list[SyncError]
) -> None:
    problem = errors[0].problem_id
    assert "Retry 3 records" in html(operator, f"/problems/{problem}/")

    query = f"problem={problem}&state=relevant"
    shown = html(operator, f"/errors/retry/?{query}", do="all")
    prepared = Operation.objects.get()
    listed = html(operator, "/operations/")
    page = html(operator, f"/errors/retry/{prepared.pk}/start/", reason="Cured.")

    assert "3 will be tried" in shown
    assert "state: still relevant, cause “Name is longer" in shown
    assert f"/operations/{prepared.pk}/" not in listed
    assert "Cured." in page
    assert "3 left" in page


def test_what_somebody_else_tries_is_told_with_a_link(
    operator: Client, errors: list[SyncError]
) -> None:
    his = retry_error(errors[0], make_user("operator", username="marc"))

    page = html(operator, "/errors/retry/?state=relevant", do="all")
    alone = html(operator, f"/errors/{errors[0].pk}/retry/", next="/errors/")

    link = f'<a href="/operations/{his.pk}/">Being tried already, for marc</a>'
    assert link in page
    assert "2 will be tried" in page
    assert "It is being tried again already, for marc." in alone


def test_one_outcome_is_listed_alone_and_the_rest_is_cancelled(
    operator: Client, errors: list[SyncError]
) -> None:
    html(operator, "/errors/retry/", entry=[row.pk for row in errors])
    operation = Operation.objects.get()
    operation.items.filter(error=errors[0]).update(outcome="healed")

    healed = html(operator, f"/operations/{operation.pk}/?outcome=healed")
    page = html(operator, f"/operations/{operation.pk}/cancel/", really="yes")

    assert healed.count('id="item-') == 1
    assert "1 healed, 2 cancelled" in page
    assert "Cancelled: what was not begun stays as it was." in page


def test_the_list_offers_all_that_match_when_it_has_several_pages(
    operator: Client, errors: list[SyncError]
) -> None:
    offered = 'formaction="/errors/retry/?mapping=CUSTOMER"'
    assert offered not in html(operator, "/errors/?mapping=CUSTOMER")
    problem = errors[0].problem
    for _ in range(error_list.PAGE_SIZE):
        make_error(problem=problem)

    assert offered in html(operator, "/errors/?mapping=CUSTOMER")


def test_a_choice_is_nobody_elses_and_ends_with_a_word(
    administrator: Client, operator: Client, errors: list[SyncError]
) -> None:
    html(operator, "/errors/retry/", do="all")
    prepared = Operation.objects.get()

    assert administrator.get(f"/errors/retry/{prepared.pk}/").status_code == 404
    told = html(administrator, f"/errors/retry/{prepared.pk}/start/", reason="")
    assert "made for another user" in told
    assert "Nothing was selected." in html(operator, "/errors/retry/", entry="x")


@pytest.mark.parametrize(
    ("language", "first", "separator"),
    [("en", "Record", ","), ("fr", "Enregistrement", ";")],
)
def test_what_became_of_each_record_is_a_file(
    operator: Client,
    viewer: Client,
    errors: list[SyncError],
    language: str,
    first: str,
    separator: str,
) -> None:
    SyncError.objects.filter(pk=errors[1].pk).update(bc_number="=1+1", bc_name="x;y")
    page = html(operator, "/errors/retry/", entry=[row.pk for row in errors])
    OperationItem.objects.filter(error=errors[0]).update(
        outcome="failed", problem=errors[0].problem_id
    )
    address = f"/operations/{Operation.objects.latest('id').pk}/result.csv"
    assert f'href="{address}"' in page

    answer = viewer.get(address, headers={"Accept-Language": language})
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
    head, *unordered = csv.reader(content.splitlines(), delimiter=separator)
    rows = sorted(unordered, key=lambda row: int(row[6].split("/")[-2]))

    assert head[0] == first
    assert [row[0] for row in rows] == [
        f"{errors[0].bc_number} Hôtel 0",
        "'=1+1 x;y",
        f"{errors[2].bc_number} Hôtel 2",
    ]
    assert rows[0][4] == errors[0].problem.title
    assert rows[0][6] == f"http://testserver/errors/{errors[0].pk}/"


def test_the_file_reads_in_chunks_without_a_query_for_each_record(
    viewer: Client, errors: list[SyncError], django_assert_max_num_queries: Any
) -> None:
    operation = record_operation("retry", by=make_user(), reason="Why")
    OperationItem.objects.bulk_create(
        OperationItem(operation=operation, label=f"{n}") for n in range(2_500)
    )

    with django_assert_max_num_queries(30):
        answer = viewer.get(f"/operations/{operation.pk}/result.csv")
        lines = b"".join(answer.streaming_content).splitlines()  # type: ignore[attr-defined]  # streamed

    assert len(lines) == 2_501


def test_an_operation_without_records_has_no_file(viewer: Client) -> None:
    operation = record_operation("check", by=make_user(), reason="Why")

    assert viewer.get(f"/operations/{operation.pk}/result.csv").status_code == 404


def test_the_choice_of_a_retry_that_has_ended_leads_to_its_result(
    operator: Client, errors: list[SyncError]
) -> None:
    """Whoever goes back from the result is not told that there was none."""
    chosen = operator.post("/errors/retry/?state=relevant", {"do": "all"})["Location"]
    result = operator.post(f"{chosen}start/")["Location"]
    OperationItem.objects.update(outcome="healed")
    Operation.objects.update(state="done", finished_at=clock.now())

    assert operator.get(chosen)["Location"] == result
