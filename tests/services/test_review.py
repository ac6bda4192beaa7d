"""The first contact (promise 11, Show 4)."""

import pytest

from integration.models import Coupling, JobEntry, Operation
from integration.services.actors import Refused
from integration.services.review import accept, order
from tests.factories import make_user
from tests.services.engine import Engine

PAIRS, AMBIGUOUS, ALONE = 500, 20, 30


def fill(engine: Engine) -> None:
    """500 pairs that differ only in writing, 20 ambiguous records, 30 one-sided."""
    with engine.systems.store.transaction():
        for n in range(PAIRS):
            engine.add_customer(
                f"{n:05}",
                f"Société Générale Nº {n} – Zürich & Co.",
                postalCode="CH-1000",
            )
            engine.add_account(
                f"SOCIETE  GENERALE no {n}, zurich and co",
                address1_postalcode="ch-10 00",
            )
        for n in range(AMBIGUOUS // 4):
            for twin in range(2):
                engine.add_customer(f"9{twin}{n}", f"Twin {n}", postalCode="1")
                engine.add_account(f"TWIN-{n}", address1_postalcode="1")
        for n in range(ALONE // 2):
            engine.add_customer(f"8{n:03}", f"Only here {n}")
            engine.add_account(f"Only there {n}")


def test_only_what_has_no_partner_is_created_and_only_after_acceptance(
    bare: Engine,
) -> None:
    fill(bare)
    before = len(bare.customers), len(bare.accounts)
    mark = bare.asked()

    plan = bare.review()

    assert plan == {
        "coupled": PAIRS,
        "create_in_sales": ALONE // 2,
        "create_in_business_central": ALONE // 2,
        "ambiguous": AMBIGUOUS,
        "differ": PAIRS,
        "filtered_out": 0,
    }
    assert not bare.writes(mark)
    assert (len(bare.customers), len(bare.accounts)) == before
    assert Coupling.objects.count() == PAIRS

    bare.accept()
    counts = bare.sync("CUSTOMER")

    assert counts["to_sales"]["inserted"] == ALONE // 2
    assert counts["to_business_central"]["inserted"] == ALONE // 2
    after = len(bare.customers), len(bare.accounts)
    assert after == (before[0] + ALONE // 2, before[1] + ALONE // 2)
    pair = Coupling.objects.get(bc_number="00007")
    account = bare.accounts.get(pair.sales_id)
    assert account
    assert account.values["name"] == "Société Générale Nº 7 – Zürich & Co."


def test_an_ambiguous_record_is_listed_with_its_candidates(bare: Engine) -> None:
    bare.add_customer("10", "Twin")
    for number in ("a", "b"):
        bare.add_account("twin", accountnumber=number)

    bare.review()

    entries = JobEntry.objects.filter(kind="ambiguous")
    first = entries.get(label="10 Twin")
    assert first.detail
    assert [each["number"] for each in first.detail["candidates"]] == ["a", "b"]
    assert entries.count() == 3


def test_a_review_can_be_made_again(bare: Engine) -> None:
    bare.add_customer("10", "One")
    bare.add_account("ONE")
    assert bare.review()["coupled"] == 1
    bare.add_customer("20", "Two")

    plan = bare.review()

    assert (plan["coupled"], plan["create_in_sales"]) == (1, 1)
    assert Coupling.objects.count() == 1


def test_records_outside_the_filters_are_counted_apart(bare: Engine) -> None:
    bare.add_customer("10", blocked="All")
    bare.add_account("a competitor", customertypecode=1)

    assert bare.review()["filtered_out"] == 2


def test_a_blank_here_is_filled_from_there_and_else_the_value_here_goes(
    bare: Engine,
) -> None:
    here = bare.add_customer("10", "One", city="", phoneNumber="1")
    there = bare.add_account(
        "ONE", accountnumber="10", address1_city="Bern", telephone1="2"
    )
    bare.review()
    bare.accept()

    bare.sync("CUSTOMER")

    assert (here.values["city"], here.values["phoneNumber"]) == ("Bern", "1")
    assert (there.values["name"], there.values["telephone1"]) == ("One", "1")


def test_a_number_decides_before_a_name(bare: Engine) -> None:
    here = bare.add_customer("10", "One", email="x@y")
    named = bare.add_account("Another name", accountnumber="10")
    bare.add_account("One", emailaddress1="x@y")

    plan = bare.review()

    assert Coupling.objects.get().sales_id == named.id
    assert Coupling.objects.get().bc_id == here.id
    assert (plan["ambiguous"], plan["create_in_business_central"]) == (0, 1)


def test_what_was_never_reviewed_is_not_accepted(bare: Engine) -> None:
    with pytest.raises(Refused, match="no plan to accept"):
        accept(bare.mapping(), make_user())

    assert bare.mapping().reviewed_at is None


def test_a_review_that_a_person_orders_is_an_operation(bare: Engine) -> None:
    run = order(bare.mapping(), make_user(username="anna"))

    operation = Operation.objects.get(kind="review")
    assert set(bare.mapping().jobs.values_list("run", "kind")) == {(run, "review")}
    assert (operation.by_name, operation.scope["mapping"]) == ("anna", "CUSTOMER")
    with pytest.raises(Refused, match="being read already"):
        order(bare.mapping(), make_user())


def test_an_accepted_mapping_is_not_reviewed_again(bare: Engine) -> None:
    bare.accept()

    with pytest.raises(Refused, match="has been accepted"):
        order(bare.mapping(), make_user())


def test_accepting_twice_is_one_operation(bare: Engine) -> None:
    user = make_user()
    mapping = bare.mapping()
    bare.review()

    first = accept(mapping, user, "looked at it")
    again = accept(mapping, user)

    assert first == again
    assert mapping.reviewed_at
    assert mapping.next_run_at
    assert Operation.objects.filter(kind="accept").count() == 1


@pytest.mark.parametrize("rate", [True, False])
def test_the_plan_of_the_currencies_leaves_out_those_without_rate(
    fresh: Engine, rate: bool
) -> None:
    if not rate:
        (row,) = fresh.rates.find("currencyCode", "EUR")
        fresh.rates.delete(row.id)

    plan = fresh.review("CURRENCY")

    assert plan["create_in_sales"] == len(fresh.currencies) - (not rate)
