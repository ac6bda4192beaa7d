"""The plan of an answer and the rules of a mapping, as pages."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from integration.models import Operation, SyncError
from integration.services import cells
from integration.services.answering import run_of
from integration.services.execution import execute
from tests.factories import make_error
from tests.services.beginnings import Beginning, in_step
from tests.services.engine import Engine

TWO = Beginning(2, in_step)


@pytest.fixture
def engine(db: None) -> Iterator[Engine]:
    with TWO.begin() as engine:
        yield engine


@pytest.fixture
def conflict(engine: Engine) -> SyncError:
    customer, account = engine.pair()
    engine.change(customer, phoneNumber="021 111 11 11", city="")
    engine.change(account, telephone1="022 222 22 22", address1_city="Vevey")
    engine.sync("CUSTOMER")
    return SyncError.objects.get(settled_at=None)


@pytest.fixture
def deletion(engine: Engine) -> SyncError:
    _, account = engine.pair()
    engine.accounts.delete(account.id, "a person")
    engine.sync("CUSTOMER")
    return SyncError.objects.get(settled_at=None)


def page(client: Client, name: str, key: int, **query: str) -> str:
    response = client.get(reverse(name, args=[key]), query, follow=True)
    return str(response.content.decode())


def give(client: Client, error: SyncError, take: str, **sent: str) -> None:
    shown = client.get(reverse("error_plan", args=[error.pk]), {"take": take})
    sent["token"] = shown.context["plan"].token
    client.post(reverse("error_answer", args=[error.pk]), sent)


def carried_out() -> Operation:
    operation = Operation.objects.latest("pk")
    run = run_of(operation)
    assert run
    execute(run, "worker")
    return operation


def events_of(client: Client, error: SyncError, language: str = "en") -> str:
    address = reverse("error", args=[error.pk])
    answer = client.get(address, headers={"Accept-Language": language})
    text = unescape(answer.content.decode())
    return text.partition('id="events"')[2].partition("</ol>")[0]


def test_a_conflict_is_answered_from_its_page(
    operator: Client, conflict: SyncError
) -> None:
    offered = page(operator, "error", conflict.pk)
    shown = operator.get(reverse("error_plan", args=[conflict.pk]), {"take": "sales"})

    text = shown.content.decode()
    assert "?take=sales" in offered
    assert "Overwrite 2 fields" in text
    assert "2 fields are overwritten in Business Central." in text
    assert "022 222 22 22" in text

    after = operator.post(
        reverse("error_answer", args=[conflict.pk]),
        {"token": shown.context["plan"].token, "reason": "Sales knows better"},
        follow=True,
    )

    operation = Operation.objects.get(kind="synchronize")
    told = page(operator, "operation", operation.pk)
    assert "It is being carried out" in after.content.decode()
    assert "Sales knows better" in page(operator, "error", conflict.pk)
    assert "Written in Business Central" in told
    assert "100001" in told


def test_the_history_says_why_an_answer_was_not_carried_out(
    operator: Client, engine: Engine, conflict: SyncError
) -> None:
    give(operator, conflict, "sales", reason="Sales knows better")
    engine.change(engine.account_of("100001"), telephone1="3")
    operation = carried_out()

    told = events_of(operator, conflict)
    retold = events_of(operator, conflict, "fr")

    link = f'<a class="in-text" href="/operations/{operation.pk}/">'
    assert f"{link}Synchronize (failed)</a> – A record has changed since" in told
    assert f"{link}Synchroniser (en échec)</a> – Un enregistrement a changé" in retold
    assert "<q>Sales knows better</q>" in told


@pytest.mark.parametrize("take", ["restore", "delete", "uncouple"])
def test_the_history_says_why_a_deletion_was_left_as_it_is(
    operator: Client, engine: Engine, deletion: SyncError, take: str
) -> None:
    give(operator, deletion, take, typed="100001")
    engine.change(engine.customer("100001"), city="Aigle")
    carried_out()

    told = events_of(operator, deletion)
    assert "(failed)</a> – A record has changed since" in told
    assert "As the plan showed it" not in told


def test_the_history_of_an_answer_that_was_carried_out_says_why_it_was_given(
    operator: Client, conflict: SyncError
) -> None:
    give(operator, conflict, "sales")
    carried_out()

    told = events_of(operator, conflict)

    assert "Synchronize (done)</a><q>As the plan showed it.</q>" in told


def test_whoever_comes_second_reads_who_answered_and_when(
    operator: Client, conflict: SyncError
) -> None:
    give(operator, conflict, "sales")
    carried_out()
    by = Operation.objects.latest("pk").by_name

    planned = page(operator, "error_plan", conflict.pk, take="business_central")
    retry = reverse("error_retry", args=[conflict.pk])
    retried = operator.post(retry, follow=True).content.decode()

    assert f"{by} answered this on" in planned
    assert f"{by} answered this on" in retried


def test_fields_are_chosen_before_anything_is_planned(
    operator: Client, conflict: SyncError
) -> None:
    asked = page(operator, "error_plan", conflict.pk, take="fields")
    chosen = {"field-city": "business_central", "field-phoneNumber": "sales"}

    shown = page(operator, "error_plan", conflict.pk, take="fields", **chosen)

    assert "Whose value is right?" in asked
    assert "Overwrite" not in asked
    assert "1 field is overwritten in Business Central." in shown
    assert "1 field is overwritten in Sales." in shown


@pytest.mark.parametrize(
    ("take", "words"),
    [
        ("restore", "Restore in Sales"),
        ("delete", "Type 100001"),
        ("uncouple", "It is left alone from now on"),
    ],
)
def test_a_deletion_is_answered_from_its_page(
    operator: Client, deletion: SyncError, take: str, words: str
) -> None:
    assert f"?take={take}" in page(operator, "error", deletion.pk)
    assert words in page(operator, "error_plan", deletion.pk, take=take)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_was_entered_again_is_not_planned_to_be_created(
    operator: Client, engine: Engine, deletion: SyncError, language: str
) -> None:
    engine.add_account("By another name", accountnumber="100001")

    text = operator.get(
        reverse("error_plan", args=[deletion.pk]),
        {"take": "restore"},
        headers={"Accept-Language": language},
    ).content.decode()

    said = {
        "en": ("Couple both", "no record is created", "overwritten in Sales"),
        "fr": ("Coupler les deux", "aucun enregistrement n'est créé", "dans Sales"),
    }
    text = unescape(text)
    assert all(words in text for words in said[language])
    assert "100001 By another name" in text
    assert "created again" not in text
    assert "Restore in Sales" not in text


@pytest.mark.parametrize("take", ["restore", "delete"])
def test_the_plan_after_a_deletion_shows_what_both_last_agreed_on(
    operator: Client, engine: Engine, deletion: SyncError, take: str
) -> None:
    known = (deletion.values or {})["last"]["city"]
    engine.change(engine.customer("100001"), city="Aigle")

    shown = page(operator, "error_plan", deletion.pk, take=take)

    assert known
    row = shown.partition('<th scope="row">City</th>')[2].partition("</tr>")[0]
    assert "Aigle" in row
    assert f'<td class="muted">{known}</td>' in row


@pytest.mark.parametrize(
    ("take", "words"),
    [
        ("nothing", "Choose one of the answers offered here."),
        ("restore", "This is settled, or of another cause by now."),
    ],
)
def test_an_answer_that_is_not_offered_leads_back(
    operator: Client, conflict: SyncError, take: str, words: str
) -> None:
    assert words in page(operator, "error_plan", conflict.pk, take=take)


@pytest.mark.parametrize("take", ["sales", "fields"])
def test_the_way_back_through_an_answer_is_the_list_one_came_from(
    operator: Client, conflict: SyncError, take: str
) -> None:
    own = f"/errors/{conflict.pk}/"
    here = f"{own}?state=relevant"

    offered = operator.get(here).content.decode()
    address = f"{own}answer/?take={take}&state=relevant"
    shown = operator.get(address)
    text = unescape(shown.content.decode())
    given = operator.post(
        f"{own}answer/give/?state=relevant", {"token": shown.context["plan"].token}
    )
    refused = operator.get(f"{own}answer/?take=x&state=relevant")

    assert f'href="{address}"' in unescape(offered)
    assert f'href="{own}"' not in text
    assert text.count(f'href="{here}"') == 2
    if take == "fields":
        assert '<input type="hidden" name="state" value="relevant">' in text
    else:
        assert f'action="{own}answer/give/?state=relevant"' in text
    assert given["Location"] == refused["Location"] == here


def test_an_open_plan_renews_the_number_of_open_errors_and_not_itself(
    operator: Client, conflict: SyncError
) -> None:
    text = page(operator, "error_plan", conflict.pk, take="sales")
    address = f"/errors/{conflict.pk}/live/?only=open"
    make_error(problem=conflict.problem, state="open")
    with transaction.atomic():
        cells.rebuild()

    assert f'hx-get="{address}" hx-trigger="live" hx-target="#open"' in text
    renewed = operator.get(address).content.decode()
    assert re.fullmatch(r'<span class="count" id="open".*>2<.*</span>\s*', renewed)


def test_a_viewer_is_offered_nothing(viewer: Client, conflict: SyncError) -> None:
    response = viewer.get(reverse("error_plan", args=[conflict.pk]), {"take": "sales"})

    assert "?take=" not in page(viewer, "error", conflict.pk)
    assert response.status_code == 403


def test_what_cannot_be_answered_is_offered_disabled_with_the_reason(
    operator: Client, engine: Engine, conflict: SyncError
) -> None:
    engine.connection.engine = "business_central"
    engine.connection.save()

    text = page(operator, "error", conflict.pk)

    assert "?take=" not in text
    assert "Business Central itself synchronizes this connection" in text


def test_an_administrator_changes_the_rules_of_a_mapping(
    administrator: Client, viewer: Client, engine: Engine
) -> None:
    key = engine.mapping().pk
    rules = {"conflict": "merge", "deletion": "restore", "reason": "Less work"}

    answer = administrator.post(
        reverse("mapping_rules", args=[key]), rules, follow=True
    )

    assert "The rules hold from now on" in answer.content.decode()
    assert engine.mapping().update_conflict == "merge"
    told = page(viewer, "operation", Operation.objects.latest("pk").pk)
    assert "each field from the side that changed it" in told
    assert "Less work" in told
    assert "the deleted record is created again" in page(viewer, "mapping", key)


@pytest.mark.parametrize(
    "sent", [{"conflict": "mine"}, {"deletion": "delete"}, {"conflict": ""}]
)
def test_a_rule_that_does_not_exist_changes_nothing(
    administrator: Client, engine: Engine, sent: dict[str, str]
) -> None:
    key = engine.mapping().pk

    answer = administrator.post(reverse("mapping_rules", args=[key]), sent, follow=True)

    assert "Choose one of the rules offered here." in answer.content.decode()
    assert engine.mapping().update_conflict == "none"
