"""Who has the number that Sales refuses to give twice."""

from collections.abc import Sequence
from typing import Any

import pytest

from integration.connectors.errors import Refused
from integration.core.failures import Failure, FailureKind
from integration.core.records import System
from integration.models import SyncError
from integration.services import rivals
from integration.simulators.faults import Faults
from tests.services.engine import Engine


def in_the_way(error: SyncError) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (error.values or {}).get("others", [])
    return found


@pytest.mark.parametrize(("number", "as_spelled"), [("777", "777"), ("AB1", "ab1")])
def test_a_number_that_an_inactive_account_has_names_that_account(
    bare: Engine, number: str, as_spelled: str
) -> None:
    there = bare.add_account("Old", accountnumber=as_spelled, customertypecode=11)
    bare.add_customer(number, "New")
    bare.accept()

    bare.sync("CUSTOMER")

    [error] = bare.errors(problem__article="dv-duplicate-key")
    assert in_the_way(error) == [{"id": there.id, "number": as_spelled, "name": "Old"}]


def test_a_number_is_refused_all_the_same_where_nobody_says_who_has_it(
    bare: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_field: str, values: Sequence[str]) -> str:
        raise Refused(Failure(System.SALES, FailureKind.REFUSED, "no", values[0]))

    bare.add_account("Old", accountnumber="777", customertypecode=11)
    bare.add_customer("777", "New")
    bare.accept()
    monkeypatch.setattr(rivals, "one_of", refuse)

    bare.sync("CUSTOMER")

    [error] = bare.errors(problem__article="dv-duplicate-key")
    assert in_the_way(error) == []


def test_a_coupled_customer_gets_a_number_that_another_account_has(
    engine: Engine,
) -> None:
    """The error is of the number that the customer has now."""
    there = engine.add_account("Old", accountnumber="777", customertypecode=11)
    customer, account = engine.pair()
    engine.change(customer, number="777", city="Sion")

    engine.sync("CUSTOMER")

    [error] = engine.errors(problem__article="dv-duplicate-key")
    assert in_the_way(error) == [{"id": there.id, "number": "777", "name": "Old"}]
    assert error.sales_id == account.id
    assert error.bc_number == "777"
    assert error.record_label.startswith("777 ")


def test_an_account_is_not_in_its_own_way(engine: Engine) -> None:
    """Sales may keep another value unique, too."""
    customer, account = engine.pair()
    fault = {"id": "dv-duplicate-alternate-key", "entity": "accounts"}
    Faults.of(engine.systems.store).add({**fault, "record": account.id})
    engine.change(customer, city="Sion")

    engine.sync("CUSTOMER")

    [error] = engine.errors(problem__article="dv-duplicate-key")
    assert in_the_way(error) == []
