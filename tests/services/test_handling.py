from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.db.models import Count, Sum

from integration import clock
from integration.choices import OperationKind, Role
from integration.models import ErrorTotal, Operation, SyncError, User
from integration.services import cells
from integration.services.actors import Refused
from integration.services.causes import relevant_problems
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.error_filters import ErrorFilter
from integration.services.error_rows import Failing
from integration.services.handling import (
    ignore_errors,
    reopen_errors,
    resolve_errors,
    wake_ignored,
)
from integration.services.problem_history import history_of
from integration.services.problems import cause_of_problem
from integration.services.recording import record_failing
from integration.services.retry_preview import confirm, prepare
from integration.services.settling import writing
from integration.services.undo import undo
from tests.factories import make_error, make_problem, make_user
from tests.sessions import referred_to

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return make_user(Role.OPERATOR, username="anna")


@pytest.fixture
def rows() -> list[SyncError]:
    """Three of one cause, the last of them waiting, and one of another connection."""
    problem = make_problem()
    found = [make_error(problem=problem), make_error(problem=problem)]
    found += [make_error(problem=problem, waits_for="EUR"), make_error()]
    with transaction.atomic():
        cells.rebuild()
    return found


def ids(*rows: SyncError) -> list[int]:
    return [row.pk for row in rows]


def chips(*rows: SyncError) -> list[str]:
    """As they are, and as the roll-ups count them."""
    live = SyncError.objects.filter(deleted_by=None).order_by()
    totals = ErrorTotal.objects.order_by()
    assert dict(live.values_list("chip").annotate(Count("id"))) == dict(
        totals.values_list("state").annotate(Sum("n"))
    )
    found = SyncError.objects.in_bulk(ids(*rows))
    return [found[row.pk].chip for row in rows]


def fails(row: SyncError, record_key: str = "") -> None:
    """The row's record fails again, or another one does for the same cause."""
    cause = cause_of_problem(row.problem)
    one = Failing("CUSTOMER", row.direction, record_key or row.record_key, cause)
    with transaction.atomic():
        record_failing(writing(row.connection), [one])


def test_ignored_entries_leave_the_open_ones_and_come_back_by_undo(
    anna: User, rows: list[SyncError]
) -> None:
    operation = ignore_errors(ids(*rows[1:]), anna, reason="month-end")

    assert chips(*rows) == ["open", "ignored", "ignored", "ignored"]
    assert (operation.by, operation.rows) == (anna, 3)
    assert operation.reason == "month-end"

    undone = undo(operation, anna, "back from holidays")

    assert chips(*rows) == ["open", "open", "waiting", "open"]
    assert undone.result == {"restored": 3, "changed_since": 0}
    with pytest.raises(Refused, match=r"anna undid this on .*: nothing has changed"):
        undo(undone, anna, "twice")
    told = Operation.objects.get(kind="undo")
    assert (told.by, told.reason, told.rows) == (anna, "back from holidays", 3)
    assert told.scope == {"operation": operation.pk}


def test_without_a_reason_one_entry_is_called_by_its_cause(
    anna: User, rows: list[SyncError]
) -> None:
    done = [ignore_errors(ids(rows[0]), anna), ignore_errors(ids(*rows[1:]), anna)]
    done += [reopen_errors(ids(rows[0]), anna), resolve_errors(ids(rows[0]), anna)]

    title = rows[0].problem.title
    assert [operation.reason for operation in done] == [
        title,
        "Selected in the list.",
        title,
        title,
    ]


def test_an_ignored_record_that_fails_again_stays_ignored(
    anna: User, rows: list[SyncError]
) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    ignore_errors(ids(rows[0]), anna, tomorrow)

    fails(rows[0])

    row = SyncError.objects.get(pk=rows[0].pk)
    assert (row.state, row.ignored_until) == ("ignored", tomorrow)
    assert row.occurrences == 2


def test_a_further_record_of_the_cause_ends_what_is_ignored_until_it_grows(
    anna: User, rows: list[SyncError]
) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    operation = ignore_errors(ids(rows[0], rows[2], rows[3]), anna)
    dated = ignore_errors(ids(rows[1]), anna, tomorrow)

    fails(rows[0], record_key="another")

    assert chips(*rows) == ["open", "ignored", "waiting", "ignored"]
    assert undo(operation, anna).result == {"restored": 1, "changed_since": 2}
    assert undo(dated, anna).result["restored"] == 1


def test_a_day_that_has_come_ends_it(anna: User, rows: list[SyncError]) -> None:
    now = clock.now()
    ignore_errors(ids(rows[0], rows[2]), anna, now + timedelta(days=2))
    ignore_errors(ids(rows[1]), anna, now + timedelta(days=4))
    assert wake_ignored() == 0

    with time_machine.travel(now + timedelta(days=3)):
        assert wake_ignored() == 2
        assert wake_ignored() == 0

    assert chips(*rows) == ["open", "ignored", "waiting", "open"]


def test_what_is_resolved_by_hand_comes_back_when_it_fails_again(
    anna: User, rows: list[SyncError]
) -> None:
    operation = resolve_errors(ids(*rows[:3]), anna, "they were closed")
    assert chips(*rows) == ["resolved", "resolved", "resolved", "open"]

    fails(rows[0])

    row = SyncError.objects.get(pk=rows[0].pk)
    assert (row.state, row.reopened_at is not None) == ("open", True)
    assert undo(operation, anna).result == {"restored": 2, "changed_since": 1}
    assert chips(*rows) == ["open", "open", "waiting", "open"]


def test_an_ignored_entry_may_be_resolved(anna: User, rows: list[SyncError]) -> None:
    first = ignore_errors(ids(rows[0]), anna)
    second = resolve_errors(ids(rows[0]), anna)

    assert undo(first, anna).result == {"restored": 0, "changed_since": 1}
    assert undo(second, anna).result["restored"] == 1
    assert chips(rows[0]) == ["open"]


@pytest.mark.parametrize("days", [None, 3])
def test_what_was_ignored_is_ignored_again_when_its_resolving_is_undone(
    anna: User, rows: list[SyncError], days: int | None
) -> None:
    until = clock.now() + timedelta(days=days) if days else None
    first = ignore_errors(ids(rows[0], rows[2]), make_user(), until)
    second = resolve_errors(ids(*rows), anna)

    assert undo(second, anna).result["restored"] == 4

    assert chips(*rows) == ["ignored", "open", "ignored", "open"]
    row = SyncError.objects.get(pk=rows[0].pk)
    assert (row.ignored_until, row.handled_by) == (until, first)
    assert (row.settled_at, row.settled_reason) == (None, "")
    assert undo(first, anna).result == {"restored": 2, "changed_since": 0}
    assert chips(*rows) == ["open", "open", "waiting", "open"]


def test_what_a_clean_up_took_as_finished_is_counted_when_it_is_open_again(
    anna: User, rows: list[SyncError]
) -> None:
    resolved = resolve_errors(ids(rows[0]), anna)
    admin = make_user(Role.ADMINISTRATOR, username="admin")
    shown = preview(CleanupRequest(None), admin)
    delete(shown.token, shown.request, admin)
    assert not SyncError.objects.visible(Operation.objects.cuts()).filter(pk=rows[0].pk)

    undo(resolved, anna)

    assert chips(rows[0]) == ["open"]


def test_a_record_that_fails_for_another_cause_by_now_is_not_open_twice(
    anna: User, rows: list[SyncError]
) -> None:
    operation = resolve_errors(ids(rows[0], rows[1]), anna)
    now = make_problem(connection=rows[0].connection, title="Another cause")
    one = Failing(
        "CUSTOMER", rows[0].direction, rows[0].record_key, cause_of_problem(now)
    )
    with transaction.atomic():
        record_failing(writing(rows[0].connection), [one])

    undone = undo(operation, anna)

    rows[0].refresh_from_db()
    assert (rows[0].state, rows[0].settled_reason) == ("resolved", "replaced")
    assert chips(rows[1]) == ["open"]
    assert undone.result["restored"] == undone.result["changed_since"] == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_an_undo_does_not_wait_for_whoever_records_beside_it(
    anna: User, rows: list[SyncError]
) -> None:
    """He waits for it: both would hold what the other needs."""
    operation = resolve_errors(ids(rows[0]), anna)

    with referred_to("integration_operation", operation.pk):
        undone = undo(operation, anna)

    assert undone.result["restored"] == 1


def test_what_is_woken_and_replaced_at_once_is_counted_once(
    anna: User, rows: list[SyncError]
) -> None:
    ignore_errors(ids(rows[0]), anna)
    now = make_problem(connection=rows[0].connection, title="Another cause")
    failing = [
        Failing(
            "CUSTOMER", rows[0].direction, rows[0].record_key, cause_of_problem(now)
        ),
        Failing(
            "CUSTOMER", rows[0].direction, "new", cause_of_problem(rows[0].problem)
        ),
    ]

    with transaction.atomic():
        record_failing(writing(rows[0].connection), failing)

    assert chips(rows[0]) == ["resolved"]


def test_what_ends_it_meanwhile_ends_it_for_what_is_put_back(
    anna: User, rows: list[SyncError]
) -> None:
    now = clock.now()
    ignore_errors(ids(rows[0], rows[3]), anna)
    ignore_errors(ids(rows[1]), anna, now + timedelta(days=2))
    operation = resolve_errors(ids(*rows), anna)
    fails(rows[0], record_key="another")

    with time_machine.travel(now + timedelta(days=3)):
        undo(operation, anna)

    assert chips(*rows) == ["open", "open", "waiting", "ignored"]


def test_what_an_earlier_ignoring_left_is_not_taken_for_the_latest(
    anna: User, rows: list[SyncError]
) -> None:
    ignore_errors(ids(rows[0]), anna)
    resolve_errors(ids(rows[0]), anna)
    fails(rows[0])
    latest = ignore_errors(ids(rows[0]), anna)

    assert undo(latest, anna).result["restored"] == 1
    assert chips(rows[0]) == ["open"]


def test_undo_finds_what_was_deleted_since(anna: User, rows: list[SyncError]) -> None:
    operation = resolve_errors(ids(rows[0]), anna)
    deletion = delete_selected(ids(rows[0]), make_user())

    assert undo(operation, anna).result["restored"] == 1
    assert undo(deletion, make_user()).result["restored"] == 1
    assert chips(*rows) == ["open", "open", "waiting", "open"]


def test_what_is_not_in_the_list_is_refused_in_a_sentence(
    anna: User, rows: list[SyncError]
) -> None:
    with pytest.raises(Refused, match="None of the selected"):
        ignore_errors([0], anna)
    with pytest.raises(Refused, match="at most 100"):
        resolve_errors(range(101), anna)
    with pytest.raises(Refused, match="still to come"):
        ignore_errors(ids(rows[0]), anna, clock.now())
    with pytest.raises(Refused, match="operator"):
        resolve_errors(ids(rows[0]), make_user(Role.VIEWER))

    assert chips(rows[0]) == ["open"]
    assert not rows[0].handled_by
    assert not anna.operations.filter(kind=OperationKind.IGNORE).exists()


def test_a_cause_that_is_wholly_ignored_needs_nobody_and_comes_last(
    anna: User, rows: list[SyncError]
) -> None:
    ignore_errors(ids(*rows[:3]), anna)

    (first, needed), (last, ignored) = relevant_problems()

    assert (first.pk, needed.needs_someone) == (rows[3].problem_id, True)
    assert (last.pk, ignored.needs_someone) == (rows[0].problem_id, False)
    assert (ignored.ignored, ignored.relevant) == (3, 3)


def test_a_retry_of_the_whole_cause_stands_in_its_history_once_it_is_asked_for(
    anna: User, rows: list[SyncError]
) -> None:
    problem = rows[0].problem
    whole = prepare(ErrorFilter(problem=problem.pk, state="relevant"), anna)
    part = prepare(ErrorFilter(problem=problem.pk, mapping="CUSTOMER"), anna)
    assert not history_of(problem).exists()

    confirm(whole.pk, anna)
    confirm(part.pk, anna)

    assert list(history_of(problem)) == [whole]
