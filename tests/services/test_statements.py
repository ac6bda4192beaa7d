"""Statements that are made once: what they find, alone and asked together."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import DatabaseError
from django.db import connection as database

from integration import clock
from integration.models import Connection
from integration.models.statements import Statement, ahead, under_way
from tests.factories import make_connection

WRONG = Statement("SELECT 1 / 0", (), (), ())
only_postgresql = pytest.mark.postgresql
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture
def names() -> Statement:
    return Statement.of(Connection.objects.order_by("id").values_list("name"))


@pytest.fixture
def other() -> psycopg.Connection[tuple[object, ...]]:
    """Somebody else's way to the database."""
    return psycopg.connect(**database.get_connection_params(), autocommit=True)


@pytest.fixture
def widened(other: psycopg.Connection[tuple[object, ...]]) -> Iterator[str]:
    """What gives a column another type, as a new version may; undone afterwards."""
    change = "ALTER TABLE integration_connection ALTER name TYPE varchar"
    yield f"{change}(300)"
    other.execute(f"{change}(100)")
    other.close()


@pytest.mark.django_db
def test_what_is_asked_ahead_is_answered_once(names: Statement) -> None:
    found = Connection.objects.filter(name__contains="100 %").values_list("id")
    count = Statement.of(found)
    make_connection(name="Geneva")

    with ahead([names, count]):
        first = names.rows()
        make_connection(name="100 % Morges")
        second = names.rows()

    assert [name for (name,) in first] == ["Geneva"]
    assert [name for (name,) in second] == ["Geneva", "100 % Morges"]
    assert len(count.rows()) == 1


@only_postgresql
@committed
def test_what_cannot_be_asked_ahead_spoils_nothing_after_it(names: Statement) -> None:
    """What was about to be prepared then is not, whatever the library believes."""
    for _time in range(2):
        names.rows()

    with pytest.raises(DatabaseError), ahead([WRONG, names]):
        raise AssertionError

    assert names.rows() == []
    with ahead([names]):
        assert names.rows() == []


@only_postgresql
@committed
def test_a_table_that_changed_under_a_plan_is_read_all_the_same(
    names: Statement, other: psycopg.Connection[tuple[object, ...]], widened: str
) -> None:
    for _time in range(3):
        names.rows()

    other.execute(widened)
    alone = names.rows()
    for _time in range(3):
        names.rows()
    other.execute(widened.replace("300", "400"))
    with ahead([names]):
        together = names.rows()

    assert alone == together == []


@pytest.mark.django_db
def test_what_is_under_way_is_there_after_the_block(names: Statement) -> None:
    later = Statement.of(Connection.objects.order_by("id").values_list("id", "name"))
    made = make_connection(name="Geneva")

    with under_way(later) as found:
        before, beside = list(found), names.rows()

    assert before == []
    assert beside == [["Geneva"]]
    assert found == [(made.pk, "Geneva")]


@only_postgresql
@committed
def test_what_goes_wrong_beside_it_spoils_nothing(names: Statement) -> None:
    make_connection(name="Geneva")

    with pytest.raises(ZeroDivisionError), under_way(names):
        _ = 1 / 0
    with pytest.raises(DatabaseError), under_way(WRONG):
        pass
    with under_way(names) as found:
        pass

    assert found == [("Geneva",)]


@only_postgresql
@committed
def test_the_database_answers_while_the_block_runs(
    other: psycopg.Connection[tuple[bool]],
) -> None:
    locking = Statement("SELECT pg_advisory_lock(7), 'held'", (), (), ())
    is_free = "SELECT pg_try_advisory_lock(7) AND pg_advisory_unlock(7)"

    with under_way(locking) as found:
        end = clock.monotonic() + 10
        while other.execute(is_free).fetchall() == [(True,)]:
            assert clock.monotonic() < end, "it was not asked"

    assert [held for _void, held in found] == ["held"]
    database.close()
    other.close()


@only_postgresql
@committed
def test_a_table_that_changed_is_read_after_the_block(
    names: Statement, other: psycopg.Connection[tuple[object, ...]], widened: str
) -> None:
    make_connection(name="Geneva")
    for _time in range(3):
        names.rows()

    other.execute(widened)
    with under_way(names) as found:
        pass

    assert found == [("Geneva",)]
