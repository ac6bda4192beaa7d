"""What the log tells an administrator: a line for each refusal."""

import io

import pytest
from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from psycopg.errors import DeadlockDetected
from pytest_django import Settings

from integration import tasks
from syncerrors.urls import handler500 as handler500
from tests.factories import make_user


@login_not_required
def away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("connection failed\nIs the server running?")


@login_not_required
def at_fault(request: HttpRequest) -> HttpResponse:
    raise ValueError("at fault")


urlpatterns = [path("away/", away), path("at-fault/", at_fault)]


@pytest.fixture
def browser(db: None, client: Client, shown: io.StringIO) -> Client:
    """A viewer's, to whom a page that breaks shows what people see."""
    client.raise_request_exception = False
    client.force_login(make_user("viewer", username="anna"))
    shown.truncate(0)
    return client


def test_a_refusal_is_one_line_with_path_person_and_reason(
    browser: Client, shown: io.StringIO
) -> None:
    browser.post("/users/")

    (line,) = shown.getvalue().splitlines()
    assert "Traceback" not in line
    assert "POST '/users/'" in line
    assert "user='anna'" in line
    assert "needs the role operator" in line


def test_a_wrong_host_is_one_line(browser: Client, shown: io.StringIO) -> None:
    browser.get("/errors/", headers={"host": "evil.example"})

    (line,) = shown.getvalue().splitlines()
    assert "Traceback" not in line
    assert "GET '/errors/'" in line
    assert "Invalid HTTP_HOST header" in line
    assert "reason=" not in line  # It is the event already.


@pytest.mark.parametrize(
    ("address", "reason", "is_ours"),
    [("/away/", "Is the server running?", False), ("/at-fault/", "at fault", True)],
)
def test_only_a_fault_of_ours_leaves_a_traceback(
    address: str,
    reason: str,
    is_ours: bool,
    browser: Client,
    shown: io.StringIO,
    settings: Settings,
) -> None:
    settings.ROOT_URLCONF = __name__

    browser.get(address)

    (line,) = shown.getvalue().splitlines()
    assert reason in line
    assert ("Traceback" in line) == is_ours


def test_each_task_that_finds_no_database_is_one_line_without_a_traceback(
    shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("connection failed\nIs the server running?")

    monkeypatch.setattr(tasks, "forget_abandoned", refuse)

    tasks.dispatch_due.apply()

    (line,) = shown.getvalue().splitlines()
    assert "Traceback" not in line
    assert "level='error' event='the database cannot be used'" in line
    assert "task='integration.tasks.dispatch_due'" in line
    assert "Is the server running?" in line


def test_a_task_that_asks_the_database_wrongly_leaves_a_traceback(
    db: None, shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    monkeypatch.setattr(tasks, "forget_abandoned", ask)

    tasks.dispatch_due.apply()

    assert "Traceback" in shown.getvalue()
    assert "nowhere" in shown.getvalue()


def test_a_task_that_is_in_another_one_s_way_leaves_a_traceback(
    shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meet() -> None:
        raise OperationalError("deadlock detected") from DeadlockDetected()

    monkeypatch.setattr(tasks, "forget_abandoned", meet)

    tasks.dispatch_due.apply()

    assert "Traceback" in shown.getvalue()
