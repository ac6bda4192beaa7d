from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from integration.models import (
    ErrorCell,
    ErrorPayload,
    Operation,
    OperationCell,
    SyncError,
    User,
)
from integration.models.removal import delete_counted
from integration.services import cells, cleanup, moment
from integration.services.actors import Refused
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import (
    CleanupRequest,
    Preview,
    preview,
)
from integration.services.error_filters import ErrorFilter
from integration.services.handling import resolve_errors
from integration.services.purge import purge_due
from integration.services.undo import undo
from tests.factories import make_error, make_mapping, make_problem, make_user
from tests.sessions import while_held, while_written

pytestmark = pytest.mark.django_db
T = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OLD = T - timedelta(days=10)
WEEK = CleanupRequest(7)
EVERYTHING = CleanupRequest(None)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment, "read_clock", lambda: T)


@pytest.fixture
def admin() -> User:
    return make_user()


def rows(count: int = 1, **values: Any) -> list[SyncError]:
    made = [make_error(**({"last_seen": OLD} | values)) for _ in range(count)]
    cells.rebuild()
    return made


def visible() -> set[int]:
    found = SyncError.objects.visible(Operation.objects.cuts())
    return set(found.values_list("id", flat=True))


def click(shown: Preview, by: User, **values: Any) -> Operation:
    return delete(shown.token, shown.request, by, **values)


def test_the_cut_off_is_seven_times_24_hours_before_the_preview(admin: User) -> None:
    step = timedelta(microseconds=1)
    week = T - timedelta(days=7)
    before, at, after = (
        rows(state="resolved", last_seen=week + offset)[0]
        for offset in (-step, step * 0, step)
    )

    shown = preview(WEEK, admin)
    click(shown, admin)

    assert (shown.instant, shown.cutoff, shown.settled) == (T, week, 2)
    assert visible() == {after.pk}
    assert not {before.pk, at.pk} & visible()


def test_a_second_deletion_of_the_same_entries_does_not_outlast_the_first_s_undo(
    admin: User,
) -> None:
    kept = {row.pk for row in rows(3, state="resolved")}
    shown, shown_in_another_tab = preview(EVERYTHING, admin), preview(EVERYTHING, admin)
    first = click(shown, admin)

    with pytest.raises(Refused, match="any more, so nothing was deleted"):
        click(shown_in_another_tab, admin)
    undo(first, admin)

    assert visible() == kept


def test_the_preview_counts_each_reason_and_says_why_others_stay(admin: User) -> None:
    rows(2, state="resolved")
    rows(1, state="resolved", settled_reason="both_deleted")
    rows(1, waits_for="EUR")
    rows(1, state="ignored")
    rows(1, mapping_key="", direction="", record_key="")

    shown = preview(EVERYTHING, admin)

    assert shown.reasons == {"resolved": 2, "replaced": 0, "both_deleted": 1}
    assert (shown.settled, shown.relevant, shown.total) == (3, 3, 6)
    assert {row["why"] for row in shown.kept} == {
        "waits for EUR",
        "ignored, not solved",
        "no check has passed since",
    }


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"sales_presence": "no_access"}, "not known: one record may not be read"),
        ({"sales_presence": "deleted"}, "the other record still exists"),
        (
            {"bc_presence": "deleted", "sales_presence": "deleted"},
            "both look deleted, but that is not confirmed",
        ),
        ({}, "no success since"),
        (
            {"state": "ignored", "ignored_until": T + timedelta(days=9)},
            "ignored until 1 Dec 2026, not solved",
        ),
    ],
)
def test_a_relevant_entry_says_why(values: Any, why: str, admin: User) -> None:
    rows(1, **values)

    assert preview(WEEK, admin).kept[0]["why"] == why


def test_only_the_finished_go_by_default_and_no_row_is_touched(admin: User) -> None:
    rows(2, state="resolved")
    (kept,) = rows(1)
    before = list(SyncError.objects.order_by("id").values())

    operation = click(preview(WEEK, admin), admin, reason="tidy")

    assert visible() == {kept.pk}
    assert (operation.rows, operation.by, operation.reason) == (2, admin, "tidy")
    assert list(SyncError.objects.order_by("id").values()) == before


def test_the_relevant_go_only_with_their_number_typed(admin: User) -> None:
    rows(2)
    shown = preview(WEEK, admin)

    with pytest.raises(Refused, match="type 2"):
        click(shown, admin, include_relevant=True, typed="3")
    click(shown, admin, include_relevant=True, typed=" 2 ")

    assert visible() == set()


def test_a_second_click_is_the_first_ones_operation(admin: User) -> None:
    rows(2, state="resolved")
    shown = preview(WEEK, admin)

    first, second = click(shown, admin), click(shown, admin)

    assert first == second
    assert ErrorCell.objects.count() == 0


def test_what_arrives_or_settles_after_the_preview_stays(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(1, state="resolved")
    shown = preview(EVERYTHING, admin)
    later = T + timedelta(minutes=1)
    (settled,) = rows(1, state="resolved", settled_at=later)
    (arrived,) = rows(1, last_seen=later)

    operation = click(shown, admin)

    assert visible() == {settled.pk, arrived.pk}
    assert operation.rows == 1


def test_an_old_token_is_refused(admin: User) -> None:
    rows(1, state="resolved")
    with time_machine.travel(T) as traveller:
        shown = preview(WEEK, admin)
        traveller.shift(timedelta(hours=1, seconds=2))
        with pytest.raises(Refused, match="older than an hour"):
            click(shown, admin)


def test_an_edited_token_is_refused(admin: User) -> None:
    shown = preview(WEEK, admin)

    with pytest.raises(Refused, match="changed on its way"):
        delete("x" + shown.token, WEEK, admin)


def test_another_users_token_is_refused(admin: User) -> None:
    shown = preview(WEEK, admin)

    with pytest.raises(Refused, match="another user"):
        click(shown, make_user())


@pytest.mark.parametrize(
    "other", [EVERYTHING, CleanupRequest(7, ErrorFilter(mapping="CUSTOMER"))]
)
def test_another_filters_token_is_refused(other: CleanupRequest, admin: User) -> None:
    shown = preview(WEEK, admin)

    with pytest.raises(Refused, match="another filter"):
        delete(shown.token, other, admin)


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_an_administrator_may_delete_or_undo(role: str, admin: User) -> None:
    (row,) = rows(1, state="resolved")
    shown = preview(WEEK, admin)
    other = make_user(role)

    for refused in (
        lambda: preview(WEEK, other),
        lambda: click(shown, other),
        lambda: delete_selected([row.pk], other),
        lambda: undo(click(shown, admin), other),
    ):
        with pytest.raises(Refused, match="administrator"):
            refused()


def test_the_filter_narrows_and_what_it_cannot_narrow_is_said(admin: User) -> None:
    problem = make_problem(who="user")
    rows(2, state="resolved", problem=problem)
    rows(3, state="resolved", problem=make_problem(problem.connection))
    rows(1, state="resolved", mapping_key="CURRENCY")
    filters = ErrorFilter(mapping="CUSTOMER", who="user", state="open")

    shown = preview(CleanupRequest(7, filters), admin)

    assert shown.settled == 5
    assert [(part.name, part.beyond) for part in shown.ignored] == [("who", 3)]
    assert click(shown, admin).filter == {"mapping": "CUSTOMER"}


def test_undo_brings_back_the_same_rows_and_counts(admin: User) -> None:
    rows(3, state="resolved")
    before = list(ErrorCell.objects.values("day", "state", "n"))
    operation = click(preview(WEEK, admin), admin)

    undone = undo(operation, admin)

    assert len(visible()) == 3
    assert undone.result == {"restored": 3, "still_hidden": 0}
    assert list(ErrorCell.objects.values("day", "state", "n")) == before


def test_a_second_undo_says_that_it_was_done_and_by_whom(admin: User) -> None:
    rows(3, state="resolved")
    operation = click(preview(WEEK, admin), admin)
    undone = undo(operation, "olga")

    with pytest.raises(Refused, match=r"olga undid this on .*: nothing has"):
        undo(operation, admin)

    operation.refresh_from_db()
    assert operation.undone_at == undone.undone_at
    assert Operation.objects.filter(kind="undo").count() == 1


def test_undo_leaves_hidden_what_another_clean_up_still_covers(admin: User) -> None:
    rows(2, state="resolved")
    rows(1, state="resolved", mapping_key="CURRENCY")
    rows(1, state="resolved", last_seen=T)
    customers = CleanupRequest(None, ErrorFilter(mapping="CUSTOMER"))
    first = click(preview(WEEK, admin), admin)
    shown = preview(customers, admin)
    delete(shown.token, customers, admin)

    undone = undo(first, admin)

    assert undone.result == {"restored": 1, "still_hidden": 2}
    assert len(visible()) == 1


def test_selected_rows_go_at_once_and_come_back(admin: User) -> None:
    one, two = rows(2)

    operation = delete_selected([one.pk], admin, "double")

    assert visible() == {two.pk}
    assert undo(operation, admin).result["restored"] == 1
    assert visible() == {one.pk, two.pk}


def test_more_than_a_hundred_selected_rows_are_refused(admin: User) -> None:
    with pytest.raises(Refused, match="at most 100"):
        delete_selected(range(1, 102), admin)


def test_the_purge_removes_what_is_past_its_undo_date(admin: User) -> None:
    rows(3, state="resolved")
    (kept,) = rows(1)
    operation = click(preview(WEEK, admin), admin)

    assert operation.undo_until is not None
    assert purge_due(operation.undo_until - timedelta(seconds=1)) == 0
    assert purge_due(operation.undo_until) == 3

    operation.refresh_from_db()
    assert (operation.state, operation.result["purged"]) == ("purged", 3)
    assert list(SyncError.objects.values_list("id", flat=True)) == [kept.pk]
    assert not OperationCell.objects.exists()
    with pytest.raises(Refused, match="removed for good"):
        undo(operation, admin)


def test_what_was_counted_is_forgotten_without_looking_for_rows_again(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in range(6):
        rows(1, state="resolved", last_seen=OLD - timedelta(days=days))
    operation = click(preview(WEEK, admin), admin)
    monkeypatch.setattr("integration.services.purge._CELLS", 2)
    assert OperationCell.objects.count() == 6

    with CaptureQueriesContext(database) as asked:
        assert purge_due(operation.undo_until) == 6

    operation.refresh_from_db()
    assert operation.state == "purged"
    assert not OperationCell.objects.exists()
    reading = 'SELECT "integration_syncerror"."id"'
    searched = [one for one in asked.captured_queries if reading in one["sql"]]
    assert len(searched) == 4  # the rows, none beyond, none at all, at its end none


def test_undo_while_the_purge_runs_keeps_what_is_left(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(5, state="resolved")
    operation = click(preview(WEEK, admin), admin)
    monkeypatch.setattr("integration.models.removal.DELETE_CHUNK", _chunks_of(2))
    monkeypatch.setattr("integration.clock.sleep", lambda _: undo(operation, admin))

    removed = purge_due(operation.undo_until)

    operation.refresh_from_db()
    assert (removed, operation.state) == (2, "undone")
    assert operation.result == {"purged": 2, "restored": 3, "still_hidden": 0}
    assert len(visible()) == 3


def test_undo_while_the_purge_runs_counts_what_is_left(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(2, state="resolved")
    rows(3, state="resolved", last_seen=OLD - timedelta(days=3))
    operation = click(preview(WEEK, admin), admin)
    monkeypatch.setattr("integration.models.removal.DELETE_CHUNK", _chunks_of(2))
    monkeypatch.setattr("integration.clock.sleep", lambda _: undo(operation, admin))

    purge_due(operation.undo_until)

    live = cells.count_rows(SyncError.objects.all())
    columns = ("day", *cells.TOTAL_KEYS, "n")
    counted = {row[:-1]: row[-1] for row in ErrorCell.objects.values_list(*columns)}
    assert (live.total(), counted) == (3, {tuple(cell): n for cell, n in live.items()})
    assert not OperationCell.objects.exists()


def test_what_failed_again_since_its_chunk_was_read_keeps_all_it_has(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL reads a chunk without locking it."""
    some = rows(3, state="resolved")
    for row in some:
        row.payloads.create(latest=False, request="sent", recorded_at=OLD)
    operation = click(preview(WEEK, admin), admin)

    def met_again(*arguments: Any) -> Any:
        SyncError.objects.filter(pk=some[1].pk).update(last_seen=T)
        return delete_counted(*arguments)

    monkeypatch.setattr("integration.services.purge.delete_counted", met_again)

    assert purge_due(operation.undo_until) == 2
    assert list(ErrorPayload.objects.values_list("error_id")) == [(some[1].pk,)]
    operation.refresh_from_db()
    assert operation.result["purged"] == 2


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_row_that_fails_again_while_its_removal_waits_for_it_stays(
    admin: User,
) -> None:
    some = rows(3, state="resolved")
    operation = click(preview(WEEK, admin), admin)
    fails_again = "UPDATE integration_syncerror SET last_seen = %s WHERE id = %s"

    removed = while_written(
        fails_again, [T, some[1].pk], lambda: purge_due(operation.undo_until)
    )

    assert removed == 2
    assert visible() == {some[1].pk}
    assert SyncError.objects.count() == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_removal_gives_way_to_who_takes_its_rows_in_another_order(
    admin: User,
) -> None:
    """A recorder takes entries several times: of its records, then those it wakes."""
    first, last = rows(2)
    operation = click(
        preview(EVERYTHING, admin), admin, include_relevant=True, typed="2"
    )
    entries = SyncError.objects.select_for_update(no_key=True)

    removed = while_held(
        take=lambda: entries.get(pk=last.pk),
        work=lambda: purge_due(operation.undo_until),
        then=lambda: entries.get(pk=first.pk),
    )

    assert removed == 2


@pytest.mark.parametrize("by_selection", [False, True])
def test_what_an_undo_brought_back_since_the_preview_is_not_deleted_unseen(
    admin: User, *, by_selection: bool
) -> None:
    hidden = rows(3, state="resolved")
    if by_selection:
        first = delete_selected([row.pk for row in hidden], admin)
    else:
        first = click(preview(WEEK, admin), admin)
    rows(1, state="resolved")
    shown = preview(WEEK, admin)
    undo(first, admin)

    with pytest.raises(Refused, match="came into this list since"):
        click(shown, admin)

    assert len(visible()) == 4
    assert click(preview(WEEK, admin), admin).rows == 4


def test_what_is_being_put_back_is_not_deleted_unseen_before_its_undo_ends(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunk by chunk; whoever is killed between two leaves it begun."""
    resolved, shown = rows(2), {row.pk for row in rows(2)}
    by_hand = resolve_errors([row.pk for row in resolved], admin)
    click(preview(EVERYTHING, admin), admin)
    seen = preview(EVERYTHING, admin)
    monkeypatch.setattr("integration.services.handling.CHUNK", 1)
    monkeypatch.setattr("integration.services.handling._end_undo", lambda *_: by_hand)
    undo(by_hand, admin)
    SyncError.objects.filter(pk__in=shown).update(last_seen=T + timedelta(seconds=1))

    with pytest.raises(Refused, match="came into this list since"):
        click(seen, admin, include_relevant=True, typed="2")

    assert len(visible()) == 4


def test_a_second_click_finds_what_the_first_did_also_after_an_undo(
    admin: User,
) -> None:
    rows(2, state="resolved")
    shown = preview(WEEK, admin)
    first = click(shown, admin)
    undo(first, admin)

    assert click(shown, admin) == first


def test_a_killed_purge_goes_on_where_it_stood(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(5, state="resolved")
    operation = click(preview(WEEK, admin), admin)
    monkeypatch.setattr("integration.models.removal.DELETE_CHUNK", _chunks_of(2))

    def killed(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("integration.clock.sleep", killed)
        with pytest.raises(KeyboardInterrupt):
            purge_due(operation.undo_until)

    assert purge_due() == 3
    assert SyncError.objects.count() == 0


def test_a_purge_is_not_over_while_a_row_it_has_passed_is_left(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was set back, and what is hidden was met again in that time."""
    some = rows(5, state="resolved")
    operation = click(preview(WEEK, admin), admin)
    monkeypatch.setattr("integration.models.removal.DELETE_CHUNK", _chunks_of(2))
    long_ago = min(row.last_seen for row in some) - timedelta(days=1)

    def met_again(_: float) -> None:
        left = SyncError.objects.order_by("-last_seen", "-id")[:1].values("id")
        SyncError.objects.filter(pk__in=left).update(
            first_seen=long_ago, last_seen=long_ago
        )

    monkeypatch.setattr("integration.clock.sleep", met_again)

    assert purge_due(operation.undo_until) == 5
    assert SyncError.objects.count() == 0


def _chunks_of(size: int) -> dict[str, int]:
    return {"sqlite": size, "postgresql": size}


@pytest.mark.parametrize("query", [{}, {"connection": 1}, {"mapping": "CUSTOMER"}])
@pytest.mark.parametrize("days", [None, 7])
@pytest.mark.parametrize("relevant", [True, False])
def test_a_large_click_takes_the_same_from_the_roll_up_as_from_the_rows(
    query: dict[str, Any],
    days: int | None,
    relevant: bool,
    admin: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = make_mapping().connection
    if "connection" in query:
        query = {"connection": connection.pk}
    problem = make_problem(connection)
    for hours in range(0, 400, 9):
        seen = T - timedelta(hours=hours)
        state = "resolved" if hours % 2 else "open"
        make_error(problem=problem, last_seen=seen, state=state)
    cells.rebuild()
    shown = preview(CleanupRequest(days, ErrorFilter(**query)), admin)
    settled_since = SyncError.objects.filter(state="open").order_by("last_seen")[:3]
    for row in settled_since:
        SyncError.objects.filter(pk=row.pk).update(
            state="resolved",
            settled_reason="resolved",
            settled_at=T + timedelta(seconds=1),
        )
    cells.rebuild()
    monkeypatch.setattr(cleanup, "_COUNTED_LIVE", 0)

    typed = str(shown.relevant)
    click(shown, admin, include_relevant=relevant, typed=typed)

    live = cells.count_by_place(SyncError.objects.all(), Operation.objects.cuts())
    columns = ("day", *cells.TOTAL_KEYS, "n")
    counted = {row[:-1]: row[-1] for row in ErrorCell.objects.values_list(*columns)}
    assert counted == {tuple(cell): n for cell, n in live.get(0, {}).items()}
