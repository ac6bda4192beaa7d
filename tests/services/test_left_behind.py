"""What nobody may forget: another's change in a run of one direction, what a system
changes by itself, and whose record it is that bears a lost one's name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from integration.connectors.base import Connector, Update, WriteResult
from integration.connectors.errors import Throttled
from integration.core.failures import Failure, FailureKind
from integration.core.records import Direction, Page
from integration.models import Coupling
from integration.services.mappings import change_mapping
from integration.simulators.faults import Faults
from tests.services.engine import Engine, Through
from tests.services.test_creations import Answering
from tests.services.test_sync import in_step

TO_SALES, TO_BC, BOTH = [Direction.TO_SALES], [Direction.TO_BUSINESS_CENTRAL], None


@pytest.mark.parametrize(("met_by", "ended_by"), [(BOTH, TO_SALES), (TO_BC, BOTH)])
def test_a_run_of_one_direction_does_not_forget_what_sales_changed_in_a_conflict(
    engine: Engine,
    met_by: list[Direction] | None,
    ended_by: list[Direction] | None,
) -> None:
    bc, sales = engine.pair()
    before = bc.values["city"]
    engine.change(bc, city="A")
    engine.change(sales, telephone1="777")
    engine.sync("CUSTOMER", directions=met_by)
    engine.change(bc, city=before)

    engine.sync("CUSTOMER", directions=ended_by)
    engine.sync("CUSTOMER")

    assert bc.values["phoneNumber"] == "777"
    assert in_step(engine)


def test_what_meets_in_a_run_to_sales_is_filled_in_by_the_next_one(
    engine: Engine,
) -> None:
    change_mapping(engine.mapping(), "test", "Coupled only.", only_coupled=True)
    account = engine.add_account("Hans", accountnumber="H1", telephone1="777")
    engine.sync("CUSTOMER")
    customer = engine.add_customer("H1", "Hans")

    engine.sync("CUSTOMER", directions=[Direction.TO_SALES])
    engine.sync("CUSTOMER")

    assert Coupling.objects.filter(bc_id=customer.id, sales_id=account.id).exists()
    assert customer.values["phoneNumber"] == "777"


class Validating(Through):
    """A system that fills one field by itself when another is written."""

    def __init__(self, connector: Connector, when: str, also: dict[str, Any]) -> None:
        super().__init__(connector)
        self._when = when
        self._also = also

    def update_many(
        self, entity: str, fields: Sequence[str], updates: Sequence[Update]
    ) -> list[WriteResult]:
        more = [
            replace(one, values={**one.values, **self._also})
            if self._when in one.values
            else one
            for one in updates
        ]
        return self.connector.update_many(entity, fields, more)


def test_what_business_central_changes_by_itself_goes_to_sales(engine: Engine) -> None:
    """A post code that is validated brings its city."""
    bc, sales = engine.pair()
    engine.bc = Validating(engine.bc, "postalCode", {"city": "Lausanne"})
    engine.change(sales, address1_postalcode="1003")

    engine.sync("CUSTOMER")
    assert bc.values["city"] == "Lausanne"
    engine.sync("CUSTOMER")

    assert sales.values["address1_city"] == "Lausanne"
    assert in_step(engine)


def test_what_sales_changes_by_itself_goes_to_business_central(engine: Engine) -> None:
    bc, sales = engine.pair()
    also = {"address1_city": "Lausanne"}
    engine.sales = Validating(engine.sales, "address1_postalcode", also)
    engine.change(bc, postalCode="1003")

    engine.sync("CUSTOMER")
    assert sales.values["address1_city"] == "Lausanne"
    engine.sync("CUSTOMER")

    assert bc.values["city"] == "Lausanne"
    assert in_step(engine)


class Throttling(Through):
    """A system that asks to slow down before it creates anything."""

    def create_many(self, *_: Any) -> Any:
        kind = FailureKind.THROTTLED
        raise Throttled(Failure(self.connector.system, kind, "429", "Too many"))


def _lose_one_and_add_a_namesake(engine: Engine, lose: Any) -> tuple[Any, Any]:
    """An account of Bern, and a customer of its name that lives in Chur."""
    engine.accept()
    account = engine.add_account(
        "Müller", address1_city="Bern", address1_postalcode="3011", telephone1="031"
    )
    bc = engine.bc
    lose()
    engine.bc = bc
    other = engine.add_customer(
        "77", "Müller", city="Chur", postalCode="7000", phoneNumber="081"
    )
    return account, other


@pytest.mark.parametrize("kind", [FailureKind.LOST_ANSWER, FailureKind.TRANSIENT])
def test_a_namesake_entered_meanwhile_is_not_what_was_lost(
    bare: Engine, kind: FailureKind
) -> None:
    def lose() -> None:
        bare.bc = Answering(bare.bc, kind)
        bare.sync("CUSTOMER")

    account, other = _lose_one_and_add_a_namesake(bare, lose)
    bare.make_due()
    bare.sync("CUSTOMER")

    assert account.values["address1_city"] == "Bern", "another company's address"
    assert not Coupling.objects.filter(bc_id=other.id, sales_id=account.id).exists()


def test_what_was_never_sent_is_not_looked_for_by_its_name(bare: Engine) -> None:
    def lose() -> None:
        bare.bc = Throttling(bare.bc)
        with pytest.raises(Throttled):
            bare.sync("CUSTOMER")

    account, other = _lose_one_and_add_a_namesake(bare, lose)
    bare.mapping().jobs.all().delete()
    bare.sync("CUSTOMER")

    assert account.values["address1_city"] == "Bern", "another company's address"
    assert not Coupling.objects.filter(bc_id=other.id, sales_id=account.id).exists()


class Telling(Through):
    """A connector whose changes bring once more what changes while they are read."""

    def __init__(self, connector: Connector, edit: Callable[[], object]) -> None:
        super().__init__(connector)
        self._edit = edit

    def read_changes(
        self, entity: str, fields: Sequence[str], cursor: str
    ) -> Iterator[Page]:
        pages = list(self.connector.read_changes(entity, fields, cursor))
        yield from pages
        self._edit()
        ids = [record.id for page in pages for record in page.records]
        now = self.connector.read_many(entity, fields, ids)
        yield Page(records=tuple(now.values()), cursor=pages[-1].cursor)


@pytest.mark.parametrize("leaves", [False, True])
def test_an_edit_that_is_taken_back_while_it_is_read_is_not_carried_over(
    engine: Engine, leaves: bool
) -> None:
    """Or whose account leaves the filter: it goes when the account comes back."""
    bc, sales = engine.pair()
    before = bc.values["phoneNumber"]
    engine.change(sales, telephone1="777")
    then = {"statecode": 1} if leaves else {"telephone1": before}
    connector = engine.sales
    engine.sales = Telling(connector, lambda: engine.change(sales, **then))
    engine.sync("CUSTOMER")
    engine.sales = connector

    assert bc.values["phoneNumber"] == before
    engine.sync("CUSTOMER")
    assert bc.values["phoneNumber"] == before
    if leaves:
        engine.change(sales, statecode=0)
        engine.sync("CUSTOMER")
        assert bc.values["phoneNumber"] == "777"
    assert in_step(engine)


def test_an_error_ends_although_a_run_of_the_other_direction_saw_it_mended(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    fault = {"id": "bc-field-mandatory", "record": bc.id}
    Faults.of(engine.systems.store).add(fault)
    engine.change(sales, telephone1="777")
    engine.sync("CUSTOMER")
    assert len(engine.errors()) == 1
    engine.change(bc, phoneNumber="777")

    engine.sync("CUSTOMER", directions=TO_SALES)
    engine.make_due()
    engine.sync("CUSTOMER")

    assert not engine.errors()
    assert in_step(engine)
