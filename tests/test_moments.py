"""Moments come back from PostgreSQL as they were, in UTC."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from integration.models.moments import UtcLoader

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        None,
    ],
)
def test_a_moment_is_in_utc_to_the_microsecond(moment: datetime | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [moment])
        (found,) = cursor.fetchone()
    assert found == moment
    assert found is None or found.tzinfo is UTC


def test_django_keeps_the_compiled_loader() -> None:
    with connection.cursor() as cursor:
        assert cursor.connection.adapters.get_loader(1184, 0) is UtcLoader
