"""The one-time link."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from integration.services.sign_in import make_link_token, redeem
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
