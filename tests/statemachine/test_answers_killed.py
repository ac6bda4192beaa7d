"""A worker that dies while it carries an answer out: done once, whenever it dies."""

from collections.abc import Iterator
from itertools import count

import pytest

from integration.choices import OperationState
from integration.models import Coupling, Job, Operation, PendingRecord, SyncError
from integration.services.answer_plans import Take, plan
from integration.services.answering import give_answer, run_of, to_type
from integration.services.execution import ending
from integration.services.runs import claim
from integration.services.sync import run_mapping
from tests.running import running_systems
from tests.services.engine import LONG_AGO, Engine, Live, running_engine
from tests.statemachine.killing import Trouble, Wire

pytestmark = pytest.mark.statemachine
BY = "test"
POINTS = [
    (point, when) for point in ("write", "commit") for when in ("before", "after")
]


@pytest.fixture
def engine(db: None) -> Iterator[Engine]:
    with running_systems(records=0) as systems, running_engine(systems) as engine:
        engine.accept()
        engine.sync()
        yield engine


def trouble_with(engine: Engine, number: str, take: Take) -> SyncError:
    """A new pair, and what there is to answer about it."""
    customer = engine.add_customer(number, email=f"{number}@example.com", city="Vevey")
    engine.sync("CUSTOMER")
    engine.sync("CUSTOMER")
    account = engine.account_of(number)
    if take in {Take.RESTORE, Take.DELETE, Take.UNCOUPLE}:
        engine.accounts.delete(account.id, "a person")
    else:
        engine.change(customer, phoneNumber="1", city="Aigle")
        engine.change(account, telephone1="2", address1_city="Nyon")
    engine.sync("CUSTOMER")
    [error] = engine.errors()
    return error


def answered(error: SyncError, take: Take) -> Operation:
    chosen = {"city": "sales", "phoneNumber": "business_central"}
    shown = plan(error, take, BY, chosen if take is Take.FIELDS else None)
    return give_answer(shown.token, error, BY, typed=to_type(shown.coupling))


def work(wire: Wire, operation: Operation) -> None:
    """A worker takes the run up, as far as it comes."""
    run_id = run_of(operation)
    assert run_id
    Job.objects.filter(run=run_id).update(heartbeat_at=LONG_AGO)
    with wire.worker():
        run = claim(run_id, "worker")
        if run:
            with ending(run):
                run_mapping(run, wire.bc(), wire.sales())


def check(engine: Engine, customer: Live, number: str, take: Take) -> None:
    accounts = list(engine.accounts.find("accountnumber", number))
    pending = PendingRecord.objects.filter(record_id=customer.id)
    coupled = Coupling.objects.filter(bc_id=customer.id).count()
    assert not engine.errors()
    if take is Take.DELETE:
        assert (engine.customers.get(customer.id), accounts, coupled) == (None, [], 0)
    elif take is Take.UNCOUPLE:
        assert (accounts, coupled) == ([], 0)
        assert pending.get().skipped_at
    else:
        [account] = accounts
        city = {Take.FIELDS: "Nyon", Take.RESTORE: "Vevey"}.get(take, "Aigle")
        assert customer.values["city"] == account.values["address1_city"] == city
        held = customer.values["phoneNumber"], account.values.get("telephone1") or ""
        assert held[0] == held[1]
        assert coupled == 1
        assert not pending.exists()


@pytest.mark.parametrize(
    "take",
    [Take.BUSINESS_CENTRAL, Take.FIELDS, Take.RESTORE, Take.UNCOUPLE, Take.DELETE],
)
@pytest.mark.parametrize(("point", "when"), POINTS)
def test_an_answer_is_carried_out_once_whenever_its_worker_dies(
    engine: Engine, take: Take, point: str, when: str
) -> None:
    for n in count(1):
        number = f"K{n}"
        operation = answered(trouble_with(engine, number, take), take)
        customer = engine.customer(number)
        wire = Wire(engine.systems.store)
        wire.troubles.append(Trouble("kill", point, when, n))
        work(wire, operation)
        wire.troubles.clear()
        work(wire, operation)
        operation.refresh_from_db()

        assert operation.state == OperationState.DONE, (n, operation.result)
        check(engine, customer, number, take)
        engine.make_due()
        engine.sync("CUSTOMER")
        check(engine, customer, number, take)
        if not wire.fired:
            break
