"""The way out of *Perhaps created twice*, step by step as its article says it.

A creation was lost and never arrived; meanwhile somebody entered a customer that has
the account's name and nothing else. A person decides, and then chooses Retry.
"""

from dataclasses import dataclass

import pytest

from integration.core.failures import FailureKind
from integration.models import Coupling, PendingRecord, SyncError
from integration.services.execution import execute
from integration.services.retry import retry_error, runs_of
from tests.factories import make_user
from tests.services.engine import Engine, Live
from tests.services.test_creations import Answering
from tests.services.test_sync import in_step

UNDECIDED = "created-twice-undecided"
BERN = {"address1_city": "Bern", "address1_postalcode": "3011", "telephone1": "031"}
CHUR = {"city": "Chur", "postalCode": "7000", "phoneNumber": "081"}
IN_SALES = {
    "displayName": "name",
    "city": "address1_city",
    "postalCode": "address1_postalcode",
    "phoneNumber": "telephone1",
}


@dataclass(frozen=True, slots=True)
class Case:
    """An account without partner, and the customer that bears its name."""

    engine: Engine
    account: Live
    customer: Live

    def values(self) -> dict[str, str]:
        """The account's, as its page in Business Central has them to be typed."""
        row = self.account.values
        return {here: row[there] for here, there in IN_SALES.items()}

    def retry(self, record: Live) -> None:
        error = SyncError.objects.get(record_key=record.id, settled_at=None)
        for run in runs_of(retry_error(error, make_user())):
            execute(run, "test")

    def partner_of_account(self) -> str:
        return Coupling.objects.get(sales_id=self.account.id).bc_id

    def is_over(self) -> bool:
        """In step, nothing created twice, nothing left to say."""
        alike = len(self.engine.customers) == len(self.engine.accounts)
        pairs = Coupling.objects.filter(mapping=self.engine.mapping()).count()
        self.engine.sync("CUSTOMER")
        return (
            alike
            and pairs == len(self.engine.customers)
            and in_step(self.engine)
            and not self.engine.errors()
            and not PendingRecord.objects.exists()
        )


@pytest.fixture
def case(bare: Engine) -> Case:
    bare.accept()
    account = bare.add_account("Müller", **BERN)
    connector = bare.bc
    bare.bc = Answering(connector, FailureKind.LOST_ANSWER)
    bare.sync("CUSTOMER")
    bare.bc = connector
    customer = bare.add_customer("77", "Müller", **CHUR)
    bare.make_due()
    bare.sync("CUSTOMER")
    assert bare.articles() == [UNDECIDED] * 2
    return Case(bare, account, customer)


@pytest.mark.parametrize("side", ["account", "customer"])
def test_the_one_that_gets_the_values_is_coupled_by_a_retry(
    case: Case, side: str
) -> None:
    case.engine.change(case.customer, **case.values())

    case.retry(getattr(case, side))

    assert case.partner_of_account() == case.customer.id
    assert case.is_over()
    assert len(case.engine.customers) == 1


@pytest.mark.parametrize("side", ["account", "customer"])
@pytest.mark.parametrize(
    "changed",
    [
        {"address1_city": "Biel", "address1_postalcode": "2500", "telephone1": "032"},
        {"name": "Müller AG"},
        {"name": "Müller AG", "address1_postalcode": "2500", "telephone1": "032"},
    ],
    ids=["elsewhere", "renamed", "both"],
)
def test_the_values_are_those_its_partner_has_by_now(
    case: Case, changed: dict[str, str], side: str
) -> None:
    case.engine.change(case.account, **changed)
    case.engine.change(case.customer, **case.values())

    case.retry(getattr(case, side))

    assert case.partner_of_account() == case.customer.id
    assert case.is_over()
    assert len(case.engine.customers) == 1


@pytest.mark.parametrize(
    "changed", [{}, {"telephone1": "032", "address1_city": "Biel"}]
)
@pytest.mark.parametrize("side", ["account", "customer"])
def test_beside_somebody_elses_the_one_that_is_created_by_hand_is_coupled(
    case: Case, changed: dict[str, str], side: str
) -> None:
    if changed:
        case.engine.change(case.account, **changed)
    values = case.values()
    wanted = case.engine.add_customer("78", values.pop("displayName"), **values)

    case.retry(getattr(case, side))
    case.engine.make_due()
    case.engine.sync("CUSTOMER")

    assert case.partner_of_account() == wanted.id
    assert case.is_over()
    assert len(case.engine.customers) == 2
    assert case.customer.values["city"] == "Chur"


def test_one_value_of_several_is_not_enough_to_be_taken_for_somebody_elses(
    case: Case,
) -> None:
    """The name and one more value are as they were sent: it is the lost one."""
    case.engine.change(case.customer, city="Bern")

    case.retry(case.account)

    assert case.partner_of_account() == case.customer.id
    assert case.is_over()


def test_without_a_decision_a_retry_makes_nothing(case: Case) -> None:
    case.retry(case.account)

    assert case.engine.articles() == [UNDECIDED] * 2
    assert len(case.engine.customers) == len(case.engine.accounts) == 1
