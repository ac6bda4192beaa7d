"""All that match are ignored or resolved: what was shown, no more, and back again."""

import pytest
from django.db import transaction

from integration import clock
from integration.choices import ItemOutcome, OperationKind, OperationState, Role
from integration.models import ErrorTotal, Operation, Problem, SyncError, User
from integration.services import cells, handling, handling_of_many
from integration.services.actors import Refused
from integration.services.cleanup import delete_selected
from integration.services.error_filters import ErrorFilter
from integration.services.error_rows import Failing
from integration.services.handling import resolve_errors
from integration.services.handling_of_many import (
    advance_handling,
    cancel_handling,
    confirm_handling,
    count_ready,
    forgotten_handling,
    handle_chunk,
    prepare_handling,
)
from integration.services.problems import cause_of_problem
from integration.services.recording import record_failing
from integration.services.retry_preview import forget_abandoned
from integration.services.retry_results import outcome_counts
from integration.services.settling import writing
from integration.services.undo import undo
from tests.factories import make_error, make_problem, make_user

pytestmark = pytest.mark.django_db
WHOLE = [OperationKind.IGNORE, OperationKind.RESOLVE]
LEFT_AS = {OperationKind.IGNORE: "ignored", OperationKind.RESOLVE: "resolved"}


@pytest.fixture
def anna() -> User:
    return make_user(Role.OPERATOR, username="anna")


@pytest.fixture
def problem(monkeypatch: pytest.MonkeyPatch) -> Problem:
    """Ten records of one cause; three are handled at a time."""
    monkeypatch.setattr(handling, "CHUNK", 3)
    monkeypatch.setattr(handling_of_many, "CHUNK", 3)
    problem = make_problem()
    for _number in range(10):
        make_error(problem=problem)
    make_error()
    with transaction.atomic():
        cells.rebuild()
    return problem


def states() -> dict[int, str]:
    return dict(SyncError.objects.order_by("id").values_list("id", "state"))


def totals() -> list[tuple[object, ...]]:
    return sorted(ErrorTotal.objects.values_list("problem", "state", "n"))


@transaction.atomic
def fails_again(problem: Problem, record_key: str) -> None:
    cause = cause_of_problem(problem)
    failing = Failing("CUSTOMER", "to_sales", record_key, cause)
    record_failing(writing(problem.connection), [failing])


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_cause_is_handled_and_undone(
    problem: Problem, anna: User, kind: OperationKind
) -> None:
    before, counted = states(), totals()
    whole = ErrorFilter(state="relevant", problem=problem.pk)

    operation = confirm_handling(prepare_handling(kind, whole, anna).pk, anna, "Enough")
    assert (operation.state, operation.reason) == (OperationState.RUNNING, "Enough")
    advance_handling(operation.pk)

    operation.refresh_from_db()
    assert operation.state == OperationState.IN_FORCE
    assert operation.result["outcomes"] == {"done": 10}
    assert list(states().values()).count(LEFT_AS[kind]) == 10
    assert operation.problem == problem

    undone = undo(operation, anna)

    assert undone.result["restored"] == 10
    assert undone.result["changed_since"] == 0
    assert (states(), totals()) == (before, counted)


def test_what_was_shown_is_handled_and_nothing_that_came_or_changed_since(
    problem: Problem, anna: User
) -> None:
    chosen = prepare_handling(
        OperationKind.RESOLVE, ErrorFilter(problem=problem.pk), anna
    )
    shown = set(chosen.items.values_list("error_id", flat=True))
    other, gone, *_rest = sorted(shown)
    resolve_errors([other], make_user(username="carl"))
    delete_selected([gone], make_user())
    fails_again(problem, "new before")
    assert count_ready(chosen) == 8

    confirm_handling(chosen.pk, anna)
    fails_again(problem, "new meanwhile")
    left = chosen.items.filter(outcome=ItemOutcome.CHOSEN)
    settled = left.exclude(error__in=[other, gone]).last()
    assert settled
    resolve_errors([settled.error_id or 0], make_user(username="dora"))
    advance_handling(chosen.pk)

    handled = set(
        SyncError.objects.filter(handled_by=chosen).values_list("id", flat=True)
    )
    assert handled == shown - {other, gone, settled.error_id}
    assert outcome_counts(chosen.pk) == {"done": 7, "changed": 2, "gone": 1}
    assert SyncError.objects.filter(problem=problem, state="open").count() == 2 + 1


def test_who_is_killed_between_two_chunks_is_followed(
    problem: Problem, anna: User
) -> None:
    chosen = prepare_handling(
        OperationKind.IGNORE, ErrorFilter(problem=problem.pk), anna
    )
    confirm_handling(chosen.pk, anna)
    assert forgotten_handling() == []
    Operation.objects.filter(pk=chosen.pk).update(heartbeat_at=None)

    assert forgotten_handling() == [chosen.pk]
    assert handle_chunk(chosen.pk)
    advance_handling(chosen.pk)
    advance_handling(chosen.pk)

    assert outcome_counts(chosen.pk) == {"done": 10}
    assert forgotten_handling() == []
    assert confirm_handling(chosen.pk, anna).state == OperationState.IN_FORCE


def test_a_cancelled_one_can_be_undone_as_far_as_it_came(
    problem: Problem, anna: User
) -> None:
    before, counted = states(), totals()
    chosen = prepare_handling(
        OperationKind.IGNORE, ErrorFilter(problem=problem.pk), anna
    )
    confirm_handling(chosen.pk, anna)
    with pytest.raises(Refused):
        undo(chosen, anna)

    cancel_handling(chosen, anna)
    advance_handling(chosen.pk)

    chosen.refresh_from_db()
    assert chosen.result["cancelled_by"] == "anna"
    assert outcome_counts(chosen.pk) == {"done": 3, "cancelled": 7}
    with pytest.raises(Refused):
        cancel_handling(chosen, anna)
    assert undo(chosen, anna).result["restored"] == 3
    assert (states(), totals()) == (before, counted)


def test_what_is_only_shown_cannot_be_undone(problem: Problem, anna: User) -> None:
    filters = ErrorFilter(problem=problem.pk)
    chosen = prepare_handling(OperationKind.IGNORE, filters, anna)

    with pytest.raises(Refused, match="nothing to undo"):
        undo(chosen, anna)

    Operation.objects.filter(pk=chosen.pk).delete()
    with pytest.raises(Refused, match="no such operation"):
        undo(chosen, anna)


def test_an_interrupted_undo_goes_on(problem: Problem, anna: User) -> None:
    chosen = prepare_handling(
        OperationKind.RESOLVE, ErrorFilter(problem=problem.pk), anna
    )
    confirm_handling(chosen.pk, anna)
    advance_handling(chosen.pk)
    assert handling._reopen_chunk(chosen.pk)  # noqa: SLF001  # then the process dies

    undone = undo(Operation.objects.get(pk=chosen.pk), anna)

    assert undone.result["restored"] == 10
    assert SyncError.objects.filter(state="open").count() == 11


def test_a_choice_is_one_persons_and_is_forgotten_after_its_hour(
    problem: Problem, anna: User
) -> None:
    filters = ErrorFilter(problem=problem.pk)
    chosen = prepare_handling(OperationKind.IGNORE, filters, anna)
    with pytest.raises(Refused):
        confirm_handling(chosen.pk, make_user(Role.OPERATOR))
    with pytest.raises(Refused):
        prepare_handling(OperationKind.IGNORE, filters, make_user(Role.VIEWER))
    with pytest.raises(Refused):
        prepare_handling(OperationKind.IGNORE, ErrorFilter(state="resolved"), anna)
    with pytest.raises(Refused):
        confirm_handling(chosen.pk, anna, until=clock.now())

    Operation.objects.update(created_at="2026-01-01T00:00Z")
    with pytest.raises(Refused):
        confirm_handling(chosen.pk, anna)
    forget_abandoned()

    assert not Operation.objects.exists()
    assert set(states().values()) == {"open"}
