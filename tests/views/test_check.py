"""The set-up check on a page."""

import re
from html import unescape

import pytest
from django.db import transaction
from django.test import Client

from integration.choices import CheckState, CheckStep, OperationKind
from integration.core.outcomes import Finding
from integration.models import Connection, Operation, SyncError
from integration.services import cells
from integration.services.check_lines import CheckLine, found, passed
from integration.services.sentences import sentence
from integration.views.check import examined
from tests.factories import make_connection, make_error, make_problem, make_user
from tests.running import Systems

MISSING = Finding(
    "dv-missing-privilege", {"privilege": "prvWriteAccount", "right": "Write"}
)


@pytest.fixture
def checked(db: None) -> Connection:
    """Its host answered, a privilege is missing; two records failed for that."""
    wrong = found(CheckStep.PRIVILEGES, MISSING)
    host = {"system": "Sales", "host": "sales.example"}
    well = passed(CheckStep.HOSTS, "{system}: {host} answers.", **host)
    connection = make_connection(check_lines=[well.stored(), wrong.stored()])
    problem = make_problem(connection, fingerprint=wrong.fingerprint)
    for _n in range(2):
        make_error(problem=problem)
    with transaction.atomic():
        cells.rebuild()
    return connection


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            [
                "1 of 12 needs an administrator. 10 could not be checked.",
                "2 errors of this cause",
            ],
        ),
        ("fr", ["1 sur 12 attend un administrateur.", "2 erreurs de cette cause"]),
    ],
)
def test_each_of_twelve_questions_says_what_was_found(
    viewer: Client, checked: Connection, language: str, words: list[str]
) -> None:
    response = viewer.get("/check/", headers={"Accept-Language": language})
    page = response.content.decode()

    (one,) = response.context["all"]
    assert [shown.row.state for shown in one.rows].count("unchecked") == 10
    assert "prvWriteAccount" in page
    assert "sales.example" in page
    for text in words:
        assert text in page
    problem = checked.problems.get()
    assert f'href="/errors/?problem={problem.pk}&amp;state=relevant"' in page
    assert "check/again" not in page


def test_what_a_count_says_is_what_its_list_holds(
    administrator: Client, checked: Connection
) -> None:
    """Also where some of them wait, or are ignored."""
    error = SyncError.objects.first()
    assert error
    SyncError.objects.filter(pk=error.pk).update(waits_for="EUR", chip="waiting")
    with transaction.atomic():
        cells.rebuild()
    page = administrator.get(f"/connections/{checked.pk}/").content.decode()

    found = re.search(r'<a href="([^"]+)">2 errors of this cause</a>', page)

    assert found
    listed = administrator.get(unescape(found[1])).content.decode()
    assert listed.count("<tr data-watch") == 2
    assert "1 of 12 needs you." in administrator.get("/check/").content.decode()


def test_an_administrator_checks_again_and_comes_back(
    administrator: Client, systems: Systems
) -> None:
    (connection,) = systems.connect(make_user())
    before = Operation.objects.filter(kind=OperationKind.CHECK).count()

    one = administrator.post(
        f"/connections/{connection.pk}/check/", {"next": "/check/"}
    )
    every = administrator.post("/check/again/", follow=True)

    done = Operation.objects.filter(kind=OperationKind.CHECK).count() - before
    assert one["Location"] == every.redirect_chain[0][0] == "/check/"
    assert done == 2
    assert "The check passed." in every.content.decode()
    assert "0 of 12 need you." in every.content.decode()
    assert 'href="http://127.0.0.1' in every.content.decode()


DENIED = {"table": "customer", "right": "Read"}
UNREADABLE = "The stored secret of “{name}” cannot be read."


@pytest.mark.parametrize(
    "line",
    [
        found(CheckStep.PRIVILEGES, Finding("bc-permission-denied", DENIED)),
        CheckLine(
            CheckStep.SIGN_IN, CheckState.FAIL, sentence(UNREADABLE, name="Sales")
        ),
    ],
)
def test_what_no_page_of_its_system_cures_opens_no_page_of_another(
    db: None, line: CheckLine
) -> None:
    """A simulated company has no page of applications, and keys are ours alone."""
    connection = make_connection()
    connection.sales.integration_role_id = "11111111-2222-3333-4444-555555555555"

    one = examined(connection, [line])

    (wrong,) = [shown for shown in one.rows if shown.row.state == "fail"]
    assert wrong.page == f"/connections/{connection.pk}/"
