"""The previews of both clean-ups, and what their buttons do."""

import re
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from integration import clock
from integration.models import Operation, SyncError
from integration.services import cells
from integration.services.handling import resolve_errors
from tests.factories import (
    make_connection,
    make_error,
    make_mapping,
    make_problem,
    make_user,
)

PREVIEW = "/errors/cleanup/"


@pytest.fixture
def rows(db: None) -> None:
    """Five finished and three relevant entries ten days old, one of today."""
    connection = make_connection()
    make_mapping(connection=connection)
    problem = make_problem(connection)
    old = clock.now() - timedelta(days=10)
    for reason in ("resolved", "resolved", "resolved", "replaced", "both_deleted"):
        make_error(
            problem=problem, last_seen=old, state="resolved", settled_reason=reason
        )
    for _n in range(3):
        make_error(problem=problem, last_seen=old)
    make_error(problem=problem, last_seen=clock.now(), state="resolved")
    with transaction.atomic():
        cells.rebuild()


def read(client: Client, query: str) -> str:
    response = client.get(f"{PREVIEW}?{query}")
    assert response.status_code == 200
    return response.content.decode()


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found
    return found[1]


def press(client: Client, query: str, **words: str) -> str:
    page = read(client, query)
    response = client.post(
        f"{reverse('cleanup_delete')}?{query}",
        {"token": token_of(page), "do": "delete", **words},
        follow=True,
    )
    return response.content.decode()


def test_the_preview_counts_and_lists_before_anything_goes(
    administrator: Client, rows: None
) -> None:
    page = read(administrator, "older_than=7")

    assert "5 finished" in page
    assert "3 still relevant, kept" in page
    assert "Delete 5 entries" in page
    assert page.count("kept-row") == 3
    assert not Operation.objects.exists()


def test_focus_starts_on_keeping_everything(administrator: Client, rows: None) -> None:
    page = read(administrator, "all=1")

    assert re.search(r"<a [^>]*autofocus>Keep everything</a>", page)
    assert page.count("autofocus") == 1


def test_each_count_is_a_link_to_exactly_its_rows(
    administrator: Client, rows: None
) -> None:
    preview = administrator.get(f"{PREVIEW}?older_than=7")

    for _word, count, href in preview.context["reasons"]:
        listed = administrator.get(href)
        assert len(listed.context["page"].rows) == count
    kept = administrator.get(preview.context["kept_href"])
    assert len(kept.context["page"].rows) == 3


def test_the_links_still_lead_to_what_was_counted_when_an_entry_settles_meanwhile(
    administrator: Client, rows: None
) -> None:
    preview = administrator.get(f"{PREVIEW}?older_than=7")

    row = SyncError.objects.relevant().first()
    assert row
    resolve_errors([row.pk], make_user())

    counted = sum(count for _word, count, _href in preview.context["reasons"])
    hrefs = [href for _word, _count, href in preview.context["reasons"]]
    pages = [administrator.get(href).context["page"] for href in hrefs]
    assert sum(len(page.rows) for page in pages) == counted == 5
    kept = administrator.get(preview.context["kept_href"]).context["page"].rows
    assert row.pk in {one["id"] for one in kept}
    assert len(kept) == 3


def test_the_button_deletes_the_finished_and_offers_undo(
    administrator: Client, rows: None
) -> None:
    page = press(administrator, "older_than=7", reason="quarter's end")

    operation = Operation.objects.get()
    assert "5 entries deleted." in page
    assert reverse("operation_undo", args=[operation.pk]) in page
    assert operation.reason == "quarter's end"
    assert operation.rows == 5


def test_the_relevant_go_only_with_their_number_typed(
    administrator: Client, rows: None
) -> None:
    wrong = press(administrator, "older_than=7", do="delete-all", typed="4")
    right = press(administrator, "older_than=7", do="delete-all", typed=" 3 ")

    fold = wrong.partition('<details class="block fold-block" open>')[2]
    assert 'name="typed"' in fold
    assert 'value="4" aria-invalid="true" aria-describedby="typed_error"' in fold
    assert (
        'id="typed_error">To delete the entries still relevant as well, type 3.' in fold
    )
    assert wrong.count("autofocus") == 1
    assert "8 entries deleted." in right


def test_enter_in_the_typed_number_is_the_button_beside_it(
    administrator: Client, rows: None
) -> None:
    """A browser presses the first button of the form that the field is in."""
    page = read(administrator, "older_than=7")

    forms = re.findall(r"<form.*?</form>", page, re.DOTALL)
    pressed = {
        field: re.findall(r'name="do" value="([^"]+)"', form)
        for form in forms
        for field in re.findall(r'<input[^>]* name="(typed|reason)"', form)
    }
    assert pressed["typed"] == ["delete-all"]
    ours = [form for form in forms if 'name="token"' in form]
    assert [form.count('name="reason"') for form in ours] == [1, 1]


@pytest.mark.parametrize("token", ["", "x", "a:b:c"])
def test_an_edited_token_is_refused_in_a_sentence(
    administrator: Client, rows: None, token: str
) -> None:
    response = administrator.post(
        f"{reverse('cleanup_delete')}?all=1", {"token": token}, follow=True
    )

    assert "changed on its way" in response.content.decode()
    assert not Operation.objects.exists()


def test_a_token_of_another_filter_is_refused_in_a_sentence(
    administrator: Client, rows: None
) -> None:
    token = token_of(read(administrator, "all=1"))

    response = administrator.post(
        f"{reverse('cleanup_delete')}?mapping=CUSTOMER&all=1",
        {"token": token},
        follow=True,
    )

    assert "another filter" in response.content.decode()


def test_what_limits_only_the_list_is_told_with_its_count(
    administrator: Client, rows: None
) -> None:
    page = read(administrator, "older_than=7&who=user")

    assert "limits only the list" in page
    assert "5 finished entries outside of it go too" in page


def test_a_part_of_the_filter_that_lets_nothing_more_go_says_no_number(
    administrator: Client, rows: None
) -> None:
    page = read(administrator, "older_than=7&state=resolved")

    assert "limits only the list, not the deletion.</p>" in page


def test_the_cause_of_the_filter_is_told_in_the_readers_language(
    administrator: Client, db: None
) -> None:
    article, params = "bc-currency-no-exchange-rate", {"currency": "GBP"}
    cause = make_problem(article=article, params=params, title="An English title")
    administrator.post("/language/", {"language": "fr-ch"})

    page = read(administrator, f"older_than=7&problem={cause.pk}")

    assert "La devise GBP n" in page
    assert "An English title" not in page


@pytest.mark.parametrize("query", ["", "older_than=x", "all=2", "all=1&older_than=7"])
def test_an_unclear_address_leads_back_with_a_notice(
    administrator: Client, rows: None, query: str
) -> None:
    response = administrator.get(f"{PREVIEW}?{query}", follow=True)

    assert response.redirect_chain == [("/errors/", 302)]
    assert "Choose one of the two" in response.content.decode()


def test_undo_from_the_operations_page_brings_the_entries_back(
    administrator: Client, rows: None
) -> None:
    press(administrator, "older_than=7")
    operation = Operation.objects.get()

    page = administrator.post(
        reverse("operation_undo", args=[operation.pk]), follow=True
    ).content.decode()

    assert "5 entries are back." in page
    assert "Taken back" in page
    again = administrator.post(
        reverse("operation_undo", args=[operation.pk]), follow=True
    ).content.decode()
    assert "undid this on" in again
    assert "entries are back" not in again
    assert SyncError.objects.visible(Operation.objects.cuts()).count() == 9


def test_the_same_click_after_its_undo_says_who_undid_it(
    administrator: Client, rows: None
) -> None:
    sent = {"token": token_of(read(administrator, "older_than=7"))}
    address = f"{reverse('cleanup_delete')}?older_than=7"
    administrator.post(address, sent)
    undone = reverse("operation_undo", args=[Operation.objects.get().pk])
    administrator.post(undone, follow=True)

    page = administrator.post(address, sent, follow=True).content.decode()

    assert "undid this on" in page
    listed = administrator.get(reverse("errors")).content.decode()
    assert "entries deleted" not in page + listed
    assert SyncError.objects.visible(Operation.objects.cuts()).count() == 9


def test_where_nothing_is_finished_no_reason_is_asked_but_for_the_relevant(
    administrator: Client,
) -> None:
    make_error(problem=make_problem())
    with transaction.atomic():
        cells.rebuild()

    page = administrator.get("/errors/cleanup/?all=1").content.decode()

    assert "Nothing here is finished" in page
    assert page.count('name="reason"') == 1
    assert page.index('name="reason"') > page.index("fold-block")
