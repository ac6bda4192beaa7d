"""Retry of one error: an operation with one item."""

import pytest

from integration.choices import JobState, OperationState
from integration.models import (
    Connection,
    Job,
    Operation,
    OperationItem,
    PendingRecord,
    SyncError,
    TableMapping,
    User,
)
from integration.services.actors import Refused
from integration.services.execution import execute
from integration.services.foreground import run_now
from integration.services.looks import seen_of
from integration.services.retry import (
    retry_error,
    runs_of,
    start_waiting_retries,
)
from integration.services.review import accept
from integration.services.runs import start_run
from tests.factories import make_error, make_user
from tests.running import Systems

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user("operator")


@pytest.fixture
def error(demo_systems: Systems, user: User) -> SyncError:
    """An open error of a record whose cause a person can cure."""
    connection = demo_systems.connect(user)[0]
    for mapping in connection.mappings.in_order():
        run_now(mapping, "w1", kind="review")
        accept(mapping, user)
        run_now(mapping, "w1")
    found = SyncError.objects.filter(problem__title__contains="Web page is longer")
    return found.select_related("connection").get()


def customer_of(systems: Systems, error: SyncError) -> tuple[object, object]:
    customers = systems.company("customers")
    return customers, customers.get(error.bc_id)


def mapping_of(error: SyncError) -> TableMapping:
    return TableMapping.objects.get(connection=error.connection, name=error.mapping_key)


def carry_out(operation: Operation) -> None:
    (run_id,) = runs_of(operation)
    execute(run_id, "w1")
    operation.refresh_from_db()


def item_of(operation: Operation) -> OperationItem:
    return operation.items.select_related("problem").get()


def test_a_cured_record_is_healed_by_its_retry(
    demo_systems: Systems, error: SyncError, user: User
) -> None:
    customers, row = customer_of(demo_systems, error)
    customers.update(row, {"website": "https://fabrique.example"})  # type: ignore[attr-defined]

    operation = retry_error(error, user, "shortened")
    assert seen_of([error.pk])[error.pk].retrying
    carry_out(operation)

    error.refresh_from_db()
    assert operation.state == OperationState.DONE
    assert (item_of(operation).outcome, operation.reason) == ("healed", "shortened")
    assert error.state == "resolved"
    assert not seen_of([error.pk])[error.pk].retrying


def test_a_record_that_fails_again_says_why(error: SyncError, user: User) -> None:
    pending = PendingRecord.objects.filter(record_id=error.record_key)
    pending.update(attempts=5, next_attempt_at=None, skipped_at=error.last_seen)

    operation = retry_error(error, user)
    carry_out(operation)

    error.refresh_from_db()
    item = item_of(operation)
    assert (operation.state, item.outcome) == (OperationState.FAILED, "failed")
    assert item.problem
    assert item.problem.title == "Web page is longer than 200 characters"
    assert error.occurrences == 2
    assert pending.get().attempts == 1
    assert pending.get().skipped_at is None


def test_a_double_click_is_one_operation(error: SyncError, user: User) -> None:
    first, second = retry_error(error, user), retry_error(error, user)

    assert first == second
    assert (
        Job.objects.filter(state=JobState.QUEUED).values("run").distinct().count() == 1
    )


def test_a_retry_after_a_retry_is_another_operation(
    error: SyncError, user: User
) -> None:
    first = retry_error(error, user)
    carry_out(first)

    assert retry_error(error, user) != first


def test_a_retry_waits_while_another_run_is_in_its_way(
    error: SyncError, user: User
) -> None:
    in_the_way = start_run(mapping_of(error))
    assert in_the_way

    operation = retry_error(error, user)
    assert runs_of(operation) == []
    assert start_waiting_retries() == []
    execute(in_the_way, "w1")
    (started,) = start_waiting_retries()
    execute(started, "w1")

    operation.refresh_from_db()
    assert operation.state == OperationState.FAILED


def test_a_retry_that_would_try_nothing_is_refused_in_a_sentence(
    error: SyncError, user: User
) -> None:
    Connection.objects.update(paused_at=error.last_seen, pause_reason="No licence")
    error.connection.refresh_from_db()

    with pytest.raises(Refused, match=r"^Nothing was tried\. .* is paused: No licence"):
        retry_error(error, user)
    assert not Operation.objects.filter(kind="retry").exists()


def test_what_is_settled_is_not_tried_and_says_since_when(
    error: SyncError, user: User
) -> None:
    SyncError.objects.filter(pk=error.pk).update(
        state="resolved", settled_at=error.last_seen, settled_reason="resolved"
    )
    error.refresh_from_db()

    with pytest.raises(Refused, match=r"Settled on .* \(resolved\): nothing"):
        retry_error(error, user)


def test_a_mapping_that_is_gone_is_said() -> None:
    orphan = make_error(mapping_key="ITEM")

    with pytest.raises(Refused, match="no mapping ITEM"):
        retry_error(orphan, make_user())


def test_an_error_without_a_record_is_retried_by_a_check(
    demo_systems: Systems, user: User
) -> None:
    paused = demo_systems.connect(user)[2]
    error = SyncError.objects.get(connection=paused)

    still_wrong = retry_error(error, user)
    accounts = demo_systems.store.table("entra:accounts")
    for account in accounts.rows():
        accounts.update(account, {"state": "ok"})
    healed = retry_error(error, user)

    assert still_wrong.state == OperationState.FAILED
    assert healed.state == OperationState.DONE
    paused.refresh_from_db()
    assert paused.paused_at is None
