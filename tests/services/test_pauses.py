"""A mapping paused by hand: nothing runs, nothing is lost, and it goes on at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection as database
from django.utils import translation

from integration import clock
from integration.choices import ItemOutcome, JobState, Role
from integration.models import (
    Coupling,
    Job,
    Operation,
    OperationItem,
    PendingRecord,
    TableMapping,
    User,
)
from integration.services import creations, retry
from integration.services.actors import Refused
from integration.services.dispatch import claim_due_mappings
from integration.services.execution import execute
from integration.services.pauses import (
    pause_in_storm,
    pause_mapping,
    reason_of,
    resume_mapping,
)
from integration.services.runs import start_run
from integration.services.sentences import sentence
from integration.services.status import read_shell
from tests.factories import make_error, make_mapping, make_problem, make_user
from tests.services.engine import Engine

pytestmark = pytest.mark.django_db
WATCHED = ('INSERT INTO "integration_coupling"', "UPDATE")
STORM = sentence(
    "{failed} of {tries} tries failed for the same cause.", failed=2, tries=2
)


@pytest.fixture
def anna(db: None) -> User:
    return make_user(username="anna")


def carry_out(engine: Engine) -> Job:
    run_id = start_run(engine.mapping())
    assert run_id
    execute(run_id, "w1")
    return Job.objects.get(run=run_id, direction="to_sales")


@contextmanager
def once_coupled(act: Callable[[], object]) -> Iterator[None]:
    """Somebody acts while a run records the first records it made."""
    seen: list[str] = []

    def wrapper(run: Any, sql: str, *rest: Any) -> Any:
        result = run(sql, *rest)
        if len(seen) < 2 and sql.startswith(WATCHED[len(seen)]):
            seen.append(sql)
            if len(seen) == 2:
                act()
        return result

    with database.execute_wrapper(wrapper):
        yield
    assert len(seen) == 2


def test_a_paused_mapping_is_not_dispatched_and_goes_on_at_once(
    engine: Engine, anna: User
) -> None:
    mapping = engine.mapping()
    engine.make_due()

    assert pause_mapping(mapping, anna, "Month-end")
    assert not pause_mapping(mapping, anna)
    claimed = claim_due_mappings(clock.now())

    assert "CUSTOMER" not in {
        job.mapping.name for job in Job.objects.filter(run__in=claimed)
    }
    assert resume_mapping(engine.mapping(), anna, "Done") is None
    due = engine.mapping().next_run_at
    assert due
    assert due <= clock.now()
    operations = Operation.objects.filter(kind="set_up").order_by("id")
    told = [(one.by_name, one.reason, one.result) for one in operations]
    assert told[-2:] == [
        ("anna", "Month-end", {"change": "paused"}),
        ("anna", "Done", {"change": "resumed"}),
    ]


def test_a_run_on_its_way_ends_after_its_chunk_and_nothing_is_lost(
    engine: Engine, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first chunk is recorded while the second is on its way. The third may follow
    it already; there is no fourth."""
    monkeypatch.setattr(creations, "CHUNKS", (10, 10))
    for number in range(40):
        engine.add_customer(f"P{number:02}")
    cursor = engine.mapping().bc_cursor

    with once_coupled(lambda: pause_mapping(engine.mapping(), anna, "Month-end")):
        stopped = carry_out(engine)

    made = Coupling.objects.filter(bc_name__startswith="Customer P")
    assert stopped.state == JobState.FAILED
    assert stopped.inserted in {20, 30}
    assert stopped.message == "CUSTOMER is paused: Month-end"
    left = 40 - stopped.inserted
    assert (made.count(), PendingRecord.objects.count()) == (40 - left, left)
    assert engine.mapping().bc_cursor == cursor
    assert carry_out(engine).message == "CUSTOMER is paused: Month-end"

    resume_mapping(engine.mapping(), anna)
    engine.make_due()
    done = carry_out(engine)

    assert (done.state, done.inserted) == (JobState.SUCCEEDED, left)
    assert (made.count(), PendingRecord.objects.count()) == (40, 0)


def test_what_a_person_paused_goes_on_without_a_trial(anna: User) -> None:
    mapping = make_mapping(failing_cause="a", failing_tries=5)
    problem = make_problem(mapping.connection, fingerprint="a")
    make_error(problem=problem)
    pause_mapping(mapping, anna)

    assert resume_mapping(mapping, anna) is None

    assert not mapping.on_trial
    assert not Job.objects.exists()


def test_the_first_pause_is_the_one_that_stands(anna: User) -> None:
    mapping = make_mapping()
    pause_mapping(mapping, anna, "Month-end")

    assert not pause_in_storm(mapping, STORM)

    assert reason_of(mapping) == "Month-end"
    assert Operation.objects.count() == 1


def test_without_words_the_reason_is_told_in_the_readers_language(anna: User) -> None:
    mapping = make_mapping()
    pause_mapping(mapping, anna)

    assert reason_of(mapping) == "it was paused by hand"
    with translation.override("fr-ch"):
        assert reason_of(mapping) == "mise en pause à la main"


def test_only_an_administrator_ends_what_one_began() -> None:
    operator, mapping = make_user(Role.OPERATOR), make_mapping()
    with pytest.raises(Refused):
        pause_mapping(mapping, operator)
    pause_mapping(mapping, make_user())

    with pytest.raises(Refused):
        resume_mapping(mapping, operator)
    assert TableMapping.objects.get().paused_at


def test_a_retry_says_that_its_mapping_is_paused(anna: User) -> None:
    mapping = make_mapping(reviewed_at=clock.now())
    error = make_error(problem=make_problem(mapping.connection))
    pause_mapping(mapping, anna, "Month-end")

    retry.retry_selected([error.pk], anna)

    item = OperationItem.objects.get()
    assert item.outcome == ItemOutcome.NOT_TRIED
    assert item.told
    assert item.told["values"]["reason"] == "Month-end"


def test_the_frame_of_every_page_names_a_paused_mapping(anna: User) -> None:
    mapping = make_mapping()
    assert read_shell().resting is None
    pause_mapping(mapping, anna)
    make_mapping("CURRENCY", connection=mapping.connection, paused_at=clock.now())
    make_mapping(paused_at=clock.now()).connection.delete()

    found = read_shell().resting

    assert found
    assert found.n == 2
    assert found.name in {"CUSTOMER", "CURRENCY"}
