"""Runs: queued once, claimed once, fenced, counted, finished together."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import transaction

from integration.choices import JobState
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Finding, Outcome, OutcomeKind, RecordRef
from integration.core.records import Direction, System
from integration.models import Job, JobEntry
from integration.services.runs import (
    Run,
    RunLost,
    claim,
    dry_run,
    finish,
    log_outcomes,
    park,
    release,
    start_run,
)
from integration.services.sentences import sentence
from tests.factories import make_mapping

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TO_SALES, TO_BC = Direction.TO_SALES, Direction.TO_BUSINESS_CENTRAL


def claimed(worker: str = "w1") -> Run:
    run_id = start_run(make_mapping())
    assert run_id
    run = claim(run_id, worker)
    assert run
    return run


def outcome(
    kind: OutcomeKind, direction: Direction = TO_SALES, **more: object
) -> Outcome:
    bc = RecordRef(id="b1", number="10000", name="Hôtel")
    return Outcome(kind, direction, "b1", bc=bc, **more)  # type: ignore[arg-type]


def states(run_id: UUID) -> set[str]:
    return set(Job.objects.filter(run=run_id).values_list("state", flat=True))


def test_a_run_has_one_job_for_each_direction_of_its_mapping() -> None:
    both = start_run(make_mapping())
    one = start_run(make_mapping(direction="to_sales"))

    assert both
    assert one
    assert Job.objects.filter(run=both).count() == 2
    assert Job.objects.get(run=one).direction == "to_sales"


def test_a_mapping_has_one_run_at_a_time() -> None:
    mapping = make_mapping()
    first = start_run(mapping)

    assert start_run(mapping) is None
    assert Job.objects.filter(mapping=mapping).values("run").distinct().count() == 1
    assert first


def test_a_run_is_claimed_once() -> None:
    run_id = start_run(make_mapping())
    assert run_id

    first, second = claim(run_id, "w1"), claim(run_id, "w2")

    assert first is not None
    assert second is None
    assert {job.worker for job in first.jobs.values()} == {"w1"}


def test_a_run_remembers_the_records_it_was_asked_for() -> None:
    run_id = start_run(make_mapping(), only=[(System.SALES, "s1")])
    assert run_id

    run = claim(run_id, "w1")

    assert run
    assert run.only == [(System.SALES, "s1")]


def test_a_run_whose_worker_is_gone_is_taken_up_and_the_old_worker_loses_it() -> None:
    with time_machine.travel(NOON, tick=False):
        old = claimed("w1")
    with time_machine.travel(NOON + timedelta(seconds=19), tick=False):
        assert claim(old.id, "w2") is None
    with time_machine.travel(NOON + timedelta(seconds=21), tick=False):
        new = claim(old.id, "w2")

    assert new
    assert new.attempt == old.attempt + 1
    with pytest.raises(RunLost), transaction.atomic():
        log_outcomes(old, [outcome(OutcomeKind.UNCHANGED)])
    finish(old, JobState.SUCCEEDED)
    assert states(old.id) == {"running"}


def test_the_counts_of_a_job_add_up() -> None:
    run = claimed()

    with transaction.atomic():
        log_outcomes(run, [outcome(kind) for kind in OutcomeKind if kind != "failed"])
        log_outcomes(run, [outcome(OutcomeKind.MODIFIED, TO_BC)])

    there = Job.objects.get(run=run.id, direction="to_sales")
    back = Job.objects.get(run=run.id, direction="to_business_central")
    assert there.records_read == len(OutcomeKind) - 1
    assert (there.inserted, there.filtered_out, there.failed) == (1, 1, 0)
    assert (back.records_read, back.modified, back.inserted) == (1, 1, 0)


def test_a_job_notes_what_was_created_and_what_failed_but_not_plain_updates() -> None:
    run = claimed()
    failure = Failure(System.SALES, FailureKind.REFUSED, "0x80040265", "No\0pe", 400)

    with transaction.atomic():
        log_outcomes(
            run,
            [
                outcome(OutcomeKind.INSERTED),
                outcome(OutcomeKind.MODIFIED),
                outcome(OutcomeKind.FAILED, failure=failure),
            ],
        )

    entries = list(JobEntry.objects.values_list("kind", "label", "message"))
    assert entries == [
        ("created", "10000 Hôtel", ""),
        ("failed", "10000 Hôtel", "Nope"),
    ]


def test_a_conflict_is_noted_as_one() -> None:
    run = claimed()
    finding = Finding("conflict-both-changed", {"field": "phoneNumber"}, "Both changed")

    with transaction.atomic():
        log_outcomes(run, [outcome(OutcomeKind.FAILED, finding=finding)])

    assert JobEntry.objects.get().kind == "conflict"


def test_a_parked_run_is_claimed_when_its_time_has_come() -> None:
    with time_machine.travel(NOON, tick=False):
        run = claimed()
        park(run, 120, sentence("Sales asks us to wait"))
        assert claim(run.id, "w2") is None
    with time_machine.travel(NOON + timedelta(seconds=121), tick=False):
        again = claim(run.id, "w2")

    assert again
    assert {job.message for job in again.jobs.values()} == {""}


def test_a_released_run_is_claimed_at_once() -> None:
    run = claimed()

    release(run)

    assert claim(run.id, "w2")


def test_finishing_ends_both_directions_with_the_sentence() -> None:
    run = claimed()

    finish(run, JobState.FAILED, sentence("The connection is paused"))

    assert states(run.id) == {"failed"}
    assert set(Job.objects.values_list("message", flat=True)) == {
        "The connection is paused"
    }
    assert Job.objects.filter(finished_at=None).count() == 0


def test_a_dry_run_counts_and_leaves_nothing_behind() -> None:
    run = dry_run(make_mapping(), directions={TO_SALES})

    log_outcomes(run, [outcome(OutcomeKind.INSERTED), outcome(OutcomeKind.INSERTED)])

    assert list(run.jobs) == [TO_SALES]
    assert (run.jobs[TO_SALES].inserted, run.jobs[TO_SALES].records_read) == (2, 2)
    assert not Job.objects.exists()
