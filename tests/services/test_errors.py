from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from integration.choices import Chip, Direction, SettledReason
from integration.core.causes import Cause
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import (
    Finding,
    Outcome,
    OutcomeKind,
    Presence,
    RecordRef,
)
from integration.core.records import Direction as Way
from integration.core.records import System
from integration.models import (
    ErrorCell,
    ErrorPayload,
    Job,
    Operation,
    Problem,
    SyncError,
)
from integration.models.dialect import lock_recording
from integration.services import cells, moment
from integration.services.actors import Refused
from integration.services.cleanup import delete
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.error_filters import ErrorFilter
from integration.services.errors import (
    open_cause_of,
    record_outcomes,
    record_setup_error,
    settle_both_deleted,
    settle_setup_errors,
)
from integration.services.settling import before, writing
from integration.services.undo import undo
from tests.factories import make_connection, make_job, make_mapping
from tests.sessions import while_held

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second passes between two stamps."""
    now = [START]

    def tick() -> datetime:
        now[0] += timedelta(seconds=1)
        return now[0]

    monkeypatch.setattr(moment, "read_clock", tick)


def cause_of(failure: Failure | None, finding: Finding | None) -> Cause:
    code = failure.code if failure else finding.article if finding else ""
    category = "conflict" if code == "conflict" else "validation"
    return Cause(f"{code:0>64}", f"Cause {code}", category=category)


def failed(key: str = "1", code: str = "long", **values: Any) -> Outcome:
    failure = Failure(System.SALES, FailureKind.REFUSED, code, f"Refused: {code}")
    bc = RecordRef(key, f"N{key}", f"Customer {key}")
    defaults: dict[str, Any] = {"bc": bc, "failure": failure}
    return Outcome(OutcomeKind.FAILED, Way.TO_SALES, key, **(defaults | values))


def passed(key: str = "1", **values: Any) -> Outcome:
    defaults: dict[str, Any] = {"kind": OutcomeKind.MODIFIED, "direction": Way.TO_SALES}
    return Outcome(record_key=key, **(defaults | values))


def record(job: Job, *outcomes: Outcome) -> None:
    with transaction.atomic():
        record_outcomes(job, outcomes, cause_of)
    live = cells.count_rows(SyncError.objects.all())
    columns = (
        "day",
        "problem_id",
        "connection_id",
        "mapping_key",
        "direction",
        "state",
    )
    rows = ErrorCell.objects.values_list(*columns, "n")
    assert {row[:-1]: row[-1] for row in rows} == {tuple(k): n for k, n in live.items()}


def test_a_failed_record_becomes_one_open_row_with_its_problem() -> None:
    job = make_job()

    record(job, failed("1"), failed("2"))

    rows = SyncError.objects.order_by("record_key")
    assert [row.bc_number for row in rows] == ["N1", "N2"]
    assert {row.chip for row in rows} == {Chip.OPEN}
    assert Problem.objects.get().title == "Cause long"
    assert rows[0].job == job


def test_the_same_failure_again_is_counted_on_its_row() -> None:
    job = make_job()
    record(job, failed())

    record(job, failed())

    row = SyncError.objects.get()
    assert row.occurrences == 2
    assert row.last_seen - row.first_seen == timedelta(seconds=1)
    assert row.reopened_at is None


def test_a_success_settles_the_row_as_resolved() -> None:
    job = make_job()
    record(job, failed("1"), failed("2"))

    record(job, passed("1"))

    row = SyncError.objects.get(record_key="1")
    assert (row.state, row.settled_reason) == ("resolved", SettledReason.RESOLVED)
    assert row.settled_at == START + timedelta(seconds=2)
    assert SyncError.objects.get(record_key="2").state == "open"


def test_a_success_tells_its_row_of_the_partner_that_was_made() -> None:
    job, there = make_job(), RecordRef("a", "NA", "Customer A", Presence.EXISTS)
    none = RecordRef(presence=Presence.NOT_CREATED)
    record(job, failed("a", bc=there, sales=none), failed("b", sales=none))
    made = RecordRef("s", "", "Account A", Presence.EXISTS)

    record(job, passed("a", bc=there, sales=made), passed("b"))

    first, second = SyncError.objects.order_by("record_key")
    assert (first.sales_id, first.sales_name) == ("s", "Account A")
    assert first.sales_presence == Presence.EXISTS
    assert first.bc_number == "NA"
    assert second.sales_presence == Presence.NOT_CREATED


def test_a_success_in_the_other_direction_settles_nothing() -> None:
    job = make_job()
    record(job, failed())

    other = RecordRef("1", "N1")
    record(job, passed("s1", direction=Way.TO_BUSINESS_CENTRAL, bc=other))

    assert SyncError.objects.get().state == "open"


def test_a_conflict_is_settled_by_a_success_in_either_direction() -> None:
    job = make_job()
    record(job, failed(code="conflict"))

    other = RecordRef("1", "N1")
    record(job, passed("s1", direction=Way.TO_BUSINESS_CENTRAL, bc=other))

    assert SyncError.objects.get().state == "resolved"


def test_a_resolved_row_that_fails_again_came_back() -> None:
    job = make_job()
    record(job, failed())
    record(job, passed())

    record(job, failed())

    row = SyncError.objects.get()
    assert (row.state, row.settled_at, row.occurrences) == ("open", None, 2)
    assert row.reopened_at == row.last_seen


def test_an_ignored_row_stays_ignored() -> None:
    job = make_job()
    record(job, failed())
    SyncError.objects.update(state="ignored")
    cells.rebuild()

    record(job, failed())

    assert SyncError.objects.get().chip == Chip.IGNORED


def test_a_new_cause_replaces_the_older_row() -> None:
    job = make_job()
    record(job, failed(code="long"))

    record(job, failed(code="duplicate"))

    old = SyncError.objects.get(code="long")
    assert old.settled_reason == SettledReason.REPLACED
    assert SyncError.objects.get(code="duplicate").state == "open"


def test_a_record_that_waits_has_the_cause_of_what_it_waits_for() -> None:
    currency, customer = currency_and_customer()
    record(currency, failed("eur", "rate", bc=RecordRef("eur", "EUR", "Euro")))

    record(customer, waiting("1"))

    row = SyncError.objects.get(mapping_key="CUSTOMER")
    assert (row.chip, row.waits_for) == (Chip.WAITING, "EUR")
    assert Problem.objects.get().errors.count() == 2


def test_what_waits_moves_to_the_new_cause_of_what_it_waits_for() -> None:
    currency, customer = currency_and_customer()
    euro = RecordRef("eur", "EUR", "Euro")
    record(currency, failed("eur", "rate", bc=euro))
    record(customer, waiting("1"), waiting("2"), failed("3"))

    record(currency, failed("eur", "privilege", bc=euro))

    waits = SyncError.objects.filter(chip=Chip.WAITING)
    assert {row.problem.title for row in waits} == {"Cause privilege"}
    assert [row.record_key for row in waits] == ["1", "2"]
    replaced = SyncError.objects.filter(settled_reason=SettledReason.REPLACED)
    assert replaced.count() == 3


def currency_and_customer() -> tuple[Job, Job]:
    connection = make_connection()
    currency = make_mapping("CURRENCY", connection=connection)
    customer = make_mapping("CUSTOMER", connection=connection)
    return make_job(currency), make_job(customer)


def waiting(key: str) -> Outcome:
    finding = Finding("waits", {"currency": "EUR"}, "waits for EUR")
    return failed(key, failure=None, finding=finding, waits_for="CURRENCY:EUR")


def test_only_the_first_and_the_latest_payload_are_kept() -> None:
    job = make_job()
    for attempt in ("one", "two", "three"):
        failure = Failure(
            System.SALES, FailureKind.REFUSED, "long", "x", request=attempt
        )
        record(job, failed(failure=failure))

    payloads = ErrorPayload.objects.order_by("latest")

    assert [payload.request for payload in payloads] == ["one", "three"]


def test_text_is_cleaned_and_bounded_with_a_mark() -> None:
    message = "a\x00\ud800" + "é" * 40_000
    failure = Failure(System.SALES, FailureKind.REFUSED, "long", message)

    record(make_job(), failed(failure=failure))

    row = SyncError.objects.get()
    assert row.message.startswith("a\ufffd\ufffdé")
    assert row.message.endswith("… [cut: 80007 bytes in all]")
    assert len(row.message.encode()) <= 64 * 1024


def test_a_record_failing_twice_in_one_call_is_one_row_seen_twice() -> None:
    record(make_job(), failed(), failed())

    assert SyncError.objects.get().occurrences == 2


def test_a_clock_that_steps_back_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make_job()
    record(job, failed())
    monkeypatch.setattr(moment, "read_clock", lambda: START - timedelta(hours=1))

    record(job, failed())

    row = SyncError.objects.get()
    assert (row.occurrences, row.last_seen) == (2, row.first_seen)


def test_recording_needs_no_more_queries_for_more_records(
    django_assert_max_num_queries: Any,
) -> None:
    job = make_job()

    with django_assert_max_num_queries(40), transaction.atomic():
        record_outcomes(job, [failed(str(n)) for n in range(250)], cause_of)

    assert SyncError.objects.count() == 250


def test_set_up_errors_stand_beside_each_other_until_their_check_passes() -> None:
    connection = make_connection()
    admin = Finding("setup-integration-user-is-admin", {"user": "A"}, "is admin")
    rate = Finding("bc-base-currency-no-rate", {"currency": "CHF"}, "no rate")
    first = record_setup_error(connection, finding=admin, origin="setup_check")
    record_setup_error(connection, finding=rate, origin="setup_check")

    settled = settle_setup_errors(connection, [first.fingerprint])

    assert settled == 1
    first.refresh_from_db()
    assert first.state == "resolved"
    assert SyncError.objects.filter(state="open").count() == 1


def test_both_deleted_settles_too() -> None:
    job = make_job()
    record(job, failed("1"), failed("2"))
    one, _two = SyncError.objects.order_by("record_key")

    assert settle_both_deleted(job.mapping, [one.record_key]) == 1

    one.refresh_from_db()
    assert one.settled_reason == SettledReason.BOTH_DELETED
    assert one.sales_presence == "deleted"


def renamed(job: Job, name: str) -> None:
    """The first record is in step, under this name."""
    bc = RecordRef("1", "N1", name, Presence.EXISTS)
    with transaction.atomic():
        record_outcomes(job, [passed("1", bc=bc)], cause_of)


@pytest.mark.parametrize("text", ["Nouveau", "No"])
def test_no_clean_up_of_a_search_takes_what_is_called_so_only_since(text: str) -> None:
    job = make_job()
    record(job, failed("1"), failed("2", bc=RecordRef("2", "N2", "Nouveau 2")))
    request = CleanupRequest(None, ErrorFilter(q=text))
    shown = preview(request, "me")
    taken = delete(shown.token, request, "me", include_relevant=True, typed="1")

    renamed(job, "Nouveau 1")

    left = SyncError.objects.visible(Operation.objects.cuts()).get()
    assert (left.record_key, left.state) == ("1", "resolved")
    assert [cell.n for cell in ErrorCell.objects.all()] == [1]
    assert undo(taken, "me").result["restored"] == 1


def test_what_is_called_otherwise_since_stays_deleted() -> None:
    job = make_job()
    record(job, failed("1"))
    request = CleanupRequest(None, ErrorFilter(q="Cu"))
    shown = preview(request, "me")
    delete(shown.token, request, "me", include_relevant=True, typed="1")

    renamed(job, "Nouveau")

    assert not SyncError.objects.visible(Operation.objects.cuts()).exists()
    assert not ErrorCell.objects.exists()


def test_what_is_called_so_only_since_the_preview_is_not_deleted_unseen() -> None:
    job = make_job()
    others = [
        failed(key, bc=RecordRef(key, f"N{key}", f"Nouveau {key}")) for key in "23"
    ]
    record(job, failed("1"), *others)
    request = CleanupRequest(None, ErrorFilter(q="Nouveau"))
    shown = preview(request, "me")
    record(job, others[0])
    renamed(job, "Nouveau 1")

    with pytest.raises(Refused, match="were settled since the preview"):
        delete(shown.token, request, "me", include_relevant=True, typed="2")

    assert not Operation.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_who_settles_both_deleted_holds_no_entry_a_recorder_waits_for() -> None:
    """Who has the lock of recording takes entries: each would wait for the other."""
    job = make_job()
    record(job, failed("1"))
    connection, rows = job.mapping.connection, SyncError.objects.all()

    settled = while_held(
        take=lambda: lock_recording(connection.pk),
        work=lambda: settle_both_deleted(job.mapping, ["1"]),
        then=lambda: before(writing(connection), rows),
    )

    assert settled == 1


def test_the_open_cause_of_a_record_is_known() -> None:
    job = make_job()
    record(job, failed("1", "rate"))

    cause = open_cause_of(job.mapping, "1")

    assert cause is not None
    assert cause.title == "Cause rate"
    assert open_cause_of(job.mapping, "2") is None
    assert SyncError.objects.get().direction == Direction.TO_SALES
