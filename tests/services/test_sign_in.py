"""The one-time link, and the limit of failed sign-ins."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from integration.models import FailedSignIn
from integration.services.sign_in import (
    WINDOW,
    count_failure,
    make_link_token,
    redeem,
    seconds_to_wait,
)
from tests.factories import make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_link_lets_its_user_in_once() -> None:
    user = make_user()
    token = make_link_token(user)

    assert redeem(token) == user
    assert redeem(token) is None


def test_a_link_is_good_for_ten_minutes() -> None:
    user = make_user()
    with time_machine.travel(NOON, tick=False):
        token = make_link_token(user)

    with time_machine.travel(NOON + timedelta(minutes=10, seconds=1), tick=False):
        assert redeem(token) is None
    with time_machine.travel(NOON + timedelta(minutes=9), tick=False):
        assert redeem(token) == user


def test_a_link_of_a_locked_user_is_refused() -> None:
    user = make_user()
    token = make_link_token(user)

    user.is_active = False
    user.save()

    assert redeem(token) is None


@pytest.mark.parametrize("token", ["", "nonsense", "WzEsICIiXQ:1:x"])
def test_a_made_up_link_is_refused(token: str) -> None:
    assert redeem(token) is None


def test_the_log_tells_where_a_wrong_password_came_from_and_nothing_that_was_typed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    count_failure("hunter2", "203.0.113.7")

    [entry] = caplog.records
    assert entry.getMessage() == "sign-in failed"
    assert vars(entry)["address"] == "203.0.113.7"
    assert "hunter2" not in str(vars(entry))


def test_each_kind_of_guessing_has_a_limit_of_its_own(
    settings: Settings,
) -> None:
    settings.SIGN_IN_LIMITS = {"pair": 2, "name": 4, "address": 3}

    count_failure("Vera", "192.0.2.1")
    count_failure(" vera", "192.0.2.1")

    assert seconds_to_wait("vera", "192.0.2.1")
    assert not seconds_to_wait("vera", "192.0.2.2")
    assert not seconds_to_wait("luc", "192.0.2.1")
    count_failure("luc", "192.0.2.1")
    assert seconds_to_wait("anybody", "192.0.2.1")
    count_failure("vera", "192.0.2.3")
    count_failure("vera", "192.0.2.4")
    assert seconds_to_wait("vera", "192.0.2.5")


def test_a_quarter_of_an_hour_later_one_may_try_again() -> None:
    with time_machine.travel(NOON, tick=False) as traveller:
        for _n in range(6):
            count_failure("vera", "192.0.2.1")
        wait = seconds_to_wait("vera", "192.0.2.1")
        traveller.shift(wait)
        may_try = not seconds_to_wait("vera", "192.0.2.1")
        count_failure("luc", "192.0.2.2")

    assert 0 < wait <= WINDOW.total_seconds() + 1
    assert may_try
    assert FailedSignIn.objects.count() == 3


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer() -> None:
    with time_machine.travel(NOON, tick=False) as traveller:
        for _n in range(6):
            count_failure("vera", "192.0.2.1")
        traveller.shift(-timedelta(hours=2))
        may_try = not seconds_to_wait("vera", "192.0.2.1")
        for _n in range(6):
            count_failure("vera", "192.0.2.1")
        wait = seconds_to_wait("vera", "192.0.2.1")

    assert may_try
    assert 0 < wait <= WINDOW.total_seconds() + 1
