"""Retry of several: exactly what was shown, whatever happens meanwhile."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.db import transaction

from integration import clock
from integration.choices import ItemOutcome, OperationState
from integration.models import (
    Job,
    Operation,
    OperationItem,
    PendingRecord,
    SyncError,
    TableMapping,
    User,
)
from integration.services import cleanup, retry
from integration.services.actors import Refused
from integration.services.dispatch import due_runs
from integration.services.error_filters import ErrorFilter
from integration.services.errors import settle_replaced
from integration.services.execution import execute
from integration.services.handling import resolve_errors
from integration.services.looks import seen_of
from integration.services.retry import (
    advance,
    cancel,
    forgotten_retries,
    retry_error,
    retry_selected,
    runs_of,
    start_waiting_retries,
)
from integration.services.retry_preview import (
    confirm,
    forget_abandoned,
    prepare,
    prepared_for,
    preview,
)
from integration.services.retry_results import outcome_counts
from integration.services.runs import claim
from integration.services.sentences import in_words
from integration.services.sync import run_mapping
from tests.factories import (
    make_connection,
    make_error,
    make_mapping,
    make_problem,
    make_user,
)
from tests.services.engine import Engine, Live, Meanwhile

pytestmark = pytest.mark.django_db
LONG, SHORT = "https://example.com/" + "x" * 200, "https://example.com/"


@pytest.fixture
def user() -> User:
    return make_user("operator")


@pytest.fixture
def mapping() -> TableMapping:
    return make_mapping(reviewed_at=clock.now())


def make_errors(mapping: TableMapping, count: int) -> list[SyncError]:
    problem = make_problem(mapping.connection)
    return [make_error(problem=problem) for _ in range(count)]


def break_customers(engine: Engine, *numbers: str) -> list[Live]:
    """These fail because their web page is too long."""
    broken = [engine.customer(number) for number in numbers]
    for record in broken:
        engine.change(record, website=LONG)
    engine.sync("CUSTOMER")
    assert len(engine.errors()) == len(numbers)
    return broken


def outcomes(operation: Operation) -> dict[str, int]:
    return outcome_counts(operation.pk)


def work() -> None:
    """What beat and a worker do until nothing is left to do."""
    for _ in range(20):
        runs = [*start_waiting_retries(), *due_runs()]
        for key in forgotten_retries():
            runs += advance(key)
        for run in Job.objects.filter(state="queued").values_list("run", flat=True):
            runs.append(run)
        if not runs:
            return
        for run in dict.fromkeys(runs):
            execute(run, "w1")


# The scope


@pytest.mark.parametrize("seed", range(12))
def test_what_is_tried_is_what_was_shown_and_is_still_there(
    mapping: TableMapping, user: User, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # a test's own choice
    known = make_errors(mapping, 12)
    other = make_user("operator")
    filters = ErrorFilter(mapping="CUSTOMER")

    prepared = prepare(filters, user)
    shown = set(prepared.items.values_list("error_id", flat=True))
    counted = preview(prepared).count
    expected: dict[int, str] = dict.fromkeys(shown, "pending")
    for _ in range(8):
        row = chance.choice(known)
        match chance.choice(["new", "settle", "delete", "hold", "again"]):
            case "new":
                make_errors(mapping, 1)
            case "settle":
                settle_replaced(mapping, row.direction, [row.record_key])
                if expected[row.pk] == "pending":
                    expected[row.pk] = "changed"
            case "delete" if expected[row.pk] == "pending":
                cleanup.delete_selected([row.pk], "anna")
                expected[row.pk] = "gone"
            case "hold" if expected[row.pk] == "pending":
                retry_selected([row.pk], other)
                expected[row.pk] = "not_tried"
            case "again":
                SyncError.objects.filter(pk=row.pk).update(
                    last_seen=clock.now(), occurrences=2
                )
    operation = confirm(prepared.pk, user)

    found = dict(operation.items.values_list("error_id", "outcome"))
    assert counted == len(known)
    assert found == {**expected, **settled_over(found, expected)}
    assert found.keys() == shown
    tried = {key for key, outcome in found.items() if outcome == "pending"}
    assert all(seen.retrying for seen in seen_of(tried).values())


def settled_over(found: dict[int, str], expected: dict[int, str]) -> dict[int, str]:
    """One that was held, or deleted, and settled as well may be told as either."""
    either = {"not_tried", "gone"}
    return {
        key: "changed"
        for key, outcome in expected.items()
        if outcome in either and found.get(key) == "changed"
    }


def test_two_clicks_are_one_operation(mapping: TableMapping, user: User) -> None:
    make_errors(mapping, 3)
    prepared = prepare(ErrorFilter(), user)

    first, second = confirm(prepared.pk, user, "cured"), confirm(prepared.pk, user)

    assert first == second
    assert second.reason == "cured"
    assert Job.objects.values("run").distinct().count() == 1


def test_the_same_selection_twice_is_one_operation(
    mapping: TableMapping, user: User
) -> None:
    ids = [row.pk for row in make_errors(mapping, 3)]

    assert retry_selected(ids, user) == retry_selected(ids, user)
    assert OperationItem.objects.count() == 3


def test_what_another_retry_holds_is_left_to_it(
    mapping: TableMapping, user: User
) -> None:
    marc = make_user("operator", username="marc")
    rows = make_errors(mapping, 3)
    his = retry_error(rows[0], marc)

    prepared = prepare(ErrorFilter(), user)
    told = preview(prepared)
    operation = confirm(prepared.pk, user)

    assert (told.count, told.held) == (2, [(his, 1)])
    assert outcomes(operation) == {"not_tried": 1, "pending": 2}
    assert operation.items.get(outcome="not_tried").held_by == his


def test_what_cannot_be_tried_is_told_before_and_after(user: User) -> None:
    rests = make_mapping("CURRENCY", paused_at=clock.now(), pause_reason="A storm")
    fresh = make_mapping(connection=make_connection(name="Fresh"))
    off = make_mapping(reviewed_at=clock.now(), connection=make_connection(name="Off"))
    off.connection.enabled = False
    off.connection.save()
    make_error(problem=make_problem(rests.connection), mapping_key="CURRENCY")
    make_errors(fresh, 1)
    make_errors(off, 1)
    prepared = prepare(ErrorFilter(), user)

    told = preview(prepared)
    operation = confirm(prepared.pk, user)

    why = {group.why.english for group in told.in_vain if group.why}
    assert told.count == 0
    assert why == {
        "CURRENCY is paused: A storm",
        "CUSTOMER has not been accepted yet: look at its review and accept it.",
        "The connection “Off” is not enabled.",
    }
    assert operation.state == OperationState.FAILED
    assert outcomes(operation) == {"not_tried": 3}


def test_a_choice_is_for_its_user_and_its_hour(
    mapping: TableMapping, user: User
) -> None:
    make_errors(mapping, 1)
    prepared = prepare(ErrorFilter(), user)

    with pytest.raises(Refused, match="another user"):
        confirm(prepared.pk, make_user("operator"))
    with time_machine.travel(clock.now() + timedelta(hours=1, minutes=2)):
        with pytest.raises(Refused, match="older than an hour"):
            confirm(prepared.pk, user)
        forget_abandoned()
    assert not Operation.objects.exists()
    assert not OperationItem.objects.exists()
    assert prepared_for(prepared.pk, user) is None


def test_who_resolved_it_meanwhile_is_told(mapping: TableMapping, user: User) -> None:
    row = make_errors(mapping, 1)[0]
    prepared = prepare(ErrorFilter(), user)
    resolve_errors([row.pk], make_user("operator", username="marc"))
    row.refresh_from_db()

    item = confirm(prepared.pk, user).items.get()

    assert in_words(item.told) == "marc resolved it before it was tried."
    with pytest.raises(Refused, match="marc resolved this on"):
        retry_error(row, user)


def test_who_resolved_all_of_it_is_told_before_it_is_tried(
    mapping: TableMapping, user: User
) -> None:
    rows = make_errors(mapping, 2)
    resolve_errors([row.pk for row in rows], make_user("operator", username="marc"))

    for row in rows:
        with pytest.raises(Refused, match="marc resolved this on"):
            prepare(ErrorFilter(problem=row.problem_id), user)
    with pytest.raises(Refused, match="marc resolved this on"):
        retry_selected([row.pk for row in rows], user)
    with pytest.raises(Refused, match="Nothing matches"):
        prepare(ErrorFilter(problem=rows[0].problem_id, q="elsewhere"), user)


def test_nothing_to_try_is_said_at_once(mapping: TableMapping, user: User) -> None:
    with pytest.raises(Refused, match="Nothing matches"):
        prepare(ErrorFilter(), user)
    with pytest.raises(Refused, match="resolved is not tried"):
        prepare(ErrorFilter(state="resolved"), user)
    with pytest.raises(Refused, match="at most 100"):
        retry_selected(range(101), user)
    assert not Operation.objects.exists()


def test_more_than_one_chunk_is_taken_by_a_worker(
    mapping: TableMapping, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "CHUNK", 4)
    make_errors(mapping, 10)
    operation = confirm(prepare(ErrorFilter(), user).pk, user)
    assert outcomes(operation) == {"chosen": 6, "pending": 4}

    with time_machine.travel(clock.now() + timedelta(minutes=1)):
        (forgotten,) = forgotten_retries()
        assert forgotten_retries() == []
    advance(forgotten)

    assert outcomes(operation) == {"pending": 10}


# What is done


def test_a_whole_problem_is_healed(engine: Engine, user: User) -> None:
    broken = break_customers(engine, "100001", "100002", "100003")
    for record in broken[:2]:
        engine.change(record, website=SHORT)
    (problem,) = {error.problem_id for error in engine.errors()}

    operation = confirm(prepare(ErrorFilter(problem=problem), user).pk, user)
    work()

    operation.refresh_from_db()
    assert outcomes(operation) == {"healed": 2, "failed": 1}
    assert operation.state == OperationState.DONE
    assert operation.items.get(outcome="failed").problem_id == problem
    assert engine.account_of("100001").values["websiteurl"] == SHORT


def test_what_waits_is_tried_after_what_it_waits_for(
    engine: Engine, user: User
) -> None:
    engine.currencies.insert({"code": "XTS", "displayName": "Test"})
    engine.add_customer("X1", currencyCode="XTS")
    engine.sync("CURRENCY")
    engine.sync("CUSTOMER")
    assert {error.mapping_key for error in engine.errors()} == {"CURRENCY", "CUSTOMER"}
    engine.rates.insert(
        {
            "currencyCode": "XTS",
            "startingDate": "2020-01-01",
            "exchangeRateAmount": 100,
            "relationalExchangeRateAmount": 120,
        }
    )

    operation = confirm(prepare(ErrorFilter(state="relevant"), user).pk, user)
    (first,) = runs_of(operation)
    assert Job.objects.filter(run=first, mapping__name="CURRENCY").exists()
    work()

    assert outcomes(operation) == {"healed": 2}


def test_what_is_cancelled_before_its_turn_stays_as_it_is(
    engine: Engine, user: User
) -> None:
    broken = break_customers(engine, "100001", "100002")
    for record in broken:
        engine.change(record, website=SHORT)
    before = list(PendingRecord.objects.order_by("pk").values())
    operation = confirm(prepare(ErrorFilter(), user).pk, user)
    (run,) = runs_of(operation)

    cancel(operation, user)
    mark = engine.asked()
    execute(run, "w1")

    operation.refresh_from_db()
    assert outcomes(operation) == {"cancelled": 2}
    assert (operation.state, operation.finished_at is None) == ("cancelled", False)
    assert engine.writes(mark) == []
    assert list(PendingRecord.objects.order_by("pk").values()) == before
    seen = seen_of([error.pk for error in engine.errors()])
    assert not any(one.retrying for one in seen.values())
    with pytest.raises(Refused, match="ended already"):
        cancel(operation, user)


@pytest.mark.django_db(transaction=True)  # a thread makes the call, and cancels
def test_what_is_on_its_way_when_cancelled_is_told_as_it_ended(
    engine: Engine, user: User
) -> None:
    (broken,) = break_customers(engine, "100001")
    alone = engine.add_customer("N1", website=LONG)
    engine.sync("CUSTOMER")
    for record in (broken, alone):
        engine.change(record, website=SHORT)
    assert len(engine.errors()) == 2
    operation = confirm(prepare(ErrorFilter(), user).pk, user)
    (run_id,) = runs_of(operation)
    run = claim(run_id, "w1")
    assert run

    def cancel_beside() -> None:
        cancel(operation, user)
        database.close()  # that of the thread which makes the call

    sales: Any = Meanwhile(engine.sales, cancel_beside)
    with pytest.raises(Exception, match="was cancelled"):
        run_mapping(run, engine.bc, sales)

    found = dict(operation.items.values_list("label", "outcome"))
    assert Counter(found.values()) == {"healed": 1, "cancelled": 1}
    assert found["N1 Customer N1"] == "cancelled"


def test_a_pause_in_the_middle_is_told_of_what_was_not_tried(
    engine: Engine, user: User
) -> None:
    break_customers(engine, "100001", "100002")
    operation = confirm(prepare(ErrorFilter(), user).pk, user)
    engine.connection.paused_at = clock.now()
    engine.connection.pause_reason = "No licence"
    engine.connection.save()

    work()

    operation.refresh_from_db()
    told = operation.items.values_list("outcome", "told__values__reason")
    assert set(told) == {("not_tried", "No licence")}
    assert operation.state == OperationState.FAILED


# Whoever is killed


STRIDE = 5
"""Every so-many-th statement is where it dies; 1 takes minutes and finds the same."""


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(countdown: int) -> Iterator[Callable[[], bool]]:
    """Dies before its so-many-th statement that writes, and stays dead."""
    left, dead = countdown, False

    def statement(
        do: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        nonlocal left, dead
        if sql.startswith(("ROLLBACK", "SAVEPOINT")):
            return do(sql, params, many, context)
        if sql.startswith(("INSERT", "UPDATE", "DELETE", "RELEASE")):
            left -= 1
        if left <= 0 or dead:
            dead = True
            raise Killed
        return do(sql, params, many, context)

    try:
        with database.execute_wrapper(statement):
            yield lambda: dead
    except Killed:
        pass


def test_killed_anywhere_it_ends_right(engine: Engine, user: User) -> None:
    broken = break_customers(engine, "100001", "100002", "100003")
    for record in broken[:2]:
        engine.change(record, website=SHORT)
    accounts = [engine.account_of(number) for number in ("100001", "100002")]
    before = [account.values["websiteurl"] for account in accounts]
    prepared = prepare(ErrorFilter(), user)
    kill, was_killed = 1, True
    while was_killed:
        for account, url in zip(accounts, before, strict=True):
            engine.change(account, websiteurl=url)
        with transaction.atomic():
            was_killed = kill_and_go_on(prepared, user, kill)
            transaction.set_rollback(True)
        kill += STRIDE
    assert kill > 20


def kill_and_go_on(prepared: Operation, user: User, kill: int) -> bool:
    with killed_at(kill) as dead:
        operation = confirm(prepared.pk, user)
        for run in runs_of(operation):
            execute(run, "w1")
    now = clock.now()
    for minutes in (1, 2, 3):
        with time_machine.travel(now + timedelta(minutes=minutes)):
            if Operation.objects.prepared().exists():
                confirm(prepared.pk, user)
            work()
    operation = Operation.objects.get(pk=prepared.pk)
    assert outcomes(operation) == {"healed": 2, "failed": 1}, kill
    assert operation.finished_at, kill
    assert not OperationItem.objects.filter(outcome=ItemOutcome.PENDING).exists()
    assert not Job.objects.filter(state__in=["queued", "running"]).exists()
    return dead()
