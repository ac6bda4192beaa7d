import pytest
from django.db import IntegrityError
from django.utils import translation

from integration.models import Operation
from integration.services.alert_recipients import Wish, save_wish
from integration.services.connections import PASSED
from integration.services.handling import resolve_errors
from integration.services.operations import (
    find_operation,
    recent_operations,
    record_operation,
)
from integration.services.pauses import pause
from integration.services.sentences import in_words, sentence
from integration.services.users import record_user_change
from tests.factories import make_connection, make_error, make_user

pytestmark = pytest.mark.django_db


def test_an_operation_says_who_what_and_why() -> None:
    user = make_user(username="anna")

    operation = record_operation(
        "set_up", by=user, reason="new secret", scope={"connection": 1}
    )

    assert (operation.by_name, operation.reason) == ("anna", "new secret")
    assert operation.finished_at == operation.created_at
    assert list(recent_operations()) == [operation]


def test_who_is_told_by_the_whole_name() -> None:
    """As pages name people; a user without a name by the user name."""
    names = {"first_name": "Anna", "last_name": "Meier-" + "x" * 143}
    user = make_user(username="anna", **names)
    errors = [make_error().pk]
    told = "Anna " + names["last_name"][:145]

    resolve_errors(errors, user)
    pause(make_connection(), user)
    save_wish(user, Wish(mail=True, mappings=[]))
    record_user_change(user, user, "Married.", {})

    assert set(Operation.objects.values_list("by_name", flat=True)) == {told}
    about = Operation.objects.filter(kind="user").values_list("scope__user", flat=True)
    assert set(about) == {str(user)}


def test_the_same_key_is_the_same_operation() -> None:
    first = record_operation("retry", by="beat", reason="due", key="k")

    second = record_operation("retry", by="beat", reason="due", key="k")

    assert first == second == find_operation("k")
    assert Operation.objects.count() == 1


def test_one_that_goes_on_is_not_finished() -> None:
    operation = record_operation("retry", by="x", reason="due", state="running")

    assert operation.finished_at is None


def test_a_reason_of_ours_is_read_in_either_language() -> None:
    operation = record_operation("retry", by="x", reason=sentence(PASSED))

    with translation.override("fr-ch"):
        told = in_words(operation.scope["why"])

    assert (operation.reason, told) == ("Its check passed.", "Le contrôle a réussi.")


def test_no_operation_is_without_a_reason() -> None:
    with pytest.raises(IntegrityError, match="says_why"):
        record_operation("retry", by="x", reason="")


def test_a_long_or_broken_reason_is_stored() -> None:
    operation = record_operation("retry", by="x", reason="a\0" * 600)

    assert operation.reason == "a" * 500
