"""Statements that are made once: what they find, alone and asked together."""

import pytest
from django.db import DatabaseError

from integration.models import Connection
from integration.models.statements import Statement, ahead
from tests.factories import make_connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def names() -> Statement:
    return Statement.of(Connection.objects.order_by("id").values_list("name"))


@pytest.fixture
def count() -> Statement:
    found = Connection.objects.filter(name__contains="100 %").values_list("id")
    return Statement.of(found)


def test_what_is_asked_ahead_is_answered_once(
    names: Statement, count: Statement
) -> None:
    make_connection(name="Geneva")

    with ahead(names, count):
        first = names.rows()
        make_connection(name="100 % Morges")
        second = names.rows()

    assert [name for (name,) in first] == ["Geneva"]
    assert [name for (name,) in second] == ["Geneva", "100 % Morges"]
    assert len(count.rows()) == 1


@pytest.mark.postgresql
def test_what_cannot_be_asked_ahead_says_so_as_django_does() -> None:
    wrong = Statement("SELECT 1 / 0", (), (), ())

    with pytest.raises(DatabaseError), ahead(wrong):
        raise AssertionError
