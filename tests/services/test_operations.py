import pytest

from integration.models import Operation
from integration.services.operations import (
    find_operation,
    recent_operations,
    record_operation,
)
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_an_operation_says_who_what_and_why() -> None:
    user = make_user(username="anna")

    operation = record_operation(
        "set_up", by=user, reason="new secret", scope={"connection": 1}
    )

    assert (operation.by_name, operation.reason) == ("anna", "new secret")
    assert operation.finished_at == operation.created_at
    assert list(recent_operations()) == [operation]


def test_the_same_key_is_the_same_operation() -> None:
    first = record_operation("retry", by=None, by_name="schedule", key="k")

    second = record_operation("retry", by=None, by_name="schedule", key="k")

    assert first == second == find_operation("k")
    assert Operation.objects.count() == 1


def test_one_that_goes_on_is_not_finished() -> None:
    operation = record_operation("retry", by=None, by_name="x", state="running")

    assert operation.finished_at is None


def test_a_long_or_broken_reason_is_stored() -> None:
    operation = record_operation("retry", by=None, by_name="x", reason="a\0" * 600)

    assert operation.reason == "a" * 500
