"""What people answer to conflicts and deletions: planned, done once, told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from integration import clock
from integration.choices import EntryKind, OperationState, Role
from integration.connectors.base import Delete, Written
from integration.core.failures import Failure, FailureKind
from integration.models import Coupling, JobEntry, Operation, PendingRecord, SyncError
from integration.services.actors import Refused
from integration.services.answer_plans import Plan, Take, plan
from integration.services.answering import (
    give_answer,
    run_of,
    start_waiting_answers,
    to_type,
)
from integration.services.execution import execute
from tests.factories import make_user
from tests.services.engine import Engine

BY = "test"


def conflict(engine: Engine) -> SyncError:
    customer, account = engine.pair()
    engine.change(customer, phoneNumber="1", city="Aigle", website="")
    engine.change(account, telephone1="2", websiteurl="https://b.example")
    engine.sync("CUSTOMER")
    [error] = engine.errors()
    return error


def deletion(engine: Engine, side: str = "accounts") -> SyncError:
    customer, account = engine.pair()
    record = customer if side == "customers" else account
    getattr(engine, side).delete(record.id, "a person")
    engine.sync("CUSTOMER", full=True)
    [error] = engine.errors()
    return error


def answer(error: SyncError, take: Take, **chosen: str) -> Operation:
    found = plan(error, take, BY, chosen)
    assert not found.blocked
    typed = to_type(found.coupling)
    return give_answer(found.token, error, BY, typed=typed)


def carried_out(operation: Operation) -> Operation:
    run = run_of(operation)
    assert run
    execute(run, "worker")
    operation.refresh_from_db()
    return operation


def written(found: Plan) -> dict[str, tuple[str, Any]]:
    return {
        row.name: (str(row.written), row.becomes) for row in found.rows if row.written
    }


@pytest.mark.parametrize(
    ("take", "phone", "city", "website"),
    [
        (Take.BUSINESS_CENTRAL, "1", "Aigle", ""),
        (Take.SALES, "2", "Nyon", "https://b.example"),
    ],
)
def test_one_side_is_chosen_for_a_conflict(
    engine: Engine, take: Take, phone: str, city: str, website: str
) -> None:
    error = conflict(engine)
    shown = plan(error, take, BY)

    done = carried_out(answer(error, take))

    customer, account = engine.pair()
    error.refresh_from_db()
    side = "sales" if take is Take.BUSINESS_CENTRAL else "business_central"
    assert written(shown) == {
        "phoneNumber": (side, phone),
        "city": (side, city),
        "website": (side, website),
    }
    assert customer.values["phoneNumber"] == account.values["telephone1"] == phone
    assert customer.values["city"] == account.values["address1_city"] == city
    assert error.settled_reason == "resolved"
    assert (done.state, done.result["outcome"]) == (OperationState.DONE, "healed")
    assert not PendingRecord.objects.exists()
    [entry] = JobEntry.objects.filter(kind=EntryKind.ANSWERED)
    assert entry.message == "Both sides had changed; a person decided."


def test_each_field_is_chosen_by_itself(engine: Engine) -> None:
    error = conflict(engine)

    done = carried_out(
        answer(error, Take.FIELDS, phoneNumber="sales", city="sales", website="sales")
    )

    customer, account = engine.pair()
    assert customer.values["phoneNumber"] == "2"
    assert customer.values["city"] == account.values["address1_city"] == "Nyon"
    assert customer.values["website"] == "https://b.example"
    assert done.scope["to_business_central"] == ["city", "phoneNumber", "website"]
    assert done.state == OperationState.DONE


@pytest.mark.parametrize("side", ["customer", "account"])
def test_a_record_that_changed_since_the_plan_is_not_overwritten(
    engine: Engine, side: str
) -> None:
    error = conflict(engine)
    operation = answer(error, Take.SALES)
    customer, account = engine.pair()
    if side == "customer":
        engine.change(customer, phoneNumber="3")
    else:
        engine.change(account, telephone1="3")

    done = carried_out(operation)

    error.refresh_from_db()
    assert customer.values["phoneNumber"] != account.values["telephone1"]
    assert done.state == OperationState.FAILED
    assert "changed since the plan was shown" in done.result["sentence"]
    assert error.state == "open"
    assert carried_out(answer(error, Take.SALES)).state == OperationState.DONE


@pytest.mark.parametrize("side", ["customers", "accounts"])
def test_a_deleted_record_is_restored(engine: Engine, side: str) -> None:
    error = deletion(engine, side)

    done = carried_out(answer(error, Take.RESTORE))

    error.refresh_from_db()
    assert len(engine.customers) == len(engine.accounts) == 8
    assert Coupling.objects.filter(mapping=engine.mapping()).count() == 8
    assert error.settled_reason == "resolved"
    assert done.result["outcome"] == "healed"
    engine.sync("CUSTOMER", full=True)
    assert not engine.errors()


@pytest.mark.parametrize("side", ["customers", "accounts"])
def test_the_partner_of_a_deleted_record_is_deleted_too(
    engine: Engine, side: str
) -> None:
    error = deletion(engine, side)

    done = carried_out(answer(error, Take.DELETE))

    error.refresh_from_db()
    assert len(engine.customers) == len(engine.accounts) == 7
    assert Coupling.objects.filter(mapping=engine.mapping()).count() == 7
    assert error.settled_reason == "both_deleted"
    assert done.result["outcome"] == "healed"
    assert JobEntry.objects.filter(kind=EntryKind.DELETED).count() == 1


def test_a_record_is_only_deleted_after_its_number_was_typed(engine: Engine) -> None:
    error = deletion(engine)
    shown = plan(error, Take.DELETE, BY)

    with pytest.raises(Refused, match="Type 100001"):
        give_answer(shown.token, error, BY, typed="100002")

    assert not Operation.objects.filter(kind="delete_record").exists()


@pytest.mark.parametrize("side", ["customers", "accounts"])
def test_a_removed_coupling_is_not_made_again_by_the_next_run(
    engine: Engine, side: str
) -> None:
    error = deletion(engine, side)
    before = len(engine.customers), len(engine.accounts)

    done = carried_out(answer(error, Take.UNCOUPLE))
    engine.make_due()
    engine.sync("CUSTOMER", full=True)

    error.refresh_from_db()
    assert (len(engine.customers), len(engine.accounts)) == before
    assert error.settled_reason == "resolved"
    assert done.result["outcome"] == "healed"
    assert PendingRecord.objects.get().skipped_at


def test_what_is_left_is_not_deleted_when_it_changed_since_the_plan(
    engine: Engine,
) -> None:
    error = deletion(engine)
    operation = answer(error, Take.DELETE)
    engine.change(engine.customer("100001"), city="Aigle")

    done = carried_out(operation)

    assert len(engine.customers) == 8
    assert done.state == OperationState.FAILED
    assert "changed since the plan was shown" in done.result["sentence"]


def test_a_plan_of_what_is_no_conflict_any_more_is_refused(engine: Engine) -> None:
    error = conflict(engine)
    customer, _ = engine.pair()
    engine.change(customer, phoneNumber="2", city="Nyon", website="https://b.example")

    with pytest.raises(Refused, match="Nothing is in conflict any more"):
        plan(error, Take.SALES, BY)


def test_a_plan_says_which_privilege_is_lacking(engine: Engine) -> None:
    error = deletion(engine)
    engine.systems.break_something("dv-missing-privilege", privilege="prvCreateAccount")

    found = plan(error, Take.RESTORE, BY)

    assert "prvCreateAccount" in found.blocked
    assert not found.token


def test_two_clicks_are_one_operation(engine: Engine) -> None:
    error = conflict(engine)
    shown = plan(error, Take.SALES, BY)

    first = give_answer(shown.token, error, BY)
    second = give_answer(shown.token, error, BY)

    assert first == second


def test_an_answer_waits_for_the_run_that_is_in_its_way(engine: Engine) -> None:
    error = conflict(engine)
    shown = plan(error, Take.SALES, BY)
    run = engine.claim()

    operation = give_answer(shown.token, error, BY)
    assert run_of(operation) is None
    for job in run.jobs.values():
        job.delete()
    [started] = start_waiting_answers()
    execute(started, "worker")

    operation.refresh_from_db()
    assert operation.state == OperationState.DONE


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda token, error: (token, error, "another"), "another user"),
        (lambda token, error: (token + "x", error, BY), "changed on its way"),
    ],
)
def test_a_token_is_good_for_one_user_and_one_plan(
    engine: Engine, spoil: Callable[..., Any], sentence: str
) -> None:
    error = conflict(engine)
    shown = plan(error, Take.SALES, BY)

    with pytest.raises(Refused, match=sentence):
        give_answer(*spoil(shown.token, error))


def test_a_token_is_good_for_an_hour(engine: Engine) -> None:
    error = conflict(engine)
    shown = plan(error, Take.SALES, BY)

    with (
        time_machine.travel(clock.now() + timedelta(hours=2)),
        pytest.raises(Refused, match="older than an hour"),
    ):
        give_answer(shown.token, error, BY)


def test_a_viewer_answers_nothing(engine: Engine) -> None:
    error = conflict(engine)

    with pytest.raises(Refused):
        plan(error, Take.SALES, make_user(Role.VIEWER))


def test_nothing_is_answered_on_a_connection_that_another_engine_synchronizes(
    engine: Engine,
) -> None:
    error = conflict(engine)
    engine.connection.engine = "business_central"
    engine.connection.save()

    with pytest.raises(Refused, match="Business Central itself"):
        plan(error, Take.SALES, BY)


@pytest.mark.parametrize("system", ["bc", "sales"])
def test_a_deletion_carries_the_version_that_was_read(
    engine: Engine, system: str
) -> None:
    customer, account = engine.pair()
    connector = getattr(engine, system)
    place, key = (
        ("customers", customer.id) if system == "bc" else ("accounts", account.id)
    )
    record = connector.read_one(place, (), key)

    [stale] = connector.delete_many(place, [Delete(key, 'W/"1"')])
    [done] = connector.delete_many(place, [Delete(key, record.etag)])
    [gone] = connector.delete_many(place, [Delete(key, record.etag)])

    assert isinstance(stale, Failure)
    assert stale.kind is FailureKind.STALE
    assert isinstance(done, Written)
    assert isinstance(gone, Failure)
    assert gone.kind is FailureKind.NOT_FOUND


@pytest.mark.parametrize("take", [Take.UNCOUPLE, Take.DELETE])
def test_a_currency_that_was_deleted_in_business_central_is_answered(
    engine: Engine, take: Take
) -> None:
    [zloty] = engine.currencies.find("code", "PLN")
    engine.currencies.delete(zloty.id, "a person")
    engine.sync("CURRENCY")
    [error] = engine.errors()

    done = carried_out(answer(error, take))

    error.refresh_from_db()
    left = engine.sales_currencies.find("isocurrencycode", "PLN")
    assert (done.state, error.settled_at is None) == (OperationState.DONE, False)
    assert len(left) == (take is Take.UNCOUPLE)
    assert not Coupling.objects.filter(bc_id=zloty.id).exists()
    assert not PendingRecord.objects.exists()
    engine.sync("CURRENCY", full=True)
    assert not engine.errors()


def test_a_currency_that_accounts_carry_is_not_deleted_and_says_why(
    engine: Engine,
) -> None:
    [euro] = engine.currencies.find("code", "EUR")
    engine.currencies.delete(euro.id, "a person")
    engine.sync("CURRENCY")
    [error] = engine.errors(mapping_key="CURRENCY")

    done = carried_out(answer(error, Take.DELETE))

    assert done.state == OperationState.FAILED
    assert done.result["sentence"] != error.problem.title
    assert engine.sales_currencies.find("isocurrencycode", "EUR")
    assert Coupling.objects.filter(bc_id=euro.id).exists()
