"""Checking, pausing and resuming a connection against both systems on a port."""

from datetime import datetime, timedelta

import pytest

from integration import clock
from integration.choices import OperationKind
from integration.models import (
    Connection,
    Endpoint,
    Operation,
    PendingRecord,
    SyncError,
)
from integration.services.connections import (
    CheckResult,
    NotFit,
    check_connection,
    due_checks,
    enable,
    save_secret,
)
from integration.services.doctor import examine_everything
from integration.services.execution import execute
from integration.services.pauses import pause, reason_of, resume
from integration.services.retry import retry_error
from integration.services.runs import start_run
from tests.factories import make_connection, make_user
from tests.running import Systems
from tests.services.engine import Engine

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(systems: Systems) -> Connection:
    return systems.connect(make_user())[0]


def state_of(result: CheckResult, step: str) -> tuple[str, str]:
    line = next(line for line in result.lines if line.step == step)
    return line.state, line.article


def open_titles(connection: Connection) -> set[str]:
    rows = SyncError.objects.filter(connection=connection, settled_at=None)
    return set(rows.values_list("problem__article", flat=True))


def test_a_demonstration_waits_for_what_passes_by_itself(systems: Systems) -> None:
    systems.break_something("dv-throttle-requests", times=3, retry_after=0)

    (connection,) = systems.connect(make_user())

    assert connection.enabled


def test_a_connection_in_order_passes_every_line(connection: Connection) -> None:
    result = check_connection(connection)

    assert result.passed
    assert {line.state for line in result.lines} == {"ok"}
    assert connection.enabled
    assert open_titles(connection) == set()


def test_the_demonstration_has_one_running_one_unfit_and_one_paused(
    demo_systems: Systems,
) -> None:
    running, unfit, paused = demo_systems.connect(make_user())

    assert (running.enabled, running.paused_at) == (True, None)
    assert (unfit.enabled, unfit.paused_at) == (False, None)
    assert open_titles(unfit) == {"setup-integration-user-is-admin"}
    assert paused.paused_at
    assert paused.pause_article == "aad-password-must-change"
    assert open_titles(paused) == {"aad-password-must-change"}


def test_an_administrator_as_integration_user_keeps_a_connection_from_being_enabled(
    demo_systems: Systems,
) -> None:
    unfit = demo_systems.connect(make_user())[1]

    with pytest.raises(NotFit, match="administrator"):
        enable(unfit, make_user())

    unfit.refresh_from_db()
    assert not unfit.enabled


def test_on_a_running_connection_an_administrator_is_one_error_and_work_goes_on(
    systems: Systems, connection: Connection
) -> None:
    systems.break_something("setup-integration-user-is-admin")

    check_connection(connection)
    check_connection(connection)

    connection.refresh_from_db()
    assert connection.paused_at is None
    error = SyncError.objects.get(connection=connection)
    assert error.problem.article == "setup-integration-user-is-admin"

    systems.repair()
    assert check_connection(connection).settled == 1
    assert open_titles(connection) == set()


def test_a_look_does_not_raise_how_often_something_failed_but_a_retry_does(
    systems: Systems, connection: Connection
) -> None:
    systems.break_something("setup-integration-user-is-admin")
    check_connection(connection)
    error = SyncError.objects.get(connection=connection)

    check_connection(connection)
    examine_everything()

    error.refresh_from_db()
    assert error.occurrences == 1

    retry_error(error, make_user())

    error.refresh_from_db()
    assert error.occurrences == 2


def test_a_look_that_finds_again_what_was_over_has_it_come_back(
    systems: Systems, connection: Connection
) -> None:
    for _each in range(2):
        systems.break_something("setup-integration-user-is-admin")
        check_connection(connection)
        systems.repair()
        check_connection(connection)

    assert SyncError.objects.get(connection=connection).occurrences == 2


def test_a_new_password_that_is_refused_again_counts(demo_systems: Systems) -> None:
    paused = demo_systems.connect(make_user())[2]

    for _each in range(2):
        save_secret(paused.business_central, "mistyped", make_user())

    error = SyncError.objects.get(connection=paused, settled_at=None)
    assert (error.problem.article, error.occurrences) == (
        "aad-wrong-user-or-password",
        2,
    )


def test_a_password_to_be_changed_pauses_once_and_asks_once(
    demo_systems: Systems,
) -> None:
    demo_systems.connect(make_user())

    refused = [one for one in demo_systems.asked("entra") if one["status"] >= 400]

    assert len(refused) == 1


def test_a_new_password_is_checked_at_once_and_resumes_what_failure_paused(
    demo_systems: Systems,
) -> None:
    user = make_user()
    paused = demo_systems.connect(user)[2]
    account = demo_systems.store.table("entra:accounts").rows()[0]
    demo_systems.store.table("entra:accounts").update(
        account, {"state": "ok", "password": "nouveau"}
    )

    (result,) = save_secret(paused.business_central, "nouveau", user, "rotated")

    # Both ends sign in by the same account, so one saving is enough.
    paused.refresh_from_db()
    assert result.resumed
    assert paused.paused_at is None
    assert open_titles(paused) == set()
    assert Operation.objects.filter(reason="rotated", by=user).exists()


@pytest.mark.parametrize(
    "changes", [{"authority": "http://127.0.0.1:1"}, {"secret": "of another key"}]
)
def test_a_sign_in_that_nobody_came_as_far_as_is_not_called_mended(
    demo_systems: Systems, changes: dict[str, str]
) -> None:
    paused = demo_systems.connect(make_user())[2]
    assert open_titles(paused) == {"aad-password-must-change"}
    Endpoint.objects.update(**changes)

    check_connection(Connection.objects.get(pk=paused.pk))

    assert "aad-password-must-change" in open_titles(paused)


def test_a_pause_names_what_stops_the_connection_now(demo_systems: Systems) -> None:
    user = make_user()
    paused = demo_systems.connect(user)[2]
    since = paused.paused_at
    assert paused.pause_article == "aad-password-must-change"

    save_secret(paused.business_central, "mistyped", user)

    paused.refresh_from_db()
    assert paused.pause_article == "aad-wrong-user-or-password"
    assert reason_of(paused) == "Wrong user name or password for Business Central"
    assert paused.paused_at == since


def test_a_pause_by_hand_stays_one_whatever_a_check_finds(
    demo_systems: Systems,
) -> None:
    user = make_user()
    connection = demo_systems.connect(user)[2]
    resume(connection, user)
    pause(connection, user, "year end")

    check_connection(connection)

    assert connection.paused_at
    assert (connection.pause_article, connection.pause_reason) == ("", "year end")


def test_a_pause_by_hand_outlives_a_check_that_passes(connection: Connection) -> None:
    user = make_user()

    pause(connection, user, "year end")
    check_connection(connection)

    assert connection.paused_at
    assert resume(connection, user)
    assert not resume(connection, user)


def test_pausing_twice_is_one_operation(connection: Connection) -> None:
    user = make_user()

    assert [pause(connection, user), pause(connection, user)] == [True, False]

    done = Operation.objects.filter(kind=OperationKind.SET_UP, result__change="paused")
    assert done.count() == 1


def test_a_renamed_company_is_noticed_and_its_links_follow(
    systems: Systems, connection: Connection
) -> None:
    (row,) = systems.store.table("bc:companies").rows()
    systems.store.table("bc:companies").update(row, {"name": "Neuer Name AG"})

    result = check_connection(connection)

    assert state_of(result, "company")[0] == "warn"
    connection.business_central.refresh_from_db()
    assert connection.business_central.company_name == "Neuer Name AG"


def test_microsofts_own_engine_is_found_unless_it_is_on_hold(
    systems: Systems, connection: Connection
) -> None:
    entry = systems.company("jobQueueEntries").insert(
        {
            "objectIdToRun": 5339,
            "recordIdToProcess": "Integration Table Mapping: CUSTOMER",
            "status": "Ready",
        }
    )
    assert state_of(check_connection(connection), "second_engine") == (
        "fail",
        "second-engine-running",
    )

    systems.company("jobQueueEntries").update(entry, {"status": "On Hold"})
    assert state_of(check_connection(connection), "second_engine")[0] == "ok"
    assert open_titles(connection) == set()


def test_a_secret_that_ends_soon_is_an_error_of_its_own(connection: Connection) -> None:
    endpoint = connection.sales
    endpoint.secret_expires_at = clock.now() + timedelta(days=20)
    endpoint.save()

    result = check_connection(connection)

    assert result.passed
    assert open_titles(connection) == {"secret-expires-soon"}


@pytest.mark.parametrize(
    ("side", "changes", "article", "said"),
    [
        ("sales", {"secret": "of another key"}, "secret-unreadable", "bring the old"),
        ("sales", {"web_url": "http://10.0.0.1/"}, "address-not-allowed", "10.0.0.1"),
        ("business_central", {"company_id": "x"}, "bc-company-not-found", "no GUID"),
    ],
)
def test_what_cannot_be_used_as_it_is_stored_is_one_error_and_a_pause(
    engine: Engine, side: str, changes: dict[str, str], article: str, said: str
) -> None:
    """As after a lost key: no run fails unseen, and nobody is called."""
    connection = engine.connection
    endpoint = getattr(connection, side)
    before = Endpoint.objects.filter(pk=endpoint.pk).values(*changes).get()
    Endpoint.objects.filter(pk=endpoint.pk).update(**changes)
    run_id = start_run(engine.mapping())
    assert run_id

    execute(run_id, "test")

    connection = Connection.objects.get()
    assert connection.pause_article == article
    assert open_titles(connection) == {article}
    assert said in check_connection(connection).problems[0].sentence
    assert SyncError.objects.get(settled_at=None).occurrences == 1

    Endpoint.objects.filter(pk=endpoint.pk).update(**before)
    engine.systems.break_something("aad-secret-expired")
    check_connection(Connection.objects.get())
    assert article not in open_titles(connection) - {"bc-company-not-found"}

    engine.systems.repair()
    assert check_connection(Connection.objects.get()).resumed
    assert open_titles(connection) == set()


def test_a_new_secret_ends_when_it_is_said_to_or_nobody_knows(
    connection: Connection, systems: Systems
) -> None:
    user, ends = make_user(), clock.now() + timedelta(days=3)
    endpoints = Endpoint.objects.filter(pk=connection.sales_id)
    endpoints.update(secret_expires_at=ends)
    apps = systems.store.table("entra:apps")
    (app,) = apps.rows()

    def saved(secret: str, expires_at: datetime | None = None) -> datetime | None:
        apps.update(app, {"secret": secret})
        save_secret(endpoints.get(), secret, user, expires_at=expires_at)
        return endpoints.get().secret_expires_at

    assert saved(app.values["secret"]) == ends, "it is the same one, encrypted anew"
    assert open_titles(connection) == {"secret-expires-soon"}
    assert saved("another-one") is None
    assert open_titles(connection) == set()
    assert saved("another-one", ends) == ends


def test_who_came_no_further_than_the_sign_in_speaks_for_no_other_host(
    systems: Systems, connection: Connection
) -> None:
    """Nobody has called the system itself: it may not even be there."""
    endpoints = Endpoint.objects.filter(pk=connection.business_central_id)
    endpoints.update(base_url="http://127.0.0.1:1/bc")
    systems.break_something("aad-secret-invalid")

    result = check_connection(Connection.objects.get())

    said = [line.sentence for line in result.lines if line.step == "hosts"]
    assert state_of(result, "sign_in") == ("fail", "aad-secret-invalid")
    assert not [one for one in said if "127.0.0.1:1 " in one]


def test_whom_nobody_asked_is_not_said_to_answer(
    systems: Systems, connection: Connection
) -> None:
    """Both sign in by the same account: it is tried once."""
    systems.break_something("aad-secret-invalid")

    check_connection(connection)

    ends = Endpoint.objects.order_by("kind")
    assert [end.check_passed for end in ends] == [False, None]
    Endpoint.objects.filter(kind="sales").update(secret="of another key")
    check_connection(Connection.objects.get())
    assert [end.check_passed for end in ends.all()] == [None, False]


@pytest.mark.parametrize("entity", ["generalLedgerSetup", "currencyExchangeRates"])
def test_a_right_to_read_what_no_mapping_names_is_one_of_the_privileges(
    systems: Systems, connection: Connection, entity: str
) -> None:
    systems.break_something("bc-permission-denied", entity=entity, right="Read")

    rows = check_connection(connection).rows

    assert [row.step.value for row in rows if row.state == "fail"] == ["privileges"]


def test_a_wrong_company_is_said(connection: Connection) -> None:
    endpoint = connection.business_central
    endpoint.company_id = "11111111-2222-3333-4444-555555555555"
    endpoint.save()

    result = check_connection(connection)

    states = {row.step.value: row.state.value for row in result.rows}
    assert states["company"] == "fail"
    assert states["environment"] == states["integration_user"] == "ok"
    assert states["rates"] == states["second_engine"] == "unchecked"
    assert connection.paused_at


@pytest.mark.parametrize(
    ("changes", "fault", "step"),
    [
        ({"base_url": "http://127.0.0.1:1/bc"}, "", "hosts"),
        ({}, "aad-secret-expired", "sign_in"),
        ({"environment": "nowhere"}, "", "environment"),
    ],
)
def test_what_a_failed_question_makes_impossible_is_not_passed(
    systems: Systems,
    connection: Connection,
    changes: dict[str, str],
    fault: str,
    step: str,
) -> None:
    Endpoint.objects.filter(pk=connection.business_central_id).update(**changes)
    connection = Connection.objects.get()
    if fault:
        systems.break_something(fault)

    states = {
        row.step.value: row.state.value for row in check_connection(connection).rows
    }

    wrong = [name for name, state in states.items() if state == "fail"]
    assert wrong == [step]
    behind = list(states)[list(states).index(step) + 1 :]
    of_sales = {"integration_user", "not_administrator"}
    assert {states[name] for name in behind if name not in of_sales} == {"unchecked"}


def test_a_missing_privilege_is_told_before_a_record_fails(
    systems: Systems, connection: Connection
) -> None:
    systems.break_something("dv-missing-privilege", entity="accounts", verb="Create")

    result = check_connection(connection)

    (wrong,) = result.problems
    assert wrong.step == "privileges"
    assert "prvCreateAccount" in wrong.sentence
    assert open_titles(connection) == set()


def test_a_currency_in_use_without_rate_is_told(
    systems: Systems, connection: Connection
) -> None:
    rates = systems.company("currencyExchangeRates")
    for row in rates.find("currencyCode", "EUR") + rates.find("currencyCode", "PLN"):
        rates.delete(row.id)

    result = check_connection(connection)

    assert [line.told.key["params"]["currency"] for line in result.problems] == ["EUR"]


def test_what_is_well_again_is_tried_at_once(engine: Engine) -> None:
    engine.systems.break_something("dv-missing-privilege", record="prvCreateAccount")
    engine.add_customer("S1")
    engine.add_customer("S2", currencyCode="XYZ")
    check_connection(engine.connection)
    engine.sync("CUSTOMER")
    pending = PendingRecord.objects.filter(waits_for="")
    pending.update(attempts=5, next_attempt_at=None, skipped_at=clock.now())

    engine.systems.repair()
    check_connection(engine.connection)

    row = pending.get()
    assert (row.attempts, row.skipped_at) == (0, None)
    assert row.next_attempt_at
    assert PendingRecord.objects.exclude(waits_for="").count() == 1
    assert engine.sync("CUSTOMER")["to_sales"]["inserted"] == 1


def test_a_host_outside_the_allow_list_is_never_called() -> None:
    connection = make_connection()
    endpoint = connection.business_central
    endpoint.base_url = "http://169.254.169.254/"
    endpoint.save()

    (line,) = check_connection(connection).lines

    assert "not on this machine" in line.sentence


def test_each_running_connection_is_looked_at_once_a_day() -> None:
    connection = make_connection()

    assert due_checks() == [connection.pk]
    assert due_checks() == []


def test_a_clock_that_was_set_back_puts_no_check_off() -> None:
    connection = make_connection(checked_at=clock.now() + timedelta(hours=2))

    assert due_checks() == [connection.pk]
    assert due_checks() == []


def test_an_unreachable_network_is_looked_at_every_five_minutes() -> None:
    now = clock.now()
    connection = make_connection(
        paused_at=now,
        pause_article="net-unreachable",
        checked_at=now - timedelta(minutes=5),
    )
    make_connection(
        paused_at=now,
        pause_article="aad-password-must-change",
        checked_at=now - timedelta(days=3),
    )

    assert due_checks() == [connection.pk]
