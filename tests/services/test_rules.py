"""Conflicts and deletions answered by the rules of a mapping."""

from typing import Any

import pytest

from integration.choices import EntryKind
from integration.core.answers import ConflictRule, DeletionRule
from integration.models import Coupling, JobEntry, Operation, PendingRecord, SyncError
from integration.services.actors import Refused
from integration.services.mappings import MappingInvalid, change_mapping, change_rules
from tests.factories import make_user
from tests.services.engine import Engine


def rule(
    engine: Engine,
    conflict: ConflictRule = ConflictRule.NONE,
    deletion: DeletionRule = DeletionRule.NONE,
) -> None:
    change_rules(engine.mapping(), "test", "As agreed.", conflict, deletion)


def entries(kind: EntryKind) -> list[tuple[str, str]]:
    rows = JobEntry.objects.filter(kind=kind)
    return [*rows.order_by("id").values_list("job__direction", "message")]


@pytest.mark.parametrize(
    ("chosen", "phone", "city", "way"),
    [
        (ConflictRule.BUSINESS_CENTRAL, "1", "Aigle", "to_sales"),
        (ConflictRule.SALES, "2", "Vevey", "to_business_central"),
    ],
)
def test_one_side_wins_a_conflict_as_a_whole(
    engine: Engine, chosen: ConflictRule, phone: str, city: str, way: str
) -> None:
    customer, account = engine.pair()
    rule(engine, chosen)
    engine.change(customer, phoneNumber="1", city="Aigle")
    engine.change(account, telephone1="2", address1_city="Vevey")

    counts = engine.sync("CUSTOMER")

    assert customer.values["phoneNumber"] == account.values["telephone1"] == phone
    assert customer.values["city"] == account.values["address1_city"] == city
    assert counts[way]["modified"] == 1
    [(said_in, message)] = entries(EntryKind.ANSWERED)
    assert said_in == way
    assert "Both sides had changed" in message
    assert not engine.errors()


def test_merging_takes_each_field_from_the_side_that_changed_it(
    engine: Engine,
) -> None:
    customer, account = engine.pair()
    rule(engine, ConflictRule.MERGE)
    engine.change(customer, phoneNumber="1")
    engine.change(account, address1_city="Vevey")

    counts = engine.sync("CUSTOMER")

    assert account.values["telephone1"] == "1"
    assert customer.values["city"] == "Vevey"
    assert {way: n["modified"] for way, n in counts.items()} == {
        "to_sales": 1,
        "to_business_central": 1,
    }
    assert not engine.errors()


def test_merging_leaves_a_field_that_both_changed_to_a_person(engine: Engine) -> None:
    customer, account = engine.pair()
    rule(engine, ConflictRule.MERGE)
    engine.change(customer, phoneNumber="1", city="Aigle")
    engine.change(account, telephone1="2")

    engine.sync("CUSTOMER")

    assert engine.articles() == ["conflict-both-changed"]
    assert account.values["telephone1"] == "2"
    assert account.values["address1_city"] != "Aigle"


def test_a_new_rule_answers_the_conflicts_that_are_open(engine: Engine) -> None:
    customer, account = engine.pair()
    engine.change(customer, phoneNumber="1")
    engine.change(account, telephone1="2")
    engine.sync("CUSTOMER")
    [error] = engine.errors()

    rule(engine, ConflictRule.SALES)
    engine.sync("CUSTOMER")

    error.refresh_from_db()
    assert customer.values["phoneNumber"] == "2"
    assert error.settled_reason == "resolved"
    assert not PendingRecord.objects.exists()


@pytest.mark.parametrize("only_coupled", [False, True])
def test_what_was_deleted_in_sales_is_created_again(
    engine: Engine, only_coupled: bool
) -> None:
    mapping = engine.mapping()
    mapping.only_coupled = only_coupled
    mapping.save()
    _, account = engine.pair()
    engine.accounts.delete(account.id, "a person")
    engine.sync("CUSTOMER")
    [error] = engine.errors()

    rule(engine, deletion=DeletionRule.RESTORE)
    counts = engine.sync("CUSTOMER")

    error.refresh_from_db()
    customer, again = engine.pair()
    assert again.values["accountnumber"] == customer.values["number"]
    assert counts["to_sales"] == {"records_read": 1, "inserted": 1}
    assert error.settled_reason == "resolved"
    assert entries(EntryKind.CREATED)[-1][1].startswith("Its partner had been deleted")
    assert not PendingRecord.objects.exists()


def test_what_was_deleted_in_business_central_gets_a_new_number(
    engine: Engine,
) -> None:
    customer, account = engine.pair()
    rule(engine, deletion=DeletionRule.RESTORE)
    engine.customers.delete(customer.id, "a person")

    engine.sync("CUSTOMER", full=True)

    coupling = Coupling.objects.get(mapping=engine.mapping(), sales_id=account.id)
    again = engine.customers.get(coupling.bc_id)
    assert again
    assert again.id != customer.id
    assert again.values["displayName"] == account.values["name"]
    assert account.values["accountnumber"] == again.values["number"]
    assert not engine.errors()


@pytest.mark.parametrize("side", ["customers", "accounts"])
def test_a_removed_coupling_leaves_the_other_record_alone(
    engine: Engine, side: str
) -> None:
    customer, account = engine.pair()
    table = getattr(engine, side)
    lost, left = (customer, account) if side == "customers" else (account, customer)
    rule(engine, deletion=DeletionRule.UNCOUPLE)
    table.delete(lost.id, "a person")
    before = len(table)

    engine.sync("CUSTOMER", full=True)
    engine.make_due()
    engine.sync("CUSTOMER", full=True)

    assert len(table) == before
    assert not Coupling.objects.filter(bc_id=customer.id).exists()
    assert not engine.errors()
    [aside] = PendingRecord.objects.all()
    assert (aside.record_id, bool(aside.skipped_at)) == (left.id, True)
    assert [message for _, message in entries(EntryKind.UNCOUPLED)] == [
        "Its partner had been deleted, and the coupling was removed."
    ]


def test_what_was_left_alone_is_created_when_it_changes(engine: Engine) -> None:
    customer, account = engine.pair()
    rule(engine, deletion=DeletionRule.UNCOUPLE)
    engine.accounts.delete(account.id, "a person")
    engine.sync("CUSTOMER")

    engine.change(customer, city="Nyon")
    engine.sync("CUSTOMER")

    assert engine.account_of("100001").values["address1_city"] == "Nyon"
    assert not PendingRecord.objects.exists()


def test_a_change_of_rules_is_an_operation(engine: Engine) -> None:
    rule(engine, ConflictRule.MERGE, DeletionRule.UNCOUPLE)
    rule(engine, ConflictRule.MERGE, DeletionRule.UNCOUPLE)

    [operation] = Operation.objects.filter(result__change="changed")
    assert operation.result["update_conflict"] == "merge"
    assert operation.result["deletion_conflict"] == "uncouple"
    assert operation.reason == "As agreed."


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("CURRENCY", (ConflictRule.SALES, DeletionRule.NONE)),
        ("CURRENCY", (ConflictRule.NONE, DeletionRule.RESTORE)),
        ("CUSTOMER", (ConflictRule.NONE, DeletionRule.DELETE)),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    engine: Engine, name: str, rules: Any
) -> None:
    with pytest.raises(MappingInvalid):
        change_rules(engine.mapping(name), "test", "Why not?", *rules)


def test_only_an_administrator_changes_rules(engine: Engine) -> None:
    operator = make_user("operator")

    with pytest.raises(Refused):
        change_rules(
            engine.mapping(), operator, "", ConflictRule.SALES, DeletionRule.NONE
        )


def test_nobody_has_a_rule_unless_asked(engine: Engine) -> None:
    assert engine.mapping().update_conflict == "none"
    assert engine.mapping().deletion_conflict == "none"
    assert SyncError.objects.count() == 0
    change_mapping(engine.mapping(), "test", "Nothing.")
    assert engine.mapping().update_conflict == "none"
