"""What every page costs SQLite when years have gone by: as much as on the first day."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection as database
from django.test import Client

from integration import clock
from integration.choices import Delivery, OperationKind
from integration.models import (
    AlertMessage,
    AlertRecipient,
    Job,
    JobEntry,
    Operation,
    OperationItem,
    TableMapping,
)
from integration.services import cells, dispatch
from tests.factories import make_error, make_mapping, make_problem

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
FEW, MANY = 60, 1_200
PAGES = [
    *("/", "/errors/", "/errors/?state=resolved", "/problems/", "/couplings/"),
    *("/jobs/", "/jobs/?state=succeeded", "/jobs/?state=failed", "/jobs/?mapping={m}"),
    *("/jobs/?mapping={m}&state=failed", "/jobs/{j}/", "/mappings/", "/mappings/{m}/"),
    *("/connections/", "/connections/{c}/", "/operations/", "/operations/{o}/"),
    *("/setup/", "/alerts/", "/check/", "/retention/", "/metrics", "/errors/{e}/"),
    *("/problems/{p}/", "/articles/", "/account/", "/users/"),
]


def steps_of(work: Callable[[], Any]) -> int:
    """How many hundreds of steps SQLite's machine goes in it."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    base = database.connection
    base.set_progress_handler(step, 100)
    try:
        work()
    finally:
        base.set_progress_handler(None, 0)
    return steps


@pytest.fixture
def mapping() -> TableMapping:
    return make_mapping(reviewed_at=clock.now(), next_run_at=clock.now())


def age(mapping: TableMapping, first: int, last: int) -> None:
    """What so many days leave: runs, one of which failed, retries, messages."""
    now = clock.now()
    days = [now - timedelta(days=last - day) for day in range(first, last)]
    jobs = Job.objects.bulk_create(
        Job(
            mapping=mapping,
            run=uuid4(),
            direction="to_sales",
            state=state,
            created_at=at,
            started_at=at,
            finished_at=at,
        )
        for at in days
        for state in ("succeeded", "failed")
    )
    JobEntry.objects.bulk_create(
        JobEntry(job=jobs[0], kind="failed", label=str(at), created_at=at)
        for at in days
    )
    operations = Operation.objects.bulk_create(
        Operation(
            kind=OperationKind.RETRY,
            by_name="Somebody",
            reason="Again.",
            created_at=at,
            finished_at=at,
            key=str(uuid4()),
        )
        for at in days
    )
    OperationItem.objects.bulk_create(
        OperationItem(operation=operations[0], outcome="healed", label=str(at))
        for at in days
    )
    there, _made = AlertRecipient.objects.get_or_create(channel="webhook")
    AlertMessage.objects.bulk_create(
        AlertMessage(
            recipient=there,
            key=uuid4(),
            state=Delivery.SENT,
            created_at=at,
            due_at=at,
            finished_at=at,
        )
        for at in days
    )


def test_nothing_costs_more_after_years(
    administrator: Client, mapping: TableMapping
) -> None:
    error = make_error(problem=make_problem(mapping.connection))
    cells.rebuild()
    age(mapping, 0, FEW)
    ids = {
        "m": mapping.pk,
        "c": mapping.connection_id,
        "j": Job.objects.earliest("id").pk,
        "o": Operation.objects.earliest("id").pk,
        "e": error.pk,
        "p": error.problem_id,
    }

    def read(page: str) -> None:
        answer = administrator.get(page.format(**ids), REMOTE_ADDR="127.0.0.1")
        assert answer.status_code == 200

    def tick() -> None:
        dispatch.claim_due_mappings(clock.now())
        Job.objects.filter(state="queued").delete()

    works = {page: partial(read, page) for page in PAGES} | {"a tick": tick}
    for work in works.values():
        work()
    at_first = {name: steps_of(work) for name, work in works.items()}
    age(mapping, FEW, MANY)
    after_years = {name: steps_of(work) for name, work in works.items()}

    grown = {
        name: (at_first[name], after_years[name])
        for name in works
        if after_years[name] >= 1.5 * at_first[name] + 20
    }
    assert not grown
