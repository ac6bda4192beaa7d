"""What the integration user may not read is not deleted, however lists leave it out."""

from collections.abc import Sequence
from typing import Any

import pytest

from integration.choices import ItemOutcome
from integration.connectors.base import Connector, WriteResult
from integration.core.failures import Failure, FailureKind
from integration.core.records import Direction, Record, System
from integration.core.snapshots import Snapshot
from integration.models import Coupling, OperationItem, PendingRecord
from integration.services import pending, storms
from integration.services.execution import execute
from integration.services.mappings import change_mapping
from integration.services.retry import retry_error, runs_of
from integration.services.storms import Storm
from integration.simulators.faults import Faults
from tests.factories import make_user
from tests.services.engine import Engine, Live, Through
from tests.services.test_sync import in_step


def hide(engine: Engine, account: Live) -> None:
    fault = {"id": "dv-record-access-denied", "entity": "accounts"}
    Faults.of(engine.systems.store).add({**fault, "record": account.id})


def snapshot_of(account: Live) -> Snapshot:
    return Snapshot(account.id, "", None, {}, name=account.values["name"])


def show(engine: Engine) -> None:
    Faults.of(engine.systems.store).clear()
    engine.make_due()


@pytest.mark.parametrize("rule", ["none", "restore", "uncouple"])
def test_a_record_out_of_sight_is_told_as_such_until_it_may_be_read(
    engine: Engine, rule: str
) -> None:
    change_mapping(engine.mapping(), "test", "A rule.", deletion_conflict=rule)
    engine.sync("CUSTOMER")
    bc, sales = engine.pair()
    counts = len(engine.customers), len(engine.accounts)
    hide(engine, sales)

    engine.sync("CUSTOMER", full=True)
    engine.make_due()
    engine.sync("CUSTOMER")

    assert engine.articles() == ["dv-record-access-denied"]
    [error] = engine.errors()
    assert error.sales_presence == "no_access"
    assert Coupling.objects.get(bc_id=bc.id).sales_id == sales.id
    assert (len(engine.customers), len(engine.accounts)) == counts
    engine.change(sales, telephone1="777")
    show(engine)
    engine.sync("CUSTOMER")
    assert bc.values["phoneNumber"] == "777"
    assert not engine.errors()
    assert not PendingRecord.objects.exists()
    assert in_step(engine)


def test_what_is_left_of_it_is_counted_once(engine: Engine) -> None:
    _, sales = engine.pair()
    hide(engine, sales)

    counts = engine.sync("CUSTOMER", full=True)

    assert counts == {
        "to_sales": {"records_read": 8, "unchanged": 7, "failed": 1},
        "to_business_central": {"records_read": 7, "unchanged": 7},
    }
    again = engine.sync("CUSTOMER", full=True)
    assert again["to_sales"] == counts["to_sales"]


def test_an_edit_of_its_partner_goes_when_it_may_be_read(engine: Engine) -> None:
    bc, sales = engine.pair()
    hide(engine, sales)
    engine.change(bc, city="A")
    engine.sync("CUSTOMER")
    assert engine.articles() == ["dv-record-access-denied"]
    engine.make_due()
    engine.sync("CUSTOMER", full=True)
    assert engine.articles() == ["dv-record-access-denied"]

    show(engine)
    engine.sync("CUSTOMER")

    assert sales.values["address1_city"] == "A"
    assert not engine.errors()
    assert in_step(engine)


def test_a_pair_is_not_ended_while_one_of_its_records_is_out_of_sight(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.customers.delete(bc.id)
    hide(engine, sales)

    engine.sync("CUSTOMER", full=True)

    assert engine.articles() == ["dv-record-access-denied"]
    assert Coupling.objects.get(bc_id=bc.id).sales_id == sales.id
    show(engine)
    engine.sync("CUSTOMER", full=True)
    assert engine.articles() == ["record-deleted-bc"]


def test_what_failed_and_may_not_be_read_now_is_told_as_such(engine: Engine) -> None:
    values: dict[str, Any] = {"accountnumber": "", "address1_city": "Bern"}
    long = "A name that is too long for a customer" * 5
    account = engine.add_account(long, **values)
    engine.sync("CUSTOMER")
    [article] = engine.articles()
    hide(engine, account)
    engine.make_due()

    engine.sync("CUSTOMER")

    assert engine.articles() == ["dv-record-access-denied"]
    assert PendingRecord.objects.get(record_id=account.id).attempts == 2
    show(engine)
    engine.sync("CUSTOMER")
    assert engine.articles() == [article]


def test_what_was_never_tried_and_may_not_be_read_now_has_an_entry(
    engine: Engine,
) -> None:
    account = engine.add_account("New", accountnumber="")
    mapping, record = engine.mapping(), snapshot_of(account)
    pending.keep(mapping, System.SALES, [record])
    hide(engine, account)

    counts = engine.sync("CUSTOMER")

    assert counts["to_business_central"] == {"records_read": 1, "failed": 1}
    [error] = engine.errors()
    assert (error.record_key, error.sales_name) == (account.id, "New")
    assert (error.sales_presence, error.bc_presence) == ("no_access", "not_created")
    assert engine.articles() == ["dv-record-access-denied"]


def test_a_retry_of_a_record_out_of_sight_says_so(engine: Engine) -> None:
    account = engine.add_account("A name that is too long for a customer" * 5)
    engine.sync("CUSTOMER")
    [error] = engine.errors()
    hide(engine, account)

    operation = retry_error(error, make_user())
    [run_id] = runs_of(operation)
    execute(run_id, "test")

    item = OperationItem.objects.get(operation=operation)
    assert item.outcome == ItemOutcome.FAILED
    assert item.problem
    assert item.problem.article == "dv-record-access-denied"


@pytest.mark.parametrize("full", [False, True])
def test_an_edit_that_cannot_go_rests_until_its_next_try(
    engine: Engine, full: bool
) -> None:
    """Business Central tells of it again for five minutes."""
    bc, sales = engine.pair()
    hide(engine, sales)
    engine.sync("CUSTOMER", full=True)
    engine.change(bc, city="A")
    engine.sync("CUSTOMER", full=full)

    for _ in range(3):
        engine.sync("CUSTOMER")

    assert PendingRecord.objects.get().attempts == 1
    [error] = engine.errors()
    assert error.occurrences == 2


def test_a_run_of_the_other_direction_does_not_count_as_a_try(engine: Engine) -> None:
    account = engine.add_account("A name that is too long for a customer" * 5)
    engine.sync("CUSTOMER")
    hide(engine, account)
    engine.make_due()

    engine.sync("CUSTOMER", directions=[Direction.TO_SALES])

    assert PendingRecord.objects.get(record_id=account.id).attempts == 1


class Broken(Through):
    """A system that cannot bring up one record by itself."""

    def __init__(self, connector: Connector, key: str) -> None:
        super().__init__(connector)
        self._key = key

    def read_each(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> list[WriteResult]:
        system, kind = self.connector.system, FailureKind.TRANSIENT
        failure = Failure(system, kind, "http-500", "No answer", status=500)
        found = self.connector.read_each(entity, fields, ids)
        pairs = zip(ids, found, strict=True)
        return [failure if key == self._key else result for key, result in pairs]


class Unlisted(Through):
    """A system that brings up one record by itself only, in no list."""

    def __init__(self, connector: Connector, key: str) -> None:
        super().__init__(connector)
        self._key = key

    def read_many(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Record]:
        found = self.connector.read_many(entity, fields, ids)
        return {key: record for key, record in found.items() if key != self._key}


def test_what_only_its_own_id_brings_up_is_tried_all_the_same(engine: Engine) -> None:
    account = engine.add_account("A name that is too long for a customer" * 5)
    engine.sync("CUSTOMER")
    engine.sales = Unlisted(engine.sales, account.id)
    engine.make_due()

    engine.sync("CUSTOMER")

    assert PendingRecord.objects.get().attempts == 2
    engine.change(account, name="Short", accountnumber="")
    engine.make_due()
    engine.sync("CUSTOMER")
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_a_record_that_cannot_be_read_stops_no_other(engine: Engine) -> None:
    bc, sales = engine.pair("100001")
    other, partner = engine.pair("100002")
    hide(engine, sales)
    broken = Broken(engine.sales, sales.id)
    engine.sales = broken
    engine.change(other, city="B")

    engine.sync("CUSTOMER", full=True)

    assert partner.values["address1_city"] == "B"
    [error] = engine.errors()
    assert (error.bc_id, error.sales_presence) == (bc.id, "exists")
    engine.sales = broken.connector
    show(engine)
    engine.sync("CUSTOMER")
    assert not engine.errors()
    assert in_step(engine)


def test_a_deletion_that_could_not_be_confirmed_is_told_beyond_the_filter(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    engine.accounts.delete(sales.id)
    broken = Broken(engine.sales, sales.id)
    engine.sales = broken
    engine.sync("CUSTOMER")
    assert engine.articles() != ["record-deleted-sales"]

    engine.change(bc, blocked="All")
    engine.sync("CUSTOMER")
    engine.sales = broken.connector
    engine.make_due()
    engine.sync("CUSTOMER")

    assert engine.articles() == ["record-deleted-sales"]


def test_a_partner_that_may_not_be_read_is_asked_for_again_beyond_the_filter(
    engine: Engine,
) -> None:
    bc, sales = engine.pair()
    hide(engine, sales)
    engine.sync("CUSTOMER", full=True)

    engine.change(bc, blocked="All", city="A")
    engine.sync("CUSTOMER")
    assert engine.articles() == ["dv-record-access-denied"]
    show(engine)
    engine.sync("CUSTOMER")

    row = PendingRecord.objects.get()
    assert row.skip_reason == "The filter of the mapping leaves it out."
    assert sales.values["address1_city"] != "A"


def test_many_out_of_sight_for_one_reason_are_a_storm(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storms, "LAST_TRIES", 6)
    for account in engine.all(engine.accounts):
        hide(engine, account)

    with pytest.raises(Storm):
        engine.sync("CUSTOMER", full=True)

    assert set(engine.articles()) == {"dv-record-access-denied"}
