"""Runs of this process and of workers beside it."""

from datetime import timedelta

import pytest

from integration.services.foreground import workers_ran
from tests.factories import SOME_TIME, make_job, make_mapping

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("worker", "after", "counts"),
    [("worker 1", 1, True), ("quickstart 7", 1, False), ("worker 1", -1, False)],
    ids=["a worker's", "our own", "one of an earlier start"],
)
def test_a_start_waits_for_runs_that_workers_carry_out_now(
    worker: str, after: int, counts: bool
) -> None:
    mapping = make_mapping()
    ended = SOME_TIME + timedelta(seconds=after)
    make_job(mapping, worker=worker, started_at=ended, finished_at=ended)

    assert workers_ran([mapping], SOME_TIME, but="quickstart 7") is counts
