"""A record that was deleted and entered again, with the number it had: one pair."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from integration.core.answers import DeletionRule
from integration.core.records import Direction
from integration.models import Coupling, PendingRecord
from integration.services.actors import Refused
from integration.services.answer_plans import Take, plan
from integration.services.mappings import change_mapping
from integration.simulators.faults import Faults
from tests.services.beginnings import Beginning, accepted
from tests.services.engine import Engine, Live, Meanwhile
from tests.services.test_answers import answer, carried_out, deletion, written
from tests.services.test_creations import Crash, Fragile
from tests.services.test_sync import in_step

ONE = Beginning(1, accepted)


@pytest.fixture
def loose(engine: Engine) -> Engine:
    """Sales gives a number twice."""
    table = engine.systems.store.table("sales:organizations")
    table.update(table.rows()[0], {"account_number_key": False}, "an administrator")
    return engine


def again(engine: Engine, bc: Live) -> Live:
    values = bc.values
    engine.customers.delete(bc.id)
    kept = ("city", "postalCode", "currencyCode", "phoneNumber", "email")
    same = {name: values[name] for name in kept}
    return engine.add_customer(values["number"], values["displayName"], **same)


@pytest.mark.parametrize("rule", [*DeletionRule][:3])
def test_a_customer_entered_again_is_coupled_with_its_account(
    loose: Engine, rule: DeletionRule
) -> None:
    change_mapping(loose.mapping(), "test", "A rule.", deletion_conflict=rule)
    loose.sync("CUSTOMER")
    bc, sales = loose.pair()
    counts = len(loose.customers), len(loose.accounts)
    new = again(loose, bc)

    loose.sync("CUSTOMER")

    assert (len(loose.customers), len(loose.accounts)) == counts
    assert Coupling.objects.get(sales_id=sales.id).bc_id == new.id
    assert not loose.errors()
    assert not PendingRecord.objects.exists()
    assert in_step(loose)


def test_in_a_full_run_both_are_counted_once(loose: Engine) -> None:
    bc, _sales = loose.pair()
    loose.change(again(loose, bc), city="A")

    counts = loose.sync("CUSTOMER", full=True)

    assert counts == {
        "to_sales": {"records_read": 8, "unchanged": 7, "modified": 1},
        "to_business_central": {"records_read": 8, "unchanged": 7, "modified": 1},
    }


@pytest.mark.django_db
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_stop_at_any_call_couples_it_all_the_same(done: bool) -> None:
    for place in range(1, 30):
        with ONE.one_of_several() as engine:
            [bc] = engine.all(engine.customers)
            new = again(engine, bc)
            left = [place]
            bc, sales = engine.bc, engine.sales
            engine.bc = Fragile(bc, left, done=done)
            engine.sales = Fragile(sales, left, done=done)
            with suppress(Crash):
                engine.sync("CUSTOMER")
            engine.bc, engine.sales = bc, sales
            engine.make_due()
            engine.sync("CUSTOMER")
            pairs = Coupling.objects.filter(mapping=engine.mapping())
            assert [pair.bc_id for pair in pairs] == [new.id], place
            assert (len(engine.customers), len(engine.accounts)) == (1, 1), place
            assert not PendingRecord.objects.filter(mapping=engine.mapping()).exists()
            if left[0] > 0:
                return
    pytest.fail("the run never came to its end")


def test_what_meets_in_a_run_to_sales_is_filled_in_though_it_was_set_aside(
    loose: Engine,
) -> None:
    change_mapping(loose.mapping(), "test", "A rule.", deletion_conflict="uncouple")
    loose.sync("CUSTOMER")
    bc, sales = loose.pair()
    number, name = bc.values["number"], bc.values["displayName"]
    loose.customers.delete(bc.id)
    loose.sync("CUSTOMER", full=True)
    new = loose.add_customer(number, name)

    loose.sync("CUSTOMER", directions=[Direction.TO_SALES])
    loose.sync("CUSTOMER")

    assert new.values["phoneNumber"] == sales.values["telephone1"] != ""
    assert not PendingRecord.objects.exists()
    assert in_step(loose)


def test_its_account_may_be_inactive_as_that_of_any_pair(loose: Engine) -> None:
    bc, sales = loose.pair()
    loose.change(sales, statecode=1)
    loose.sync("CUSTOMER")
    count = len(loose.accounts)
    new = again(loose, bc)

    loose.sync("CUSTOMER")

    assert len(loose.accounts) == count
    assert Coupling.objects.get(sales_id=sales.id).bc_id == new.id
    loose.change(sales, statecode=0)
    loose.sync("CUSTOMER")
    assert not loose.errors()
    assert in_step(loose)


def test_a_rehearsal_of_it_tells_what_the_run_will_do(loose: Engine) -> None:
    bc, sales = loose.pair()
    loose.change(again(loose, bc), phoneNumber="")
    mark = loose.asked()

    counts = loose.rehearse()

    assert not loose.writes(mark)
    assert Coupling.objects.get(sales_id=sales.id).bc_id == bc.id
    assert loose.sync("CUSTOMER") == counts


def test_an_error_of_the_deletion_ends_when_the_customer_is_entered_again(
    loose: Engine,
) -> None:
    bc, sales = loose.pair()
    values = bc.values
    loose.customers.delete(bc.id)
    loose.sync("CUSTOMER", full=True)
    assert loose.articles() == ["record-deleted-bc"]
    new = loose.add_customer(values["number"], "By another name")

    loose.sync("CUSTOMER")

    assert Coupling.objects.get(sales_id=sales.id).bc_id == new.id
    assert sales.values["name"] == "By another name"
    assert not loose.errors()


def test_an_account_entered_again_is_coupled_with_its_customer(loose: Engine) -> None:
    bc, sales = loose.pair()
    loose.accounts.delete(sales.id)
    loose.sync("CUSTOMER")
    assert loose.articles() == ["record-deleted-sales"]
    new = loose.add_account("By another name", accountnumber=bc.values["number"])
    count = len(loose.customers)

    loose.sync("CUSTOMER")

    assert len(loose.customers) == count
    assert Coupling.objects.get(bc_id=bc.id).sales_id == new.id
    assert not loose.errors()


def test_a_number_in_other_letters_is_the_same(loose: Engine) -> None:
    """Sales keeps a number as it was typed."""
    customer = loose.add_customer("C1", "Anna")
    account = loose.add_account("Anna", accountnumber="c1")
    loose.sync("CUSTOMER")
    counts = len(loose.customers), len(loose.accounts)
    new = again(loose, customer)

    loose.sync("CUSTOMER")

    assert Coupling.objects.get(sales_id=account.id).bc_id == new.id
    loose.accounts.delete(account.id)
    loose.sync("CUSTOMER")
    account = loose.add_account("By another name", accountnumber=" c1")
    loose.sync("CUSTOMER")
    assert Coupling.objects.get(bc_id=new.id).sales_id == account.id
    assert (len(loose.customers), len(loose.accounts)) == counts
    assert not loose.errors()


def test_a_number_given_on_leaves_the_old_pair_as_it_is(loose: Engine) -> None:
    """The customer was renumbered, and another one has its number now."""
    bc, sales = loose.pair()
    number = bc.values["number"]
    loose.change(bc, number="R1")
    loose.add_customer(number, "Another one")
    count = len(loose.accounts)

    loose.sync("CUSTOMER")

    assert len(loose.accounts) == count + 1
    assert Coupling.objects.get(bc_id=bc.id).sales_id == sales.id
    assert sales.values["accountnumber"] == "R1"
    assert not loose.errors()
    assert in_step(loose)


def test_a_customer_with_the_number_of_another_company_in_sales_is_new(
    loose: Engine,
) -> None:
    """What is left bears another number by now: nobody is to guess."""
    bc, sales = loose.pair()
    number = bc.values["number"]
    loose.customers.delete(bc.id)
    loose.change(sales, accountnumber="other")
    loose.add_customer(number, "Another one")
    count = len(loose.accounts)

    loose.sync("CUSTOMER")

    assert len(loose.accounts) == count + 1
    assert loose.articles() == ["record-deleted-bc"]


def test_a_currency_entered_again_ends_the_error_of_its_deletion(
    engine: Engine,
) -> None:
    """Its mapping has one way, in which the source is what was deleted."""
    mapping = engine.mapping("CURRENCY")
    euro = engine.one(engine.currencies, "code", "EUR")
    pair = Coupling.objects.get(mapping=mapping, bc_id=euro.id)
    values = dict(euro.values)
    engine.currencies.delete(euro.id)
    engine.sync("CURRENCY")
    assert engine.articles() == ["record-deleted-bc"]
    new = engine.currencies.insert(values)
    count = len(engine.sales_currencies)

    engine.sync("CURRENCY")

    again = Coupling.objects.get(mapping=mapping, bc_id=new.id)
    assert again.sales_id == pair.sales_id
    assert len(engine.sales_currencies) == count
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_a_currency_entered_again_does_not_make_an_inactive_one_usable(
    engine: Engine,
) -> None:
    euro = engine.one(engine.currencies, "code", "EUR")
    in_sales = engine.one(engine.sales_currencies, "isocurrencycode", "EUR")
    engine.change(in_sales, statecode=1)
    engine.sync("CURRENCY")
    assert engine.articles() == ["dv-currency-not-found"]
    values = dict(euro.values)
    engine.currencies.delete(euro.id)
    engine.currencies.insert(values)

    engine.sync("CURRENCY")
    engine.sync("CURRENCY")

    assert engine.articles() == ["dv-currency-not-found"]
    engine.change(in_sales, statecode=0)
    engine.make_due()
    engine.sync("CURRENCY")
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_what_the_old_one_failed_for_ends_with_it_in_a_run_of_one_direction(
    loose: Engine,
) -> None:
    bc, _sales = loose.pair()
    faults = Faults.of(loose.systems.store)
    faults.add({"id": "dv-plugin-aborted", "entity": "accounts"})
    loose.change(bc, city="A")
    loose.sync("CUSTOMER")
    assert len(loose.errors()) == 1
    faults.clear()
    again(loose, bc)

    loose.sync("CUSTOMER", directions=[Direction.TO_SALES])

    assert not loose.errors()


@pytest.mark.parametrize("way", [*Direction])
def test_a_run_of_one_direction_leaves_the_error_of_the_other_to_the_next(
    loose: Engine, way: Direction
) -> None:
    bc, _sales = loose.pair()
    values = dict(bc.values)
    loose.customers.delete(bc.id)
    loose.sync("CUSTOMER", full=True)
    assert loose.articles() == ["record-deleted-bc"]
    loose.customers.insert(values)

    loose.sync("CUSTOMER", directions=[way])
    loose.sync("CUSTOMER")

    assert not loose.errors()
    assert not PendingRecord.objects.exists()
    assert in_step(loose)


def test_an_account_entered_twice_is_a_matter_for_a_person(loose: Engine) -> None:
    bc, sales = loose.pair()
    loose.accounts.delete(sales.id)
    loose.sync("CUSTOMER")
    number = bc.values["number"]
    first = loose.add_account("One", accountnumber=number)
    second = loose.add_account("Two", accountnumber=number)
    counts = len(loose.customers), len(loose.accounts)

    loose.sync("CUSTOMER")

    assert (len(loose.customers), len(loose.accounts)) == counts
    assert loose.articles() == ["match-ambiguous"] * 3
    loose.accounts.delete(second.id)
    loose.make_due()
    loose.sync("CUSTOMER")
    assert (len(loose.customers), len(loose.accounts)) == (counts[0], counts[1] - 1)
    assert Coupling.objects.get(bc_id=bc.id).sales_id == first.id
    assert not loose.errors()


def test_of_two_with_the_number_of_one_entered_again_its_own_has_it(
    loose: Engine,
) -> None:
    bc, sales = loose.pair("100001")
    other, namesake = loose.pair("100002")
    loose.change(namesake, accountnumber="100001")
    loose.sync("CUSTOMER")
    loose.customers.delete(other.id)
    new = again(loose, bc)
    count = len(loose.accounts)

    loose.sync("CUSTOMER", full=True)

    assert len(loose.accounts) == count
    assert Coupling.objects.get(sales_id=sales.id).bc_id == new.id
    assert Coupling.objects.get(sales_id=namesake.id).bc_id == other.id
    assert loose.articles() == ["record-deleted-bc"]


def test_one_deleted_while_a_run_writes_is_the_newcomer_in_that_run(
    loose: Engine,
) -> None:
    """And both records that it has read have an ending."""
    bc, sales = loose.pair()
    loose.change(bc, city="A")
    new = loose.add_account("By another name", accountnumber=bc.values["number"])
    connector = loose.sales
    loose.sales = Meanwhile(connector, lambda: loose.accounts.delete(sales.id))

    counts = loose.sync("CUSTOMER")

    assert Coupling.objects.get(bc_id=bc.id).sales_id == new.id
    assert new.values["address1_city"] == "A"
    assert [each["records_read"] for each in counts.values()] == [1, 1]
    loose.sales = connector
    loose.sync("CUSTOMER")
    assert not loose.errors()
    assert in_step(loose)


@pytest.mark.parametrize("side", ["customers", "accounts"])
def test_who_restores_what_was_just_entered_again_makes_no_second_one(
    loose: Engine, side: str
) -> None:
    operation = answer(deletion(loose, side), Take.RESTORE)
    if side == "customers":
        new = loose.add_customer("100001", "By another name")
    else:
        new = loose.add_account("By another name", accountnumber="100001")
    counts = len(loose.customers), len(loose.accounts)

    done = carried_out(operation)

    assert (len(loose.customers), len(loose.accounts)) == counts
    pair = Coupling.objects.get(bc_number="100001")
    assert new.id in {pair.bc_id, pair.sales_id}
    assert done.result["outcome"] == "healed"
    loose.sync("CUSTOMER")
    assert not loose.errors()
    assert in_step(loose)


def test_who_restores_what_was_entered_twice_is_asked_which(loose: Engine) -> None:
    operation = answer(deletion(loose), Take.RESTORE)
    loose.add_account("One", accountnumber="100001")
    loose.add_account("Two", accountnumber="100001")
    counts = len(loose.customers), len(loose.accounts)

    carried_out(operation)

    assert loose.articles() == ["match-ambiguous"]
    loose.sync("CUSTOMER")
    assert loose.articles() == ["match-ambiguous"] * 3
    assert (len(loose.customers), len(loose.accounts)) == counts


@pytest.mark.parametrize("side", ["customers", "accounts"])
def test_the_plan_of_what_was_entered_again_shows_both_as_they_will_be(
    loose: Engine, side: str
) -> None:
    error = deletion(loose, side)
    bc, sales = (loose.customers, loose.accounts)
    if side == "customers":
        new = loose.add_customer("100001", "By another name")
    else:
        new = loose.add_account("By another name", accountnumber="100001")
    counts = len(bc), len(sales)

    shown = plan(error, Take.RESTORE, "test")
    done = carried_out(answer(error, Take.RESTORE))

    assert shown.instead
    assert shown.instead.id == new.id
    assert done.result["outcome"] == "healed"
    assert (len(bc), len(sales)) == counts
    customer, account = loose.pair()
    for name, column in {"displayName": "name", "phoneNumber": "telephone1"}.items():
        _side, becomes = written(shown)[name]
        assert customer.values[name] == account.values[column] == becomes
    assert written(shown).keys() == {
        *done.scope["to_sales"],
        *done.scope["to_business_central"],
    }


def edited(engine: Engine, new: Live) -> None:
    engine.change(new, telephone1="+41 21 999 99 99")


def survivor_edited(engine: Engine, new: Live) -> None:
    engine.change(engine.customer("100001"), city="Elsewhere")


def gone(engine: Engine, new: Live) -> None:
    engine.accounts.delete(new.id)


def another_in_its_place(engine: Engine, new: Live) -> None:
    engine.accounts.delete(new.id)
    engine.add_account("A third name", accountnumber="100001")


def one_more(engine: Engine, new: Live) -> None:
    engine.add_account("A third name", accountnumber="100001")


@pytest.mark.parametrize(
    "happens", [edited, survivor_edited, gone, another_in_its_place, one_more]
)
def test_nobody_is_coupled_but_who_was_shown_and_as_shown(
    loose: Engine, happens: Callable[[Engine, Live], None]
) -> None:
    error = deletion(loose)
    new = loose.add_account("By another name", accountnumber="100001")
    operation = answer(error, Take.RESTORE)
    happens(loose, new)
    before = [(row.id, row.values) for row in loose.all(loose.accounts)]

    done = carried_out(operation)

    assert [(row.id, row.values) for row in loose.all(loose.accounts)] == before
    assert done.result["outcome"] == "failed"
    assert "has changed since the plan was shown" in done.result["sentence"]
    error.refresh_from_db()
    assert error.settled_at is None


def test_no_plan_restores_what_was_entered_twice(loose: Engine) -> None:
    error = deletion(loose)
    loose.add_account("One", accountnumber="100001")
    loose.add_account("Two", accountnumber="100001")

    with pytest.raises(Refused, match="One, Two"):
        plan(error, Take.RESTORE, "test")


def test_the_plan_leaves_out_who_has_the_number_and_another_partner(
    loose: Engine,
) -> None:
    error = deletion(loose)
    _, other = loose.pair("100002")
    loose.change(other, accountnumber="100001")

    assert plan(error, Take.RESTORE, "test").instead is None
