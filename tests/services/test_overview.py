"""The figures of the first page add up, and each is the rows behind its link."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from integration import clock
from integration.choices import Chip, JobState
from integration.models import Coupling, PendingRecord, TableMapping
from integration.services import cells
from integration.services.couplings import in_step
from integration.services.overview import MappingLine, read_mapping_lines
from integration.services.pending import unlisted
from tests.factories import make_error, make_job, make_mapping

pytestmark = pytest.mark.django_db


def couple(mapping: TableMapping, key: str) -> Coupling:
    return Coupling.objects.create(
        mapping=mapping, bc_id=key, sales_id=f"s-{key}", coupled_at=clock.now()
    )


def leave_pending(mapping: TableMapping, key: str, **values: Any) -> PendingRecord:
    side = values.pop("side", "business_central")
    return PendingRecord.objects.create(
        mapping=mapping, side=side, record_id=key, **values
    )


def fail(mapping: TableMapping, key: str, **values: Any) -> None:
    make_error(connection=mapping.connection, record_key=key, **values)
    cells.rebuild()


def line_of(mapping: TableMapping) -> MappingLine:
    (line,) = [one for one in read_mapping_lines() if one.mapping == mapping]
    return line


def test_what_is_coupled_and_not_pending_is_in_step() -> None:
    mapping = make_mapping()
    for key in "abc":
        couple(mapping, key)
    leave_pending(mapping, "s-c", side="sales", attempts=1)
    fail(mapping, "s-c")

    line = line_of(mapping)

    assert (line.in_step, line.failing, line.unlisted, line.total) == (2, 1, 0, 3)
    assert set(in_step().values_list("bc_id", flat=True)) == {"a", "b"}


def test_a_pair_pending_on_both_sides_is_one_pair() -> None:
    mapping = make_mapping()
    couple(mapping, "a")
    leave_pending(mapping, "a")
    leave_pending(mapping, "s-a", side="sales")

    assert line_of(mapping).in_step == 0


def test_what_no_entry_tells_of_is_counted_as_unlisted() -> None:
    mapping = make_mapping()
    leave_pending(mapping, "aside", skipped_at=clock.now(), skip_reason="x")
    leave_pending(mapping, "known", attempts=5, skipped_at=clock.now())
    fail(mapping, "known")

    assert line_of(mapping).unlisted == 1
    assert [row.record_id for row in unlisted()] == ["aside"]


def test_hours_say_where_runs_failed() -> None:
    mapping = make_mapping()
    now = clock.now()
    for hours, values in ((0, {}), (1, {"failed": 3}), (1, {}), (30, {"failed": 1})):
        ended = now - timedelta(hours=hours)
        make_job(
            mapping,
            state=JobState.SUCCEEDED,
            started_at=ended,
            finished_at=ended,
            **values,
        )

    hours_ = line_of(mapping).hours

    assert [(one.runs, one.troubled) for one in hours_[-2:]] == [(2, 1), (1, 0)]
    assert sum(one.runs for one in hours_) == 3


def test_ten_mappings_take_as_many_queries_as_one(
    django_assert_num_queries: Any,
) -> None:
    make_mapping()
    with CaptureQueriesContext(connection) as once:
        read_mapping_lines()
    for _number in range(9):
        make_mapping()

    with django_assert_num_queries(len(once)):
        read_mapping_lines()


def test_waiting_and_ignored_entries_are_failing_too() -> None:
    mapping = make_mapping()
    fail(mapping, "a", waits_for="EUR")
    fail(mapping, "b", state="ignored")

    assert line_of(mapping).failing == len([Chip.WAITING, Chip.IGNORED])
