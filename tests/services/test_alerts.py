"""What is told of what changed, to whom, and what is held back."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction

from integration import clock
from integration.choices import Delivery, JobState, Role, SettledReason
from integration.models import (
    Alert,
    AlertMessage,
    AlertSubject,
    Connection,
    ErrorTotal,
    Operation,
    Problem,
    SyncError,
    TableMapping,
    User,
)
from integration.services import alerts, cells, cleanup, moment, purge
from integration.services.alert_recipients import Wish, end_of_quiet, save_wish, zone_of
from integration.services.alerts import tell_what_changed
from integration.services.handling import (
    ignore_errors,
    resolve_errors,
    wake_ignored,
)
from integration.services.schedules import change_interval
from integration.services.settling import before, settle, writing
from tests.factories import (
    make_connection,
    make_error,
    make_job,
    make_mapping,
    make_problem,
    make_user,
)
from tests.services.mail_server import in_threads
from tests.sessions import while_written

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Now:
    """The time, which only tests move."""

    def __init__(self, traveller: Any) -> None:
        self.traveller = traveller

    def move(self, span: timedelta) -> None:
        self.traveller.shift(span)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[Now]:
    with time_machine.travel(NOON, tick=False) as traveller:
        monkeypatch.setattr(moment, "read_clock", clock.now)
        yield Now(traveller)


@pytest.fixture(autouse=True)
def by_mail(settings: Any) -> None:
    settings.ALERTS_BY_MAIL = True


@pytest.fixture
def anna(now: Now) -> User:
    """An administrator with an address, told so far of everything."""
    user = make_user(Role.ADMINISTRATOR, email="anna@example.com")
    tell_what_changed()
    return user


@pytest.fixture
def vera(now: Now, customer: TableMapping) -> User:
    """A viewer who follows CUSTOMER."""
    user = make_user(Role.VIEWER, email="vera@example.com")
    user.subscriptions.add(customer)
    tell_what_changed()
    return user


@pytest.fixture
def connection() -> Connection:
    return make_connection()


@pytest.fixture
def customer(connection: Connection) -> TableMapping:
    return make_mapping(connection=connection)


def recount() -> None:
    with transaction.atomic():
        cells.rebuild()


def fail(connection: Connection, n: int = 1, **values: Any) -> Problem:
    """A problem with so many errors."""
    problem = make_problem(connection, **values)
    for _n in range(n):
        make_error(problem=problem)
    recount()
    return problem


def heal(problem: Problem) -> None:
    """Every error of it settles, as the engine settles them."""
    with transaction.atomic():
        work = writing(problem.connection)
        rows = before(work, SyncError.objects.filter(problem=problem).relevant())
        settle(work, rows, SettledReason.RESOLVED)


def fail_again(problem: Problem) -> None:
    SyncError.objects.filter(problem=problem).update(
        state="open", settled_at=None, settled_reason=""
    )
    recount()


def told(user: User | None = None) -> list[list[str]]:
    """The changes in each message, oldest message first."""
    rows = AlertMessage.objects.order_by("id")
    if user:
        rows = rows.filter(recipient__user=user)
    return [list(row.alerts.values_list("change", flat=True)) for row in rows]


def held() -> list[str]:
    return list(Alert.objects.filter(message=None).values_list("change", flat=True))


def arrive() -> None:
    """Every message is sent now."""
    AlertMessage.objects.filter(state=Delivery.WAITING).update(
        state=Delivery.SENT, finished_at=clock.now()
    )


# --- To whom --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "to"),
    [("administrator", {"anna@example.com"}), ("user", {"vera@example.com"})],
)
def test_the_set_up_is_told_to_administrators_and_records_to_followers(
    anna: User, vera: User, connection: Connection, who: str, to: set[str]
) -> None:
    fail(connection, who=who)

    tell_what_changed()

    rows = Alert.objects.values_list("recipient__user__email", "change")
    assert set(rows) == {(address, "appeared") for address in to}


def test_the_first_message_waits_for_the_end_of_the_run_that_meets_it(
    anna: User, now: Now, customer: TableMapping
) -> None:
    run = make_job(customer, state=JobState.RUNNING, started_at=clock.now())
    problem = fail(customer.connection, 3)
    SyncError.objects.update(job=run)
    tell_what_changed()
    during = told()
    for _n in range(30):
        make_error(problem=problem, job=run)
    recount()
    run.state = JobState.SUCCEEDED
    run.save()

    tell_what_changed()

    assert (during, told()) == ([], [["appeared"]])
    assert Alert.objects.get().records == 33


def test_what_failed_in_an_earlier_run_as_well_waits_for_none(
    anna: User, now: Now, customer: TableMapping
) -> None:
    """Else runs on each other's heels would put it off for ever."""
    problem = fail(customer.connection)
    run = make_job(customer, state=JobState.RUNNING, started_at=clock.now())
    make_error(problem=problem, job=run)
    recount()

    tell_what_changed()

    assert told() == [["appeared"]]


def test_a_long_run_is_not_waited_for(
    anna: User, now: Now, customer: TableMapping
) -> None:
    run = make_job(customer, state=JobState.RUNNING, started_at=clock.now())
    fail(customer.connection)
    SyncError.objects.update(job=run)

    now.move(5 * MINUTE)
    tell_what_changed()

    assert told() == [["appeared"]]


def test_what_passes_by_itself_and_other_mappings_are_told_to_nobody(
    anna: User, vera: User, connection: Connection
) -> None:
    fail(connection, who="itself")
    make_error(problem=make_problem(connection, who="user"), mapping_key="VENDOR")
    recount()

    tell_what_changed()

    assert told() == []


@pytest.mark.parametrize(
    "values", [{"email": ""}, {"mail": False}, {"is_active": False}]
)
def test_who_has_no_address_or_wants_none_is_not_told(
    now: Now, connection: Connection, values: dict[str, Any]
) -> None:
    make_user(**{"email": "anna@example.com", **values})
    tell_what_changed()
    fail(connection)

    tell_what_changed()

    assert told() == []


# --- What -----------------------------------------------------------------------


def test_a_problem_that_grows_is_told_once(anna: User, connection: Connection) -> None:
    problem = fail(connection)
    tell_what_changed()

    ErrorTotal.objects.filter(problem=problem).update(n=50_000)
    tell_what_changed()

    assert told() == [["appeared"]]


def test_appeared_healed_and_came_back(
    now: Now, anna: User, connection: Connection
) -> None:
    problem = fail(connection, 2)
    for act in (lambda _: None, heal, fail_again):
        act(problem)
        tell_what_changed()
        arrive()
        now.move(2 * HOUR)

    assert told() == [["appeared"], ["healed"], ["came_back"]]
    records = Alert.objects.order_by("id").values_list("records", flat=True)
    assert list(records) == [2, 0, 2]


def test_what_a_hand_resolves_is_not_called_healed(
    now: Now, anna: User, connection: Connection
) -> None:
    fail(connection)
    tell_what_changed()
    arrive()
    now.move(2 * HOUR)

    resolve_errors(every_id(), anna)
    tell_what_changed()

    assert told() == [["appeared"], ["resolved"]]


def test_what_is_ignored_is_told_again_when_it_wakes(
    now: Now, anna: User, connection: Connection
) -> None:
    fail(connection)
    tell_what_changed()
    arrive()
    ignore_errors(every_id(), anna, until=clock.now() + 3 * HOUR)
    tell_what_changed()
    assert told() == [["appeared"]]

    now.move(4 * HOUR)
    wake_ignored()
    tell_what_changed()

    assert told() == [["appeared"], ["came_back"]]


def every_id() -> list[int]:
    return list(SyncError.objects.values_list("pk", flat=True))


def test_half_healed_is_not_healed(anna: User, connection: Connection) -> None:
    problem = fail(connection)
    heal(problem)
    make_error(problem=problem)
    recount()

    tell_what_changed()

    assert told() == [["appeared"]]


def test_a_clean_up_heals_nothing_not_even_when_its_rows_are_removed(
    now: Now, anna: User, connection: Connection
) -> None:
    problem = fail(connection, 3)
    tell_what_changed()
    arrive()
    error = SyncError.objects.order_by("id")[0]
    heal_one(error)
    ids = list(SyncError.objects.relevant().values_list("pk", flat=True))

    cleanup.delete_selected(ids, "anna", "not needed")
    tell_what_changed()
    assert not ErrorTotal.objects.exclude(state="resolved").exists()
    now.move(timedelta(days=31))
    purge.purge_due()
    tell_what_changed()

    assert SyncError.objects.count() == 1
    assert told() == [["appeared"]]
    assert not AlertSubject.objects.get(problem=problem).stands


def heal_one(error: SyncError) -> None:
    with transaction.atomic():
        work = writing(error.connection)
        rows = before(work, SyncError.objects.filter(pk=error.pk))
        settle(work, rows, SettledReason.RESOLVED)


def test_what_is_left_after_a_removal_is_healed_when_it_settles(
    now: Now, anna: User, connection: Connection
) -> None:
    problem = fail(connection, 2)
    tell_what_changed()
    arrive()
    cleanup.delete_selected(
        [SyncError.objects.order_by("id")[0].pk], "anna", "not needed"
    )
    now.move(timedelta(days=31))
    purge.purge_due()
    tell_what_changed()

    now.move(MINUTE)
    heal(problem)
    tell_what_changed()

    assert told() == [["appeared"], ["healed"]]


def test_what_a_clean_up_hides_is_healed_when_it_settles(
    now: Now, anna: User, connection: Connection
) -> None:
    problem = fail(connection)
    tell_what_changed()
    arrive()
    cleanup.delete_selected(every_id(), "anna", "not needed")
    now.move(2 * HOUR)

    heal(problem)
    tell_what_changed()

    assert told() == [["appeared"], ["healed"]]


# --- When alerts begin ------------------------------------------------------------


def test_what_stands_when_alerts_are_turned_on_is_told_once_together(
    now: Now, connection: Connection
) -> None:
    problems = [fail(connection) for _n in range(60)]
    heal(problems[0])
    make_user(email="anna@example.com")

    tell_what_changed()
    tell_what_changed()

    assert told() == [["stands"] * 59]
    arrive()
    now.move(2 * HOUR)
    fail_again(problems[0])
    tell_what_changed()
    assert told()[1:] == [["came_back"]]


def test_whoever_comes_later_is_told_what_stands(
    anna: User, connection: Connection
) -> None:
    fail(connection)
    tell_what_changed()
    berta = make_user(email="berta@example.com")

    tell_what_changed()

    assert told(berta) == [["stands"]]
    assert told(anna) == [["appeared"]]


def test_who_wants_nothing_any_more_gets_nothing_more(
    now: Now, anna: User, connection: Connection
) -> None:
    problem = fail(connection)
    tell_what_changed()
    heal(problem)
    tell_what_changed()
    assert held() == ["healed"]

    save_wish(anna, Wish(mail=False, mappings=[]))
    tell_what_changed()

    assert held() == []
    assert AlertMessage.objects.get().state == Delivery.GIVEN_UP
    assert Operation.objects.get().result["mail"] == "False"


def test_while_off_nothing_is_compared(
    now: Now,
    anna: User,
    connection: Connection,
    settings: Any,
    django_assert_num_queries: Any,
) -> None:
    settings.ALERTS_BY_MAIL = False
    pass_by(now, 70)
    fail(connection)

    with django_assert_num_queries(1):
        tell_what_changed()

    assert told() == []


def test_a_worker_without_the_mail_server_tells_nobody_a_second_time(
    now: Now, anna: User, connection: Connection, settings: Any
) -> None:
    """It writes down what the others send, and ends nothing of theirs."""
    problem = fail(connection)
    tell_what_changed()
    for by_mail in (False, True, False):
        now.move(MINUTE)
        settings.ALERTS_BY_MAIL = by_mail
        tell_what_changed()
    assert told() == [["appeared"]]

    arrive()
    now.move(12 * HOUR)  # nobody looked: that turns nothing off
    heal(problem)
    tell_what_changed()

    assert told() == [["appeared"], ["healed"]]
    assert AlertMessage.objects.filter(state=Delivery.WAITING).count() == 1


def test_a_worker_with_only_a_webhook_hides_nothing_from_who_is_told_by_mail(
    now: Now, anna: User, connection: Connection, settings: Any
) -> None:
    settings.ALERTS_WEBHOOK_URL = "https://hooks.example.com/"
    tell_what_changed()
    settings.ALERTS_BY_MAIL = False
    fail(connection)

    tell_what_changed()

    assert (told(anna), len(told())) == ([["appeared"]], 2)


def test_what_no_worker_has_for_an_hour_is_turned_off(
    now: Now, anna: User, connection: Connection, settings: Any
) -> None:
    fail(connection)
    tell_what_changed()
    settings.ALERTS_BY_MAIL = False
    pass_by(now, 59)
    assert AlertMessage.objects.get().state == Delivery.WAITING

    pass_by(now, 5)

    assert AlertMessage.objects.get().state == Delivery.GIVEN_UP


def test_a_quiet_tick_costs_as_much_with_sixty_problems_as_with_one(
    anna: User, connection: Connection, django_assert_max_num_queries: Any
) -> None:
    for _n in range(60):
        fail(connection)
    tell_what_changed()

    with django_assert_max_num_queries(16):
        tell_what_changed()


def spread(problem: Problem, mapping: TableMapping) -> None:
    """One more error of this problem, of another mapping."""
    make_error(problem=problem, mapping_key=mapping.name)
    recount()
    tell_what_changed()


@pytest.fixture
def wim(now: Now, connection: Connection) -> User:
    """A viewer who follows CONTACT."""
    user = make_user(Role.VIEWER, email="wim@example.com")
    user.subscriptions.add(make_mapping("CONTACT", connection=connection))
    tell_what_changed()
    return user


def heard(user: User) -> list[tuple[str, int]]:
    rows = Alert.objects.filter(recipient__user=user).order_by("id")
    return list(rows.values_list("change", "records"))


def test_a_problem_that_spreads_is_told_to_who_follows_the_other_mapping_once(
    now: Now, vera: User, wim: User, connection: Connection, settings: Any
) -> None:
    settings.ALERTS_WEBHOOK_URL = "https://hooks.example.com/"
    contact = wim.subscriptions.get()
    tell_what_changed()
    problem = fail(connection, 2, who="user")
    tell_what_changed()
    assert (heard(vera), heard(wim)) == ([("appeared", 2)], [])

    for _n in range(2):
        now.move(MINUTE)
        spread(problem, contact)

    assert (heard(vera), heard(wim)) == ([("appeared", 2)], [("appeared", 3)])
    assert Alert.objects.filter(recipient__user=None).count() == 1


def test_who_follows_both_mappings_hears_of_a_problem_once(
    vera: User, wim: User, connection: Connection
) -> None:
    vera.subscriptions.add(wim.subscriptions.get())
    problem = fail(connection, who="user")
    tell_what_changed()

    spread(problem, wim.subscriptions.get())

    assert heard(vera) == [("appeared", 1)]


def test_what_stood_before_anybody_looked_where_has_not_spread(
    vera: User, wim: User, connection: Connection
) -> None:
    problem = fail(connection, who="user")
    spread(problem, wim.subscriptions.get())
    Alert.objects.all().delete()
    AlertSubject.objects.update(mappings=None)  # as an earlier version left it

    tell_what_changed()
    assert heard(wim) == []
    assert AlertSubject.objects.filter(problem=problem, mappings=None).count() == 0


def test_the_administrators_problem_spreads_without_a_second_word(
    anna: User, wim: User, connection: Connection
) -> None:
    anna.subscriptions.add(wim.subscriptions.get())
    problem = fail(connection, who="administrator")
    tell_what_changed()

    spread(problem, wim.subscriptions.get())

    assert (heard(anna), heard(wim)) == ([("appeared", 1)], [])


# --- How often --------------------------------------------------------------------


def test_a_problem_is_told_at_most_once_an_hour_and_the_rest_together(
    now: Now, anna: User, connection: Connection
) -> None:
    first, second = fail(connection), fail(connection)
    tell_what_changed()
    arrive()
    for _n in range(3):
        now.move(5 * MINUTE)
        for problem in (first, second):
            heal(problem)
        tell_what_changed()
        for problem in (first, second):
            fail_again(problem)
        now.move(5 * MINUTE)
        tell_what_changed()

    assert len(told()) == 2
    assert len(held()) == 12
    now.move(34 * MINUTE)
    tell_what_changed()
    assert len(told()) == 2
    now.move(MINUTE)
    tell_what_changed()

    assert told()[2:] == [["healed", "healed", "came_back", "came_back"] * 3]
    assert held() == []


def test_a_message_still_on_its_way_holds_the_next_one_back(
    now: Now, anna: User, connection: Connection
) -> None:
    problem = fail(connection)
    tell_what_changed()
    now.move(3 * HOUR)

    heal(problem)
    tell_what_changed()
    now.move(2 * HOUR)
    tell_what_changed()

    assert (told(), held()) == ([["appeared"]], ["healed"])
    arrive()
    now.move(HOUR + MINUTE)
    tell_what_changed()
    assert told() == [["appeared"], ["healed"]]


def test_after_ten_messages_in_an_hour_the_others_come_together(
    now: Now, anna: User, connection: Connection
) -> None:
    for _n in range(14):
        fail(connection)
    tell_what_changed()
    arrive()
    assert told() == [["appeared"]] * alerts.MOST_IN_AN_HOUR

    now.move(HOUR)
    tell_what_changed()

    assert told()[10:] == [["appeared"] * 4]


def test_a_clock_that_was_set_back_holds_nothing_back_until_that_time_comes_again(
    now: Now, anna: User, connection: Connection
) -> None:
    first, *_others = [fail(connection) for _n in range(alerts.MOST_IN_AN_HOUR + 2)]
    tell_what_changed()
    arrive()
    assert held() == ["appeared"] * 2

    now.move(-24 * HOUR)
    tell_what_changed()
    heal(first)
    tell_what_changed()

    assert told()[alerts.MOST_IN_AN_HOUR :] == [["appeared"] * 2, ["healed"]]


def test_quiet_hours_end_with_one_message(
    now: Now, anna: User, connection: Connection
) -> None:
    zone = zone_of(anna)
    start = NOON.astimezone(zone).time()
    end = (NOON + 8 * HOUR).astimezone(zone).time()
    save_wish(anna, Wish(mail=True, mappings=[], quiet_from=start, quiet_until=end))
    for _n in range(3):
        fail(connection)
        tell_what_changed()
        now.move(2 * HOUR)

    assert told() == []
    now.move(2 * HOUR)
    tell_what_changed()
    assert told() == [["appeared"] * 3]


@pytest.mark.parametrize(
    ("at", "start", "end", "expected"),
    [
        ("2026-11-22T23:30", "22:00", "07:00", "2026-11-23T07:00+01:00"),
        ("2026-11-22T06:59", "22:00", "07:00", "2026-11-22T07:00+01:00"),
        ("2026-11-22T07:00", "22:00", "07:00", None),
        ("2026-11-22T12:30", "12:00", "13:00", "2026-11-22T13:00+01:00"),
        ("2026-11-22T13:00", "12:00", "13:00", None),
        ("2026-03-28T23:00", "22:00", "07:00", "2026-03-29T07:00+02:00"),
    ],
)
def test_quiet_hours_run_over_midnight_and_summer_time(
    at: str, start: str, end: str, expected: str | None
) -> None:
    zone = zone_of(None)
    local = datetime.fromisoformat(at).replace(tzinfo=zone)
    hours = (time.fromisoformat(start), time.fromisoformat(end))

    found = end_of_quiet(local.astimezone(UTC), *hours, zone)

    wanted = datetime.fromisoformat(expected) if expected else None
    assert found == wanted


# --- Silence ----------------------------------------------------------------------


@pytest.fixture
def watched(anna: User, customer: TableMapping) -> TableMapping:
    """Accepted, every minute, with a first success, seen by a tick."""
    TableMapping.objects.update(reviewed_at=NOON, interval_seconds=60)
    succeed(customer)
    tell_what_changed()
    customer.refresh_from_db()
    return customer


def succeed(mapping: TableMapping) -> None:
    ended = clock.now()
    make_job(mapping, state=JobState.SUCCEEDED, started_at=ended, finished_at=ended)


def pass_by(now: Now, minutes: int) -> None:
    """Ticks go on meanwhile."""
    for _n in range(minutes):
        now.move(MINUTE)
        tell_what_changed()


def test_a_mapping_without_success_for_three_intervals_is_silent_until_one(
    now: Now, watched: TableMapping
) -> None:
    make_job(watched, state=JobState.FAILED)
    pass_by(now, 3)
    assert told() == []

    pass_by(now, 5)
    assert told() == [["silent"]]
    arrive()
    now.move(2 * HOUR)
    succeed(watched)
    tell_what_changed()

    assert told() == [["silent"], ["runs_again"]]
    first = Alert.objects.order_by("id")[0]
    assert first.last_success == NOON


def test_several_silent_mappings_are_one_message_and_go_to_followers_too(
    now: Now, vera: User, watched: TableMapping
) -> None:
    make_mapping(
        "CURRENCY",
        connection=watched.connection,
        reviewed_at=NOON,
        interval_seconds=60,
    )
    tell_what_changed()

    pass_by(now, 5)

    assert told(vera) == [["silent"]]
    assert [row for row in told() if row != ["silent"]] == [["silent", "silent"]]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: TableMapping.objects.update(paused_at=NOON),
        lambda one: TableMapping.objects.update(reviewed_at=None),
        lambda one: Connection.objects.update(paused_at=NOON),
        lambda one: Connection.objects.update(enabled=False),
    ],
)
def test_what_need_not_run_is_not_silent_nor_when_it_goes_on(
    now: Now, watched: TableMapping, change: Any
) -> None:
    change(watched)
    pass_by(now, 10)
    TableMapping.objects.update(paused_at=None, reviewed_at=NOON)
    Connection.objects.update(paused_at=None, enabled=True)
    pass_by(now, 3)

    assert told() == []


def test_what_was_quiet_by_its_old_interval_is_not_silent_by_a_shorter_one(
    now: Now, watched: TableMapping
) -> None:
    change_interval(watched, "test", "It is quiet.", 3_600)
    pass_by(now, 50)

    change_interval(watched, "test", "It is not.", 60)

    pass_by(now, 3)
    assert told() == []
    pass_by(now, 2)
    assert told() == [["silent"]]


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.QUEUED])
def test_after_a_resumption_a_long_first_run_is_not_silence(
    now: Now, watched: TableMapping, state: JobState
) -> None:
    """Queued again: one worker handed it on to the next."""
    Connection.objects.update(paused_at=NOON)
    pass_by(now, 10)
    Connection.objects.update(paused_at=None)
    pass_by(now, 2)
    make_job(watched, state=state, started_at=clock.now())

    pass_by(now, 50)
    assert told() == []

    pass_by(now, 10)
    assert told() == [["silent"]]


@pytest.mark.parametrize(
    "run",
    [
        {"state": JobState.QUEUED},
        {"state": JobState.QUEUED, "started_at": NOON, "parked_until": NOON + HOUR},
        {"state": JobState.RUNNING, "started_at": NOON, "kind": "review"},
    ],
)
def test_a_run_that_is_not_under_way_explains_no_silence(
    now: Now, watched: TableMapping, run: dict[str, Any]
) -> None:
    make_job(watched, **run)

    pass_by(now, 4)

    assert told() == [["silent"]]


def test_a_second_run_after_one_that_could_not_run_explains_no_silence(
    now: Now, watched: TableMapping
) -> None:
    """Else runs that fail one after the other would keep it quiet for ever."""
    pass_by(now, 1)
    moment = clock.now()
    make_job(watched, state=JobState.FAILED, started_at=moment, finished_at=moment)
    make_job(watched, state=JobState.RUNNING, started_at=moment)

    pass_by(now, 3)

    assert told() == [["silent"]]


def test_after_everything_was_off_for_a_night_nothing_is_silent_at_once(
    now: Now, watched: TableMapping
) -> None:
    now.move(12 * HOUR)
    tell_what_changed()
    pass_by(now, 3)
    assert told() == []

    pass_by(now, 1)
    assert told() == [["silent"]]


# --- Whatever happens -------------------------------------------------------------


def test_killed_while_writing_down_nothing_is_half_told(
    now: Now, anna: User, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = fail(connection)
    with monkeypatch.context() as patch:
        patch.setattr(alerts, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            tell_what_changed()
    assert not AlertSubject.objects.filter(problem=problem).exists()

    tell_what_changed()

    assert told() == [["appeared"]]


def killed(*args: object, **more: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_who_look_at_once_tell_once() -> None:
    connection = make_connection()
    make_user(email="anna@example.com")
    tell_what_changed()
    for _n in range(3):
        fail(connection)

    in_threads(tell_what_changed, 3)

    assert told() == [["appeared"]] * 3


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_errors_that_move_to_a_problem_while_somebody_looks_are_no_news() -> None:
    connection = make_connection()
    make_user(email="anna@example.com")
    tell_what_changed()
    problem = fail(connection)
    noted = (
        "INSERT INTO integration_alertsubject (problem_id, stands, since) "
        "VALUES (%s, true, now())"
    )

    while_written(noted, [problem.pk], tell_what_changed)

    assert told() == []
