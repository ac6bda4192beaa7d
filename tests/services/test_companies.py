"""Several companies, each with a connection of its own, and one Sales environment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from integration import clock
from integration.choices import JobState
from integration.core.answers import ConflictRule, DeletionRule
from integration.models import (
    Connection,
    Coupling,
    Endpoint,
    Job,
    PendingRecord,
    TableMapping,
)
from integration.services import companies, creations, matching, pending, sync
from integration.services.companies import others_of
from integration.services.mappings import (
    change_mapping,
    change_rules,
    create_standard_mappings,
)
from integration.services.work import Work
from integration.simulators.seed_ground import Ground
from integration.simulators.store import Table
from tests.factories import make_job
from tests.services.engine import Engine, opened

NAME = "Deuxième SA"


class Other(Engine):
    """The connection of a second company."""

    @property
    def customers(self) -> Table:
        company = self.connection.business_central.company_id
        return self.systems.store.table(f"bc:{company}:customers")

    @property
    def currencies(self) -> Table:
        company = self.connection.business_central.company_id
        return self.systems.store.table(f"bc:{company}:currencies")


def alike(endpoint: Endpoint, **values: Any) -> Endpoint:
    other = copy(endpoint)
    other.pk, other.name = None, f"{NAME} – {endpoint.kind}"
    for name, value in values.items():
        setattr(other, name, value)
    other.save()
    return other


@pytest.fixture
def second(engine: Engine) -> Iterator[Engine]:
    """Beside the company that is in step; no customers, nothing reviewed."""
    ground = Ground(engine.systems.store, 2)
    company = ground.company(NAME, "CHF")
    ground.currency(company, "EUR")
    connection = Connection.objects.create(
        name=NAME,
        enabled=True,
        business_central=alike(
            engine.connection.business_central, company_id=company.id
        ),
        sales=alike(engine.connection.sales),
    )
    create_standard_mappings(connection)
    with opened(engine.systems, connection) as other:
        yield Other(other.systems, other.connection, other.bc, other.sales)


@contextmanager
def under_way(engine: Engine) -> Iterator[None]:
    """A run of its customers has begun, and has not ended yet."""
    job = make_job(engine.mapping(), state=JobState.RUNNING, started_at=clock.now())
    yield
    Job.objects.filter(pk=job.pk).update(
        state=JobState.SUCCEEDED, finished_at=clock.now()
    )


def made_by_the_engine(
    engine: Engine, word: str = "a", at: datetime | None = None, **more: str
) -> str:
    """An account as a run makes it, whose coupling nobody has recorded."""
    key = str(uuid5(NAMESPACE_URL, word))
    values = {"name": f"New {word}", "statecode": 0, "customertypecode": 3, **more}
    engine.accounts.insert(values, key, "our application", at)
    return key


def test_the_accounts_of_a_company_are_no_customers_of_another(second: Engine) -> None:
    plan = second.review()

    assert plan["create_in_business_central"] == 0
    assert plan["filtered_out"] == 8

    second.accept()
    counts = second.sync()

    assert not len(second.customers)
    assert counts["to_business_central"] == {"records_read": 8, "filtered_out": 8}
    assert not second.errors()


def test_a_customer_of_both_has_an_account_of_each(
    engine: Engine, second: Engine
) -> None:
    known, account = engine.pair()
    customer = second.add_customer(
        "D1", known.values["displayName"], postalCode=known.values["postalCode"]
    )
    second.accept()

    counts = second.sync()

    assert counts["to_sales"]["inserted"] == 1
    own = Coupling.objects.get(bc_id=customer.id)
    assert own.sales_id != account.id
    assert engine.account_of(known.values["number"]).id == account.id
    second.sync("CUSTOMER")
    engine.sync("CUSTOMER")
    assert len(engine.customers) == 8
    assert len(second.customers) == 1


def test_an_account_of_nobody_is_whose_run_comes_first(
    engine: Engine, second: Engine
) -> None:
    account = engine.add_account("By hand")
    second.accept()

    engine.sync("CUSTOMER")
    second.sync("CUSTOMER")

    assert Coupling.objects.filter(sales_id=account.id).count() == 1
    assert len(engine.customers) == 9
    assert not len(second.customers)


def test_what_failed_goes_to_the_company_that_tried_it_first(
    engine: Engine, second: Engine
) -> None:
    account = engine.add_account("By hand", address1_country="Switzerland")
    second.accept()
    second.sync()
    assert len(second.errors()) == 1

    engine.change(account, address1_country="CH")
    engine.sync("CUSTOMER")
    second.sync("CUSTOMER")

    assert not second.errors()
    assert not PendingRecord.objects.exists()
    assert (len(engine.customers), len(second.customers)) == (8, 1)


def test_currencies_are_those_of_all(engine: Engine, second: Engine) -> None:
    assert second.review("CURRENCY")["coupled"] == 1
    euro = Coupling.objects.filter(bc_number="EUR")

    assert euro.values_list("sales_id").distinct().count() == 1
    assert euro.count() == 2


def test_what_was_made_a_moment_ago_may_be_anothers(
    engine: Engine, second: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by_the_engine(engine)
    second.accept()

    with under_way(engine):
        counts = second.sync()

        assert counts["to_business_central"]["skipped"] == 1
        assert not len(second.customers)

        monkeypatch.setattr(companies, "UNRECORDED", timedelta())
        counts = second.sync("CUSTOMER")

    assert counts["to_business_central"]["inserted"] == 1
    assert not PendingRecord.objects.exists()


def test_what_was_made_a_moment_ago_is_nobody_elses_while_no_other_company_runs(
    engine: Engine, second: Engine
) -> None:
    made_by_the_engine(engine)
    second.accept()

    counts = second.sync()

    assert counts["to_business_central"]["inserted"] == 1


def test_what_we_have_tried_is_ours_as_soon_as_somebody_mends_it(
    engine: Engine, second: Engine
) -> None:
    account = second.accounts.get(made_by_the_engine(second))
    assert account
    account = second.accounts.update(account, {"name": "N" * 101}, "anna")
    second.accept()
    second.sync()
    second.accounts.update(account, {"name": "Short"}, "anna")

    with under_way(engine):
        counts = second.sync("CUSTOMER")

    assert counts["to_business_central"]["inserted"] == 1


def test_what_was_made_a_moment_ago_is_left_to_whom_it_belongs(
    engine: Engine, second: Engine
) -> None:
    key = made_by_the_engine(engine)
    second.accept()
    with under_way(engine):
        second.sync()
    customer = engine.add_customer("E1", "New a")
    Coupling.objects.create(
        mapping=engine.mapping(),
        bc_id=customer.id,
        sales_id=key,
        coupled_at=clock.now(),
    )

    second.sync("CUSTOMER")

    assert not len(second.customers)
    assert not PendingRecord.objects.exists()


def test_what_was_made_a_moment_ago_is_no_partner_of_whoever_has_its_number(
    engine: Engine, second: Engine
) -> None:
    """Each company counts its customers from the same number on."""
    key = made_by_the_engine(engine, accountnumber="10000")
    second.add_customer("10000", "Somebody else")

    with under_way(engine):
        assert second.review()["coupled"] == 0
        second.accept()
        second.sync()
        change_mapping(second.mapping(), "test", "Known ones.", only_coupled=True)
        second.sync("CUSTOMER")

    assert not Coupling.objects.filter(sales_id=key).exists()


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.FAILED])
def test_what_a_run_left_unrecorded_is_left_to_its_company_however_long_that_takes(
    engine: Engine, second: Engine, state: JobState
) -> None:
    hour = timedelta(hours=1)
    made_by_the_engine(engine, at=clock.now() - hour)
    begun = clock.now() - hour - timedelta(minutes=1)
    ended = clock.now() - hour if state is JobState.FAILED else None
    job = make_job(engine.mapping(), state=state, started_at=begun, finished_at=ended)
    second.accept()

    second.sync()

    assert not len(second.customers)

    Job.objects.filter(pk=job.pk).update(state=JobState.FAILED)
    make_job(engine.mapping(), state=JobState.SUCCEEDED, started_at=clock.now())
    second.sync("CUSTOMER")

    assert len(second.customers) == 1
    assert not PendingRecord.objects.exists()


def test_what_was_made_a_moment_ago_is_nobody_elses_where_there_is_one_company(
    engine: Engine,
) -> None:
    made_by_the_engine(engine)

    assert engine.sync("CUSTOMER")["to_business_central"]["inserted"] == 1


def test_two_companies_at_once_do_not_both_create_a_customer(
    engine: Engine, second: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = engine.add_account("By hand")
    second.accept()
    stored = pending.save_intents

    def both(mapping: TableMapping, intents: Any) -> None:
        [(record, intent)] = intents
        stored(mapping, [(record, intent)])
        stored(engine.mapping(), [(record, intent)])

    with monkeypatch.context() as patch:
        patch.setattr(pending, "save_intents", both)
        counts = second.sync()

    assert counts["to_business_central"]["skipped"] == 1
    assert not len(second.customers)

    engine.sync("CUSTOMER")
    second.sync("CUSTOMER")

    assert len(engine.customers) == 9
    assert not len(second.customers)
    assert Coupling.objects.get(sales_id=account.id).mapping == engine.mapping()
    assert not PendingRecord.objects.exists()


def test_two_companies_at_once_do_not_both_couple_an_account(
    engine: Engine, second: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = engine.add_account("Both", address1_postalcode="1000")
    for number, company in (("E1", engine), ("D1", second)):
        company.add_customer(number, "Both", postalCode="1000")
    second.accept()
    second.sync("CURRENCY")
    couple = matching.couple_matches

    def meanwhile(work: Work) -> None:
        monkeypatch.setattr(sync, "couple_matches", couple)
        engine.sync("CUSTOMER")
        couple(work)

    monkeypatch.setattr(sync, "couple_matches", meanwhile)
    second.sync("CUSTOMER")

    assert Coupling.objects.get(sales_id=account.id).mapping == engine.mapping()

    second.sync("CUSTOMER")

    assert Coupling.objects.filter(mapping=second.mapping(), bc_number="D1").exists()
    assert not second.errors()
    assert not PendingRecord.objects.exists()


def test_a_customer_that_is_made_again_is_not_taken_by_another_company(
    engine: Engine, second: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = engine.add_account("By hand")
    engine.sync("CUSTOMER")
    none, restore = ConflictRule.NONE, DeletionRule.RESTORE
    change_rules(engine.mapping(), "test", "As before.", none, restore)
    engine.customers.delete(Coupling.objects.get(sales_id=account.id).bc_id)
    second.accept()
    create = creations.create_alone

    def meanwhile(work: Work) -> None:
        monkeypatch.setattr(sync, "create_alone", create)
        second.sync()

    monkeypatch.setattr(sync, "create_alone", meanwhile)
    engine.sync("CUSTOMER", full=True)
    engine.sync("CUSTOMER")

    assert not len(second.customers)
    assert Coupling.objects.get(sales_id=account.id).mapping == engine.mapping()


def test_a_copied_company_does_not_take_the_account_of_the_first(
    engine: Engine, second: Engine
) -> None:
    customer, account = engine.pair()
    values = {**customer.values, "number": "D1", "currencyCode": ""}
    second.customers.insert(values, customer.id)
    second.accept()

    second.sync()

    assert second.articles() == ["dv-duplicate-id"]
    assert Coupling.objects.get(sales_id=account.id).mapping == engine.mapping()


@pytest.mark.parametrize(
    ("address", "is_shared"),
    [
        (lambda url: url.upper() + "/", True),
        (lambda url: "https://another.example/", False),
    ],
)
def test_one_environment_is_known_by_its_address(
    engine: Engine, second: Engine, address: Callable[[str], str], *, is_shared: bool
) -> None:
    sales = second.connection.sales
    sales.base_url = address(engine.connection.sales.base_url)
    sales.save()

    expected = (engine.mapping().pk,) if is_shared else ()
    assert others_of(second.mapping()) == expected
    assert others_of(second.mapping("CURRENCY")) == ()


def test_an_environment_has_two_addresses(engine: Engine, second: Engine) -> None:
    for company, host in ((engine, "one.crm4"), (second, "one.api.crm4")):
        sales = company.connection.sales
        sales.base_url = f"https://{host}.dynamics.com"
        sales.save()

    assert others_of(second.mapping()) == (engine.mapping().pk,)


def test_another_connection_of_the_same_company_is_no_other_company(
    engine: Engine, second: Engine
) -> None:
    bc = second.connection.business_central
    bc.company_id = engine.connection.business_central.company_id.upper()
    bc.save()

    assert others_of(second.mapping()) == ()


def test_a_connection_that_is_not_enabled_has_no_accounts(
    engine: Engine, second: Engine
) -> None:
    Connection.objects.filter(pk=engine.connection.pk).update(enabled=False)

    assert others_of(second.mapping()) == ()


def test_what_one_company_fails_with_is_not_created_by_another(
    engine: Engine, second: Engine
) -> None:
    engine.add_customer("E1", "Twin", postalCode="1000")
    for _ in range(2):
        engine.add_account("Twin", address1_postalcode="1000")
    engine.add_account("By hand", address1_country="Switzerland")
    engine.sync("CUSTOMER")
    assert len(engine.errors()) == 4

    plan = second.review()

    assert (plan["create_in_business_central"], plan["filtered_out"]) == (0, 11)

    second.accept()
    counts = second.sync()

    assert counts["to_business_central"] == {"records_read": 11, "filtered_out": 11}
    assert not len(second.customers)
    assert len(second.errors()) == 4


def test_what_one_company_fails_with_is_coupled_where_its_number_is(
    engine: Engine, second: Engine
) -> None:
    account = engine.add_account(
        "By hand", address1_country="Switzerland", accountnumber="D1"
    )
    engine.sync("CUSTOMER")
    customer = second.add_customer("D1", "Another name", country="CH")
    second.accept()

    second.sync()
    engine.sync("CUSTOMER")

    assert Coupling.objects.get(bc_id=customer.id).sales_id == account.id
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_of_two_companies_that_have_failed_with_it_one_goes_on(
    engine: Engine, second: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = engine.add_account("By hand", address1_country="Switzerland")
    second.accept()
    with monkeypatch.context() as patch:
        patch.setattr(creations, "tried_elsewhere", lambda work, ids: set())
        second.sync()
        engine.sync("CUSTOMER")
    assert len(engine.errors()) == 2

    engine.change(account, name="By another hand")
    second.sync("CUSTOMER")
    engine.sync("CUSTOMER")

    [error] = engine.errors()
    assert error.connection == engine.connection
    assert PendingRecord.objects.get().mapping == engine.mapping()
