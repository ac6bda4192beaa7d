"""Clean-up against entries whose truth is known beforehand (issue, Show 6)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as database
from django.utils import timezone

from integration.core.causes import Cause
from integration.models import Operation, SyncError
from integration.services import cells, moment
from integration.services.actors import Refused
from integration.services.cleanup import delete
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.error_filters import ErrorFilter
from integration.services.error_list import read_page
from integration.services.error_sort import Sort
from integration.services.errors import record_outcomes
from integration.services.undo import undo
from tests.factories import make_connection, make_job, make_mapping, make_problem
from tests.services.cleanup_truth import Entry, write_entries
from tests.services.test_errors import failed

pytestmark = pytest.mark.django_db
BY = "command line"
WEEK = CleanupRequest(7)
MOMENTS = [
    datetime(2026, 11, 22, 7, 5, 12, 345_678, tzinfo=UTC),
    datetime(2026, 4, 1, 1, 30, tzinfo=UTC),  # summer time began on 29 March
    datetime(2026, 10, 28, 1, 30, tzinfo=UTC),  # it ended on 25 October
]
ZONES = ["Europe/Zurich", "UTC", "Asia/Kathmandu"]


@pytest.fixture(params=MOMENTS, ids=lambda moment: moment.date().isoformat())
def instant(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> datetime:
    taken: datetime = request.param
    monkeypatch.setattr(moment, "read_clock", lambda: taken)
    return taken


@pytest.fixture
def entries(instant: datetime) -> list[Entry]:
    mapping = make_mapping(connection=make_connection())
    problem = make_problem(mapping.connection)
    with database.cursor() as cursor:
        key = (problem.connection_id, problem.pk)
        written = write_entries(cursor, database.vendor, key, instant, seed=7)
    cells.rebuild()
    return written


def listed(filters: ErrorFilter) -> set[str]:
    rows, after = [], ""
    while True:
        page = read_page(filters, Sort(), after=after, size=300)
        rows += page.rows
        after = page.after
        if not after:
            return {row["bc_number"] for row in rows}


def gone() -> set[str]:
    in_sight = SyncError.objects.visible(Operation.objects.cuts())
    hidden = SyncError.objects.exclude(id__in=in_sight.values("id"))
    return set(hidden.values_list("bc_number", flat=True))


@pytest.mark.parametrize("zone", ZONES)
def test_what_goes_by_default_is_the_finished_in_every_zone(
    zone: str, entries: list[Entry]
) -> None:
    with timezone.override(ZoneInfo(zone)):
        shown = preview(WEEK, BY)
        delete(shown.token, WEEK, BY)

    assert gone() == {entry.key for entry in entries if entry.old and entry.finished}
    assert shown.settled == len(gone()) > 150


def test_each_count_is_the_rows_behind_its_link(
    entries: list[Entry], instant: datetime
) -> None:
    shown = preview(WEEK, BY, shown=1_000)

    for reason, count in shown.reasons.items():
        truth = [e for e in entries if e.old and e.finished and e.reason == reason]
        filters = ErrorFilter(
            state="resolved", reason=reason, until=shown.cutoff, settled=shown.instant
        )
        assert len(listed(filters)) == len(truth) == count
    relevant = {entry.key for entry in entries if entry.old and not entry.finished}
    assert {row["bc_number"] for row in shown.kept} == relevant
    kept = ErrorFilter(state="all", until=shown.cutoff, unsettled=shown.instant)
    assert listed(kept) == relevant
    assert shown.relevant == len(relevant)


def test_undo_after_three_came_back_is_right_and_done_once(
    entries: list[Entry], instant: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = preview(WEEK, BY)
    operation = delete(shown.token, WEEK, BY)
    back = sorted(gone() & {e.key for e in entries if e.kind == "synced since"})[:3]
    monkeypatch.setattr(moment, "read_clock", lambda: instant + timedelta(minutes=1))
    _fail_again(back)

    assert listed(ErrorFilter(state="open")) >= {f"N{key}" for key in back}
    undone = undo(operation, BY)

    assert undone.result["restored"] == operation.rows - 3
    with pytest.raises(Refused):
        undo(operation, BY)
    undone.refresh_from_db()
    assert undone.result["restored"] == operation.rows - 3
    assert gone() == set()


def _fail_again(keys: list[str]) -> None:
    rows = SyncError.objects.filter(record_key__in=keys).select_related("connection")
    mapping = rows[0].connection.mappings.get()
    for row in rows:
        cause = Cause(row.fingerprint, "Refused")
        again = failed(row.record_key)
        record_outcomes(make_job(mapping), [again], lambda *_, cause=cause: cause)
