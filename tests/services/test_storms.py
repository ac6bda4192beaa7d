"""A storm of failures pauses its mapping (promise 9)."""

from collections import Counter
from collections.abc import Iterable

import pytest

from integration.choices import JobState
from integration.core.causes import Cause
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Finding, Outcome, OutcomeKind
from integration.core.records import Direction, System
from integration.models import (
    Coupling,
    Job,
    Operation,
    PendingRecord,
    SyncError,
    TableMapping,
)
from integration.services import creations, storms
from integration.services.dispatch import claim_due_mappings
from integration.services.execution import execute
from integration.services.pauses import resume_mapping
from integration.services.runs import start_run
from integration.services.storms import Storm, note_tries, refuse_storm, room
from tests.factories import make_mapping, make_user
from tests.services.engine import Engine

pytestmark = pytest.mark.django_db
REFUSED = Failure(System.SALES, FailureKind.REFUSED, "0x1", "Refused")


def outcome(word: str) -> Outcome:
    """A letter is a refusal with that cause; "+" passed; ".", "w" and "f" are no tries:
    nothing to do, waiting, and a finding of ours."""
    kinds = {"+": OutcomeKind.INSERTED, ".": OutcomeKind.UNCHANGED}
    kind = kinds.get(word, OutcomeKind.FAILED)
    failure = REFUSED if word not in "+.wf" else None
    finding = Finding("conflict") if word == "f" else None
    waits_for = "CURRENCY:EUR" if word == "w" else ""
    way = Direction.TO_SALES
    return Outcome(
        kind, way, word, failure=failure, finding=finding, waits_for=waits_for
    )


def stops(
    mapping: TableMapping, runs: Iterable[str], *, chunk: int = 4
) -> tuple[int, str]:
    """In which run, after how many of its outcomes; ``(-1, "")`` if in none."""
    for number, run in enumerate(runs):
        tries: Counter[str] = Counter()
        left = run
        while left:
            size = min(chunk, room(mapping, tries))
            outcomes = [outcome(word) for word in left[:size]]
            left = left[size:]
            failed = [one for one in outcomes if one.kind is OutcomeKind.FAILED]
            causes = [Cause(one.record_key, "") for one in failed]
            mapping.refresh_from_db()
            note_tries(mapping, tries, outcomes, causes)
            try:
                refuse_storm(mapping, tries)
            except Storm as storm:
                return number, str(storm)
        try:
            refuse_storm(mapping, tries, at_end=True)
        except Storm as storm:
            return number, str(storm)
    return -1, ""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last 12 tries, or a whole run of 8."""
    monkeypatch.setattr(storms, "LAST_TRIES", 12)
    monkeypatch.setattr(storms, "WHOLE_RUN", 8)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (["a" * 20], (0, "12 of 12")),  # nothing more is tried
        (["+" * 5 + "a" * 20], (0, "12 of 12")),
        (["a" * 8], (0, "8 of 8")),
        (["a" * 7], (-1, "")),
        (["+" + "a" * 10], (-1, "")),
        (["a" * 5 + "b" + "a" * 5], (-1, "")),
        (["aaaa", "aaaa", "aaaa"], (2, "12 of 12")),
        (["aaaa", "....", "aaaa", "aaaa"], (3, "12 of 12")),
        (["aaaa", "aaaa+", "aaaa"], (-1, "")),
        (["w" * 20, "f" * 20, "." * 20], (-1, "")),
        (["awfaw.fa" * 4], (0, "12 of 12")),
    ],
)
def test_it_is_the_last_tries_or_a_whole_run_with_one_cause(
    runs: list[str], expected: tuple[int, str]
) -> None:
    number, told = stops(make_mapping(), runs)

    assert number == expected[0]
    assert told.startswith(expected[1])


def test_the_real_figures_are_2000_tries_or_a_run_of_200() -> None:
    told = "2,000 of 2,000 tries failed for the same cause."
    assert stops(make_mapping("A"), ["a" * 5_000], chunk=1_000) == (0, told)
    assert stops(make_mapping("B"), ["a" * 199]) == (-1, "")
    assert stops(make_mapping("C"), ["a" * 200])[0] == 0


@pytest.mark.usefixtures("small")
def test_a_trial_pauses_again_after_one_run_and_ends_with_the_first_success() -> None:
    mapping = make_mapping(on_trial=True, failing_cause="a", failing_tries=8)
    assert stops(mapping, ["aa"]) == (
        0,
        "10 of 10 tries failed for the same cause.",
    )

    assert stops(mapping, ["a+"]) == (-1, "")
    assert not mapping.on_trial
    assert stops(mapping, ["aa"]) == (-1, "")


@pytest.fixture
def stormy(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """30 new customers, and no right to create an account; a storm is 20 tries."""
    monkeypatch.setattr(storms, "LAST_TRIES", 20)
    monkeypatch.setattr(creations, "CHUNKS", (10, 10))
    for number in range(30):
        engine.add_customer(f"S{number:02}")
    engine.systems.break_something("dv-missing-privilege", record="prvCreateAccount")
    return engine


def carry_out(engine: Engine) -> Job:
    run_id = start_run(engine.mapping())
    assert run_id
    execute(run_id, "w1")
    return Job.objects.get(run=run_id, direction="to_sales")


def test_a_storm_pauses_the_mapping_and_what_was_not_tried_stays_pending(
    stormy: Engine,
) -> None:
    job = carry_out(stormy)

    assert job.state == JobState.FAILED
    assert job.message == "Paused: 20 of 20 tries failed for the same cause."
    assert job.failed == SyncError.objects.count() == 20
    attempts = PendingRecord.objects.order_by("attempts").values_list("attempts")
    assert Counter(attempts) == {(1,): 20, (0,): 10}
    mapping = stormy.mapping()
    assert mapping.paused_at
    assert mapping.pause_reason == "20 of 20 tries failed for the same cause."
    paused = Operation.objects.latest("id")
    assert paused.by_name == "Sync Errors"
    assert paused.scope["mapping"] == "CUSTOMER"
    assert carry_out(stormy).message == f"CUSTOMER is paused: {mapping.pause_reason}"
    TableMapping.objects.update(next_run_at=None)
    started = claim_due_mappings(job.created_at)
    assert set(Job.objects.filter(run__in=started).values_list("mapping__name")) == {
        ("CURRENCY",)
    }


@pytest.mark.parametrize("chunk", [1, 7, 13, 30])
def test_a_storm_is_the_last_tries_exactly_whatever_the_chunks(
    stormy: Engine, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(creations, "CHUNKS", (chunk, chunk))
    for number in range(5):
        stormy.add_customer(f"R{number:02}", currencyCode="XYZ")  # waits, is no try

    job = carry_out(stormy)

    assert job.message == "Paused: 20 of 20 tries failed for the same cause."
    assert SyncError.objects.filter(waits_for="").count() == 20


def test_changes_of_coupled_records_storm_at_the_last_try_as_well(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storms, "LAST_TRIES", 5)
    for customer in engine.all(engine.customers):
        engine.change(customer, city="Bienne")
    engine.systems.break_something("dv-missing-privilege", record="prvWriteAccount")

    job = carry_out(engine)

    assert job.message == "Paused: 5 of 5 tries failed for the same cause."
    assert SyncError.objects.count() == 5
    assert PendingRecord.objects.filter(attempts=0).count() == 3


def test_what_passed_before_the_storm_is_not_left_pending(
    stormy: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storms, "LAST_TRIES", 5)  # five in a row, wherever five pass
    stormy.systems.repair()
    for number in range(25):
        stormy.systems.break_something(
            "dv-plugin-aborted", entity="accounts", record=f"S{number:02}"
        )

    job = carry_out(stormy)

    assert job.message == "Paused: 5 of 5 tries failed for the same cause."
    untried = PendingRecord.objects.filter(attempts=0)
    assert job.failed + job.inserted + untried.count() == 30
    coupled = Coupling.objects.values("bc_id")
    assert not PendingRecord.objects.filter(record_id__in=coupled).exists()


def test_what_a_mapping_creates_no_partner_for_is_not_left_pending(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storms, "LAST_TRIES", 5)
    TableMapping.objects.update(only_coupled=True)
    engine.add_customer("S1")
    for customer in engine.all(engine.customers):
        engine.change(customer, city="Bienne")
    engine.systems.break_something("dv-missing-privilege", record="prvWriteAccount")

    assert carry_out(engine).failed == 5

    coupled = Coupling.objects.values("bc_id")
    assert not PendingRecord.objects.exclude(record_id__in=coupled).exists()


def test_a_run_that_comes_before_the_trial_tries_ten_as_well(
    stormy: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(stormy)
    assert resume_mapping(stormy.mapping(), make_user())
    Job.objects.filter(state=JobState.QUEUED).delete()

    job = carry_out(stormy)

    assert job.failed == 10
    assert stormy.mapping().pause_reason.startswith("30 of 30 tries")


def test_resuming_tries_ten_and_pauses_again_while_nothing_passes(
    stormy: Engine,
) -> None:
    carry_out(stormy)

    run = resume_mapping(stormy.mapping(), make_user())
    assert run
    execute(run, "w1")

    job = Job.objects.get(run=run, direction="to_sales")
    assert job.records_read == job.failed == 10
    assert stormy.mapping().pause_reason.startswith("30 of 30 tries")


def test_once_ten_pass_everything_goes_on(stormy: Engine) -> None:
    carry_out(stormy)
    stormy.systems.repair()
    user = make_user()

    run = resume_mapping(stormy.mapping(), user, "The role has the privilege now.")
    assert run
    execute(run, "w1")
    operation = Operation.objects.latest("id")
    assert (operation.by, operation.reason) == (
        user,
        "The role has the privilege now.",
    )
    assert resume_mapping(stormy.mapping(), user) is None
    job = carry_out(stormy)

    assert job.state == JobState.SUCCEEDED
    assert job.inserted == 20
    assert Coupling.objects.filter(bc_name__startswith="Customer S").count() == 30
    assert not PendingRecord.objects.exists()
    assert not stormy.errors()
