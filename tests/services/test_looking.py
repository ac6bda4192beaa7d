"""Watch and heal: what is looked at, what is tried because of it, and what it says."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
import time_machine
from django.db import connection

from integration import clock
from integration.choices import LookFound
from integration.connectors.throttle import REQUESTS
from integration.markup.looks import look_words
from integration.markup.parts import Moments
from integration.models import Look, SyncError
from integration.services import endpoints
from integration.services.answer_plans import Take
from integration.services.budgets import SharedThrottle
from integration.services.connections import check_connection
from integration.services.execution import execute
from integration.services.handling import resolve_errors
from integration.services.looking import look_at_due
from integration.services.looks import (
    are_looks_due,
    claim_looks,
    seen_of,
    watch,
)
from integration.services.shared_memory import SharedMemory
from integration.simulators.faults import Faults
from tests.factories import make_error
from tests.services.engine import Engine, Live
from tests.services.test_answers import answer, carried_out, conflict, deletion

LONG = "https://example.ch/" + "a" * 190
"""Longer than the website of an account."""


@pytest.fixture
def customer(engine: Engine) -> Live:
    """One whose website does not fit into Sales; its next try is not due."""
    found = engine.customer("100001")
    engine.change(found, website=LONG)
    engine.sync("CUSTOMER")
    return found


def merge(engine: Engine) -> None:
    """Each field from the side that changed it, so that both sides are written."""
    engine.connection.mappings.update(update_conflict="merge")


def the_error() -> SyncError:
    return SyncError.objects.select_related("look").get()


def run(run_ids: Iterable[UUID]) -> None:
    for run_id in run_ids:
        execute(run_id, "test")


def look_later(seconds: int = 25) -> list[UUID]:
    """As the next tick does."""
    with time_machine.travel(clock.now() + timedelta(seconds=seconds), tick=True):
        return look_at_due()


def test_what_was_mended_in_its_own_system_is_tried_and_says_by_what(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    assert look_at_due() == []
    engine.change(customer, website="https://example.ch", city="Sion")

    run(look_later())
    look_later(60)

    error = the_error()
    assert error.settled_at is not None
    change = error.look.change or {}
    assert (change["side"], change["fields"]) == (
        "business_central",
        ["city", "website"],
    )
    assert change["at"]
    assert error.look.next_at is None


def test_what_is_as_it_failed_is_not_tried_and_says_so(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())

    assert look_at_due() == []
    assert look_later() == []

    error = the_error()
    assert error.look.found == LookFound.SAME
    assert error.occurrences == 1
    assert error.look.change is None


def test_a_change_that_does_not_mend_it_is_tried_once(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    engine.change(customer, city="Sion")

    run(look_at_due())
    again = look_later()

    error = the_error()
    assert again == []
    assert error.occurrences == 2
    assert error.look.found == LookFound.SAME
    assert error.look.change is None


def test_an_edit_before_the_first_look_is_seen(engine: Engine, customer: Live) -> None:
    engine.change(customer, website="")
    watch(the_error())

    run(look_at_due())

    assert the_error().settled_at is not None


def test_what_the_usual_run_mended_first_still_says_by_what(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    look_at_due()
    engine.change(customer, website="")
    engine.sync("CUSTOMER")

    assert look_later() == []

    error = the_error()
    assert error.settled_at is not None
    assert (error.look.change or {})["fields"] == ["website"]
    assert error.look.watched_until is None


def test_what_was_written_back_is_nobodys_change(engine: Engine) -> None:
    account = engine.add_account("Neue AG", emailaddress1="a" * 85 + "@example.ch")
    engine.sync("CUSTOMER")
    watch(the_error())
    look_at_due()
    engine.change(account, emailaddress1="info@example.ch")
    engine.sync("CUSTOMER")
    assert account.values["accountnumber"]

    look_later()

    change = the_error().look.change or {}
    assert (change["side"], change["fields"]) == ("sales", ["email"])


def test_what_the_other_side_brought_meanwhile_is_nobodys_change(
    engine: Engine, customer: Live
) -> None:
    merge(engine)
    watch(the_error())
    look_at_due()
    engine.change(engine.account_of("100001"), address1_city="Sion")
    engine.change(customer, website="")
    engine.sync("CUSTOMER")
    assert customer.values["city"] == "Sion"

    look_later()

    assert (the_error().look.change or {})["fields"] == ["website"]


def test_what_was_written_before_it_failed_again_may_be_changed_by_a_person(
    engine: Engine, customer: Live
) -> None:
    merge(engine)
    watch(the_error())
    look_at_due()
    engine.change(engine.account_of("100001"), address1_city="Sion")
    engine.sync("CUSTOMER")
    assert customer.values["city"] == "Sion"
    engine.change(customer, website="", city="Sierre")
    engine.sync("CUSTOMER")

    look_later()

    assert (the_error().look.change or {})["fields"] == ["city", "website"]


def test_what_is_seen_while_a_run_writes_is_told_by_nobody_yet(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    look_at_due()
    under_way = engine.claim()
    engine.change(customer, city="Sion")

    look_later()

    assert the_error().look.change is None
    under_way.mapping.jobs.filter(run=under_way.id).update(state="succeeded")
    look_later(50)
    assert (the_error().look.change or {})["fields"] == ["city"]


def test_a_deleted_record_is_known_before_the_click(
    engine: Engine, customer: Live
) -> None:
    engine.customers.delete(customer.id)
    watch(the_error())

    look_at_due()

    look = the_error().look
    assert look.found == LookFound.GONE
    assert (look.bc_presence, look.sales_presence) == ("deleted", "exists")


def test_one_read_of_each_side_serves_all_watched_records(engine: Engine) -> None:
    for number in ("100001", "100002", "100003"):
        engine.change(engine.customer(number), website=LONG)
    engine.sync("CUSTOMER")
    for error in SyncError.objects.all():
        watch(error)
    mark = engine.asked()

    look_at_due()

    asked = [
        one["path"].partition("?")[0].rpartition("/")[2] for one in engine.since(mark)
    ]
    assert asked.count("customers") == asked.count("accounts") == 1
    assert Look.objects.filter(found=LookFound.SAME).count() == 3


def test_what_a_look_reads_is_counted(engine: Engine, customer: Live) -> None:
    watch(the_error())
    engine.connection.refresh_from_db()
    before, mark = engine.connection.records_fetched, engine.asked()

    look_at_due()

    engine.connection.refresh_from_db()
    mapped = {"customers", "accounts", "currencies", "transactioncurrencies"}
    told = sum(
        one["records"]
        for one in engine.since(mark)
        if one["entity"] in mapped and one["method"] == "GET"
    )
    assert told
    assert engine.connection.records_fetched - before == told


def test_two_workers_never_look_at_the_same(engine: Engine, customer: Live) -> None:
    watch(the_error())

    assert len(claim_looks()) == 1
    assert claim_looks() == []


def test_what_a_killed_worker_had_is_looked_at_again(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    claim_looks()

    look_later(65)

    assert the_error().look.found == LookFound.SAME


def test_while_a_run_is_under_way_the_next_look_tries_it(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    engine.change(customer, website="")
    under_way = engine.claim()

    assert look_at_due() == []
    under_way.mapping.jobs.filter(run=under_way.id).update(state="succeeded")
    run(look_later())

    assert the_error().settled_at is not None


def test_after_half_an_hour_it_is_looked_at_now_and_then_only(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    look_at_due()

    with time_machine.travel(clock.now() + timedelta(minutes=31), tick=True):
        look_at_due()
        assert not are_looks_due()

    next_at = the_error().look.next_at
    assert next_at is not None
    assert next_at > clock.now() + timedelta(minutes=50)


def test_a_clock_that_was_set_back_puts_no_look_off(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    look_at_due()
    assert not are_looks_due()

    with time_machine.travel(clock.now() - timedelta(hours=2), tick=True):
        assert are_looks_due()
        look_at_due()
        assert not are_looks_due()


def test_the_newest_open_errors_are_looked_at_unasked(
    engine: Engine, customer: Live
) -> None:
    assert are_looks_due()

    look_at_due()

    assert the_error().look.found == LookFound.SAME
    assert not are_looks_due()


def test_a_currency_that_gets_its_rate_brings_on_what_waits(fresh: Engine) -> None:
    (rate,) = fresh.rates.find("currencyCode", "PLN")
    fresh.rates.delete(rate.id)
    fresh.accept()
    fresh.add_customer("200001", currencyCode="PLN")
    fresh.sync()
    fresh.sync()
    watch(SyncError.objects.get(mapping_key="CUSTOMER"))
    assert look_at_due() == []
    fresh.rates.insert(rate.values)

    run(look_later())

    assert not SyncError.objects.filter(mapping_key="CURRENCY", settled_at=None)
    assert fresh.mapping("CUSTOMER").next_run_at is not None
    fresh.sync("CUSTOMER")
    assert not SyncError.objects.filter(settled_at=None)


def test_what_waited_was_fixed_when_that_arrived_and_by_no_older_change(
    fresh: Engine,
) -> None:
    (rate,) = fresh.rates.find("currencyCode", "PLN")
    fresh.rates.delete(rate.id)
    fresh.accept()
    fresh.add_customer("200001", currencyCode="PLN")
    fresh.sync()
    fresh.sync()
    waiting = SyncError.objects.get(mapping_key="CUSTOMER")
    watch(waiting)
    look_at_due()
    fresh.rates.insert(rate.values)
    run(look_later())
    fresh.sync("CUSTOMER")

    look_later(60)

    arrived = SyncError.objects.get(mapping_key="CURRENCY").settled_at
    change = Look.objects.get(error=waiting).change or {}
    assert arrived is not None
    assert (change["of"], change["at"]) == ("PLN", arrived.isoformat())
    assert Look.objects.get(error__mapping_key="CURRENCY").change is None


def test_a_conflict_is_over_when_somebody_makes_sales_agree(engine: Engine) -> None:
    here, there = engine.pair()
    engine.change(here, phoneNumber="+41 21 111 11 11")
    engine.change(there, telephone1="+41 21 222 22 22")
    engine.sync("CUSTOMER")
    watch(the_error())
    assert look_at_due() == []
    engine.change(there, telephone1="+41 21 111 11 11")

    run(look_later())
    look_later(60)

    error = the_error()
    assert error.settled_at is not None
    change = error.look.change or {}
    assert (change["side"], change["fields"]) == ("sales", ["phoneNumber"])


@pytest.mark.parametrize(
    ("make", "take"), [(conflict, Take.SALES), (deletion, Take.RESTORE)]
)
def test_what_an_answer_fixed_names_who_gave_it(
    engine: Engine, make: Callable[[Engine], SyncError], take: Take
) -> None:
    error = make(engine)
    watch(error)
    look_at_due()
    carried_out(answer(error, take))

    look_later(60)

    assert "fixed by the answer of test at" in told(error.pk)


def test_an_edit_that_mended_nothing_takes_no_answer_from_who_gave_it(
    engine: Engine,
) -> None:
    error = conflict(engine)
    watch(error)
    look_at_due()
    engine.change(engine.pair()[0], phoneNumber="+41 21 333 33 33")
    run(look_later())
    assert Look.objects.get(error=error).change
    carried_out(answer(error, Take.SALES))

    look_later(60)

    assert "fixed by the answer of test at" in told(error.pk)


def test_what_was_resolved_by_hand_names_who_did_it_until_it_comes_back(
    engine: Engine, customer: Live
) -> None:
    error = the_error()
    watch(error)
    look_at_due()
    engine.change(customer, city="Sion")
    resolve_errors([error.pk], "anna")

    look_later(60)
    assert "resolved by anna at" in told(error.pk)

    engine.sync("CUSTOMER")
    engine.change(customer, website="")
    engine.sync("CUSTOMER")
    assert "resolved by" not in told(error.pk)
    assert "settled at" in told(error.pk)


def test_a_granted_privilege_is_seen_by_the_check_and_frees_its_records(
    engine: Engine,
) -> None:
    engine.systems.break_something("dv-missing-privilege", record="prvWriteAccount")
    engine.change(engine.customer("100001"), city="Sion")
    engine.sync("CUSTOMER")
    watch(the_error())
    look_at_due()
    engine.systems.repair()

    with time_machine.travel(clock.now() + timedelta(seconds=45), tick=True):
        look_at_due()
        engine.sync("CUSTOMER")

    assert the_error().settled_at is not None


def test_nothing_is_said_of_a_line_that_the_check_did_not_reach(
    engine: Engine,
) -> None:
    engine.systems.break_something("setup-integration-user-is-admin")
    check_connection(engine.connection)
    watch(the_error())
    look_later(45)
    assert the_error().look.found == LookFound.SAME
    users = engine.systems.store.table("sales:systemusers")
    for user in users.rows():
        users.update(user, {"roles": []}, "a person")

    look_later(90)

    look = Look.objects.get(error__problem__article="setup-integration-user-is-admin")
    assert look.found == ""


def test_nothing_is_asked_of_a_connection_that_is_paused(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    engine.connection.paused_at = clock.now()
    engine.connection.save()
    mark = engine.asked()

    look_at_due()

    assert engine.since(mark) == []
    assert the_error().look.found == ""


def test_a_set_up_error_that_is_watched_does_not_fail_more_often(
    engine: Engine,
) -> None:
    engine.systems.break_something("setup-integration-user-is-admin")
    check_connection(engine.connection)
    watch(the_error())

    for minute in range(1, 4):
        look_later(60 * minute)

    error = the_error()
    assert (error.occurrences, error.look.found) == (1, LookFound.SAME)


def test_what_is_not_looked_at_does_not_say_so_for_ever(
    engine: Engine, customer: Live
) -> None:
    """A sign-in that was refused, and a record of a connection that is paused."""
    engine.systems.break_something("aad-secret-invalid")
    check_connection(engine.connection)
    engine.connection.refresh_from_db()
    assert engine.connection.paused_at
    for error in SyncError.objects.all():
        watch(error)
    keys = SyncError.objects.values_list("pk", flat=True)
    assert all(told(key) for key in keys)

    look_later()

    assert [told(key) for key in keys] == ["", ""]


def test_a_watch_that_is_over_does_not_say_that_somebody_looks(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    assert told(the_error().pk)

    with time_machine.travel(clock.now() + timedelta(hours=1), tick=True):
        assert told(the_error().pk) == ""


def told(error: int) -> str:
    return str(look_words(seen_of([error])[error], Moments()))


def test_a_table_that_may_not_be_read_is_no_deletion(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    engine.systems.break_something("dv-missing-privilege", record="prvReadAccount")

    look_at_due()

    look = the_error().look
    assert look.found == LookFound.NO_ACCESS
    assert (look.bc_presence, look.sales_presence) == ("exists", "no_access")


def test_a_record_out_of_sight_is_no_deletion_and_is_tried_when_it_is_in_sight(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    faults = Faults.of(engine.systems.store)
    hidden = {"id": "dv-record-access-denied", "entity": "accounts"}
    faults.add({**hidden, "record": sales.id})
    engine.change(bc, city="Sion")
    engine.sync("CUSTOMER")
    watch(the_error())
    assert look_at_due() == []
    assert look_later() == []
    look = the_error().look
    assert (look.found, look.sales_presence) == ("no_access", "no_access")
    faults.clear()

    run(look_later(60))

    assert the_error().settled_at is not None
    assert sales.values["address1_city"] == "Sion"


def test_what_fails_for_another_cause_now_is_watched_instead(
    engine: Engine, customer: Live
) -> None:
    watch(the_error())
    engine.change(customer, website="", currencyCode="XXX")

    run(look_at_due())
    look_later()

    new = SyncError.objects.get(settled_at=None)
    assert Look.objects.get(error=new).watched_until is not None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_look_that_somebody_removes_is_not_waited_for() -> None:
    stays, goes = (make_error() for _each in range(2))
    for error in (stays, goes):
        watch(error)
    looks = Look.objects.filter(error=goes)

    with psycopg.connect(**connection.get_connection_params()) as remover:
        remover.execute("DELETE FROM integration_look WHERE error_id = %s", [goes.pk])
        claimed = claim_looks()

    assert [look.error for look in claimed] == [stays]
    assert not looks.exists()


def test_the_second_half_of_a_budget_is_left_to_the_runs(
    engine: Engine,
    customer: Live,
    broker_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = SharedMemory(broker_url)
    throttle = SharedThrottle(memory, f"test:{uuid4()}", 5)
    monkeypatch.setattr(endpoints, "throttle_of", lambda _endpoint: throttle)
    watch(the_error())
    assert throttle.acquire(REQUESTS // 2) == 0
    throttle.release()
    mark = engine.asked()

    look_at_due()

    assert engine.since(mark) == []
