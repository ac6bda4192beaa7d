"""The top bar: how much is out of step, and how the systems are."""

import pytest

from integration import clock
from integration.choices import System
from integration.models import Connection
from integration.services import cells
from integration.services.status import read_shell
from tests.factories import make_connection, make_endpoint, make_error

pytestmark = pytest.mark.django_db


def connect(name: str, passed: bool | None, **values: object) -> Connection:
    endpoint = make_endpoint(
        check_passed=passed, checked_at=clock.now() if passed else None
    )
    return make_connection(name=name, business_central=endpoint, **values)


def state_of(system: System) -> str:
    return {one.system: one.state for one in read_shell().systems}[system]


def test_a_system_answers_by_the_connections_that_run() -> None:
    connect("Fabrique", True)
    connect("Boutique", False, paused_at=clock.now())
    connect("Services", False, enabled=False)

    assert state_of(System.BUSINESS_CENTRAL) == "answers"


def test_a_running_connection_that_cannot_sign_in_is_the_systems_silence() -> None:
    connect("Fabrique", True)
    connect("Boutique", False)

    assert state_of(System.BUSINESS_CENTRAL) == "refuses"


def test_without_a_running_connection_a_system_is_idle() -> None:
    connect("Services", True, enabled=False)

    assert state_of(System.BUSINESS_CENTRAL) == "idle"


def test_pauses_are_told_before_what_waits_to_be_enabled() -> None:
    connect("Amont", None, enabled=False)
    connect("Boutique", None, paused_at=clock.now())

    shell = read_shell()

    assert [one.name for one in shell.stopped] == ["Boutique", "Amont"]
    assert [one.name for one in shell.told] == ["Boutique"]


def test_what_waits_or_is_ignored_is_out_of_step_too() -> None:
    make_error()
    make_error(waits_for="GBP")
    make_error(state="ignored")
    make_error(state="resolved")
    cells.rebuild()

    shell = read_shell()

    assert (shell.open, shell.waiting, shell.ignored) == (1, 1, 1)
    assert shell.out_of_step == 3
