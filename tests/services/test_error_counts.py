"""Counts that are believed for a while are what would be counted, whatever happens."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from integration import clock
from integration.core.causes import Cause
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind, RecordRef
from integration.core.records import Direction, System
from integration.models import Job, Operation, SyncError
from integration.services import moment
from integration.services.cleanup import delete_selected
from integration.services.error_filters import ErrorFilter
from integration.services.error_list import read_page
from integration.services.errors import record_outcomes
from integration.services.handling import ignore_errors, reopen_errors, resolve_errors
from integration.services.undo import undo
from tests.factories import make_job, make_mapping

pytestmark = pytest.mark.django_db
NAME = "command line"
KEYS = ("a", "b", "c", "d")


class Scene:
    """Four records fail in a job; three of them are looked at by that job."""

    def __init__(self) -> None:
        mapping = make_mapping()
        self.first, self.second = make_job(mapping), make_job(mapping)
        self.fail(self.first, *KEYS)
        ignore_errors([self.id("d")], NAME)

    def id(self, key: str) -> int:
        return SyncError.objects.get(record_key=key).pk

    def fail(self, job: Job, *keys: str) -> None:
        self._record(job, OutcomeKind.FAILED, keys)

    def heal(self, job: Job, *keys: str) -> None:
        self._record(job, OutcomeKind.MODIFIED, keys)

    def _record(self, job: Job, kind: OutcomeKind, keys: tuple[str, ...]) -> None:
        failure = None
        if kind is OutcomeKind.FAILED:
            failure = Failure(System.SALES, FailureKind.REFUSED, "x", "Refused")
        ended = [
            Outcome(
                kind,
                Direction.TO_SALES,
                key,
                bc=RecordRef(key, f"N{key}", f"Customer {key}"),
                failure=failure,
            )
            for key in keys
        ]
        with transaction.atomic():
            record_outcomes(job, ended, lambda *_: Cause("f" * 64, "Refused"))


def came_back(scene: Scene) -> None:
    scene.heal(scene.second, "a")
    scene.fail(scene.first, "a")


def one_for_another(scene: Scene) -> None:
    scene.heal(scene.second, "a")
    scene.fail(scene.first, "e")


def exchanged(scene: Scene) -> None:
    """As many of each chip as before, but others."""
    ignore_errors([scene.id("a")], NAME)
    reopen_errors([scene.id("d")], NAME)


def deleted_and_undone(scene: Scene) -> None:
    operation = delete_selected([scene.id("a")], NAME)
    undo(Operation.objects.get(pk=operation.pk), NAME)


HAPPENINGS: dict[str, Callable[[Scene], object]] = {
    "it fails again in another job": lambda scene: scene.fail(scene.second, "a"),
    "each fails again in another job": lambda scene: scene.fail(scene.second, *KEYS),
    "it heals": lambda scene: scene.heal(scene.second, "a"),
    "it comes back": came_back,
    "one more fails": lambda scene: scene.fail(scene.first, "e"),
    "one heals and another fails": one_for_another,
    "a person ignores it": lambda scene: ignore_errors([scene.id("a")], NAME),
    "a person resolves it": lambda scene: resolve_errors([scene.id("a")], NAME),
    "a person deletes it": lambda scene: delete_selected([scene.id("a")], NAME),
    "a person deletes it and takes it back": deleted_and_undone,
    "one is ignored and another opened": exchanged,
}


def counts(scene: Scene, start: datetime) -> list[dict[str, int]]:
    """What lists say that the roll-up knows nothing of."""
    filters = (
        ErrorFilter(job=scene.first.pk),
        ErrorFilter(job=scene.second.pk),
        ErrorFilter(record=("a",)),
        ErrorFilter(record=("e",)),
        ErrorFilter(since=start),
        ErrorFilter(until=start),
        ErrorFilter(reason="resolved"),
    )
    return [read_page(each).chips.chips for each in filters]


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_what_happens_is_counted(happening: str) -> None:
    scene = Scene()
    start = moment.read_clock() + timedelta(microseconds=1)
    before = counts(scene, start)
    assert before[0] == {"open": 3, "ignored": 1}

    HAPPENINGS[happening](scene)
    shown = counts(scene, start)
    now = clock.monotonic() + 10
    with pytest.MonkeyPatch.context() as later:
        later.setattr(clock, "monotonic", lambda: now)

        assert shown == counts(scene, start)
    is_as_before = happening == "a person deletes it and takes it back"
    assert (shown == before) is is_as_before


def test_nothing_is_counted_again_while_nothing_happens() -> None:
    scene = Scene()
    filters = ErrorFilter(job=scene.first.pk)
    first = read_page(filters)

    with CaptureQueriesContext(database) as asked:
        again = read_page(filters)

    assert again.chips == first.chips
    assert not any("count(*)" in entry["sql"] for entry in asked.captured_queries)
