"""No duplicates, whatever is lost on the way (promise 1)."""

from collections.abc import Sequence
from typing import Any

import pytest

from integration import clock
from integration.connectors.base import Connector, Create, WriteResult
from integration.core.failures import Failure, FailureKind
from integration.core.records import System
from integration.models import Coupling, PendingRecord
from integration.services.mappings import change_mapping
from integration.simulators.faults import Faults
from integration.simulators.store import Store
from tests.services.beginnings import BARE
from tests.services.engine import Engine, Through

CALLS = ("read_changes", "read_all", "read_many", "create_many", "update_many")


class Crash(Exception):  # noqa: N818  (the end of a process, not an error of ours)
    """The process ends here."""


class Fragile:
    """A connector whose process ends at one call, before it or after it was done."""

    def __init__(
        self,
        connector: Connector,
        countdown: list[int],
        *,
        done: bool,
        calls: tuple[str, ...] = CALLS,
    ) -> None:
        self._connector = connector
        self._calls = calls
        self._countdown = countdown
        self._done = done

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._connector, name)
        if name not in self._calls:
            return call

        def fragile(*arguments: Any) -> Any:
            self._countdown[0] -= 1
            if self._countdown[0] == 0 and not self._done:
                raise Crash
            answer = call(*arguments)
            if self._countdown[0] == 0:
                raise Crash
            return answer

        return fragile


class Answering(Through):
    """A connector whose first creations are answered with a failure, and not done."""

    def __init__(self, connector: Connector, kind: FailureKind) -> None:
        super().__init__(connector)
        self._kind: FailureKind | None = kind

    def create_many(
        self, entity: str, fields: Sequence[str], creates: Sequence[Create]
    ) -> Sequence[WriteResult]:
        if self._kind is None:
            return self.connector.create_many(entity, fields, creates)
        failure = Failure(self.connector.system, self._kind, "net-reset", "No answer")
        self._kind = None
        return [failure for _ in creates]


class Slow(Answering):
    """One whose first creations are given up long after they were to begin."""

    def __init__(self, connector: Connector, store: Store, seconds: float) -> None:
        super().__init__(connector, FailureKind.LOST_ANSWER)
        self._store = store
        self._seconds = seconds

    def create_many(
        self, entity: str, fields: Sequence[str], creates: Sequence[Create]
    ) -> Sequence[WriteResult]:
        self._store.move_clock(self._seconds)
        list(self.connector.read_all(entity, fields))
        return super().create_many(entity, fields, creates)


class Late(Through):
    """A connector whose first creations are done long after nobody waits for them."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector)
        self._sent: list[tuple[str, Sequence[str], Sequence[Create]]] = []

    def create_many(
        self, entity: str, fields: Sequence[str], creates: Sequence[Create]
    ) -> Sequence[WriteResult]:
        self._sent.append((entity, fields, creates))
        system, kind = self.connector.system, FailureKind.LOST_ANSWER
        return [Failure(system, kind, "net-reset", "No answer") for _ in creates]

    def arrive(self) -> None:
        for sent in self._sent:
            self.connector.create_many(*sent)


def fill(engine: Engine) -> None:
    """One pair that matches, one record alone on each side, one change to come."""
    engine.add_customer("10", "Hôtel du Léman", postalCode="1003", email="a@b.ch")
    engine.add_customer("20", "Только здесь")
    engine.add_account("hotel du leman", address1_postalcode="1003", telephone1="7")
    engine.add_account("Nur dort & Söhne", address1_city="Bern")


def final_state(engine: Engine) -> tuple[Any, ...]:
    names = ("displayName", "city", "phoneNumber", "email")
    here = sorted(
        tuple(row.values.get(name) or "" for name in names)
        for row in engine.customers.rows()
    )
    columns = ("name", "address1_city", "telephone1", "emailaddress1")
    there = sorted(
        tuple(row.values.get(name) or "" for name in columns)
        for row in engine.accounts.rows()
    )
    numbers = sorted(
        row.values.get("accountnumber") or "" for row in engine.accounts.rows()
    )
    pairs = Coupling.objects.filter(mapping=engine.mapping()).count()
    waiting = PendingRecord.objects.filter(mapping=engine.mapping()).count()
    return here, there, len(set(numbers)), pairs, waiting


EXPECTED = (
    [
        ("Hôtel du Léman", "", "7", "a@b.ch"),
        ("Nur dort & Söhne", "Bern", "", ""),
        ("Только здесь", "", "", ""),
    ],
    [
        ("Hôtel du Léman", "", "7", "a@b.ch"),
        ("Nur dort & Söhne", "Bern", "", ""),
        ("Только здесь", "", "", ""),
    ],
    3,
    3,
    0,
)


@pytest.mark.django_db
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_stop_at_any_call_ends_in_the_same_state(done: bool) -> None:
    for place in range(1, 30):
        with BARE.one_of_several() as engine:
            fill(engine)
            engine.accept()
            left = [place]
            bc, sales = engine.bc, engine.sales
            engine.bc = Fragile(bc, left, done=done)
            engine.sales = Fragile(sales, left, done=done)
            try:
                engine.sync("CUSTOMER")
            except Crash:
                engine.bc, engine.sales = bc, sales
                engine.make_due()
                engine.sync("CUSTOMER")
            assert final_state(engine) == EXPECTED, place
            if left[0] > 0:
                return
    pytest.fail("the run never came to its end")


@pytest.mark.parametrize("side", ["business_central", "sales"])
def test_a_lost_answer_to_a_creation_makes_no_second_record(
    bare: Engine, side: str
) -> None:
    fill(bare)
    bare.accept()
    Faults.of(bare.systems.store).add({"drop_after_write": True, "side": side})

    bare.sync("CUSTOMER")
    bare.make_due()
    bare.sync("CUSTOMER")

    assert final_state(bare) == EXPECTED
    assert not bare.errors()


def test_a_lost_answer_from_here_is_looked_for_at_once(bare: Engine) -> None:
    bare.accept()
    bare.add_account("Nur dort")
    fault = {"drop_after_write": True, "side": "business_central"}
    Faults.of(bare.systems.store).add(fault)

    counts = bare.sync("CUSTOMER")

    assert counts["to_business_central"] == {"records_read": 1, "inserted": 1}
    assert len(bare.customers) == Coupling.objects.count() == 1
    [account] = bare.all(bare.accounts)
    assert account.values["accountnumber"]


def test_a_creation_that_never_arrived_is_tried_again(bare: Engine) -> None:
    bare.accept()
    bare.add_account("Nur dort")
    bare.bc = Answering(bare.bc, FailureKind.LOST_ANSWER)

    bare.sync("CUSTOMER")

    assert [error.code for error in bare.errors()] == ["net-reset"]
    bare.make_due()
    bare.sync("CUSTOMER")
    assert len(bare.customers) == 1
    assert not bare.errors()


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("is_killed", [True, False])
def test_a_creation_that_may_still_be_under_way_is_not_sent_again(
    bare: Engine, is_killed: bool, arrives: bool
) -> None:
    """Business Central goes on with what nobody waits for any more."""
    bare.accept()
    account = bare.add_account("Nur dort")
    bc = bare.bc
    bc.goes_on_seconds = 600.0
    if is_killed:
        bare.bc = Fragile(bc, [1], done=False, calls=("create_many",))
        with pytest.raises(Crash):
            bare.sync("CUSTOMER")
    else:
        bare.bc = Answering(bc, FailureKind.LOST_ANSWER)
        bare.sync("CUSTOMER")
    bare.bc = bc

    bare.make_due()
    bare.sync("CUSTOMER")

    assert len(bare.customers) == 0
    assert bare.articles() == ["lost-answer"]
    waits = PendingRecord.objects.get()
    assert waits.intent
    assert waits.next_attempt_at
    assert 500 < (waits.next_attempt_at - clock.now()).total_seconds() <= 600

    if arrives:
        bare.add_customer("10", "Nur dort")
        bare.sync("CUSTOMER")
    else:
        bc.goes_on_seconds = 0.0
        bare.make_due()
        bare.sync("CUSTOMER")

    assert len(bare.customers) == Coupling.objects.count() == 1
    assert account.values["accountnumber"]
    assert not bare.errors()


def test_the_last_of_many_creations_may_be_under_way_long_after_the_first(
    bare: Engine,
) -> None:
    bare.accept()
    bare.add_account("Nur dort")
    bc = bare.bc
    bc.goes_on_seconds = 600.0
    bare.bc = Slow(bc, bare.systems.store, 900.0)
    bare.sync("CUSTOMER")
    bare.bc = bc

    bare.make_due()
    bare.sync("CUSTOMER")

    assert len(bare.customers) == 0
    waits = PendingRecord.objects.get()
    assert waits.next_attempt_at
    assert 500 < (waits.next_attempt_at - clock.now()).total_seconds() <= 600


def test_what_was_created_and_changed_by_others_is_found_by_its_key(
    bare: Engine,
) -> None:
    bare.accept()
    here = bare.add_customer("10", "One")
    sales = bare.sales
    bare.sales = Fragile(sales, [1], done=True, calls=("create_many",))
    with pytest.raises(Crash):
        bare.sync("CUSTOMER")
    bare.sales = sales
    [there] = bare.all(bare.accounts)
    bare.change(there, name="Renamed", accountnumber="other", customertypecode=11)

    counts = bare.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 1, "inserted": 1}
    assert len(bare.accounts) == 1
    assert Coupling.objects.get().bc_id == here.id
    assert there.values["name"] == "One"


def test_a_rehearsal_tells_what_would_be_coupled_created_and_wait(
    bare: Engine,
) -> None:
    fill(bare)
    bare.add_customer("30", currencyCode="XYZ")
    bare.accept()
    mark = bare.asked()

    counts = bare.rehearse()

    assert counts == {
        "to_sales": {"records_read": 3, "coupled": 1, "inserted": 1, "failed": 1},
        "to_business_central": {"records_read": 2, "coupled": 1, "inserted": 1},
    }
    assert not bare.writes(mark)
    assert not Coupling.objects.exists()
    assert not PendingRecord.objects.exists()


@pytest.mark.parametrize("side", ["business_central", "sales"])
def test_a_lost_answer_to_an_update_is_found_done(engine: Engine, side: str) -> None:
    bc, sales = engine.pair()
    if side == "sales":
        engine.change(bc, city="A")
    else:
        engine.change(sales, address1_city="A")
    Faults.of(engine.systems.store).add({"drop_after_write": True, "side": side})

    counts = engine.sync("CUSTOMER")

    way = "to_sales" if side == "sales" else "to_business_central"
    assert counts[way] == {"records_read": 1, "modified": 1}
    assert bc.values["city"] == sales.values["address1_city"] == "A"
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def lose_a_creation(engine: Engine) -> None:
    """The process ends between a creation and the record of it."""
    bc = engine.bc
    engine.bc = Fragile(bc, [1], done=True, calls=("create_many",))
    with pytest.raises(Crash):
        engine.sync("CUSTOMER")
    engine.bc = bc
    engine.make_due()


def test_two_records_that_could_be_the_lost_one_are_for_a_person(bare: Engine) -> None:
    bare.accept()
    bare.add_account("Twin", address1_city="Bern")
    lose_a_creation(bare)
    extra = bare.add_customer("99", "Twin", city="Bern")

    bare.sync("CUSTOMER")

    assert bare.articles() == ["created-twice-undecided"] * 3
    assert (len(bare.customers), len(bare.accounts)) == (2, 1)
    bare.customers.delete(extra.id)
    bare.make_due()
    bare.sync("CUSTOMER")
    assert Coupling.objects.count() == 1
    assert not bare.errors()


def test_what_was_created_and_then_stamped_earlier_is_found(bare: Engine) -> None:
    """Somebody changes it at once, in a transaction that began long before."""
    bare.accept()
    bare.sync("CUSTOMER")
    account = bare.add_account("Nur dort", address1_city="Bern")
    lose_a_creation(bare)
    [made] = bare.all(bare.customers)
    bare.systems.store.move_clock(-100)
    bare.change(made, city="Biel", postalCode="2500")
    bare.systems.store.move_clock(0)

    bare.sync("CUSTOMER")

    assert len(bare.customers) == Coupling.objects.count() == 1
    assert account.values["address1_city"] == "Biel"


def test_twins_whose_creation_was_lost_are_shared_out(bare: Engine) -> None:
    bare.accept()
    for city in ("Bern", "Bern", "Biel"):
        bare.add_account("Twin", address1_city=city)
    lose_a_creation(bare)

    bare.sync("CUSTOMER")

    assert Coupling.objects.count() == len(bare.customers) == len(bare.accounts) == 3
    for pair in Coupling.objects.all():
        here, there = bare.customers.get(pair.bc_id), bare.accounts.get(pair.sales_id)
        assert here
        assert there
        assert here.values["city"] == there.values["address1_city"]


def test_what_could_be_several_is_never_created(bare: Engine) -> None:
    bare.add_customer("10", "Twin", postalCode="1000")
    bare.add_customer("20", "TWIN.", postalCode="10 00")
    bare.add_account("twin", address1_postalcode="1000")
    bare.accept()

    counts = bare.sync("CUSTOMER")

    assert counts["to_sales"] == {"records_read": 2, "failed": 2}
    assert counts["to_business_central"] == {"records_read": 1, "failed": 1}
    assert set(bare.articles()) == {"match-ambiguous"}
    assert (len(bare.customers), len(bare.accounts)) == (2, 1)


def test_a_cause_of_many_names_the_candidates_of_none(bare: Engine) -> None:
    for name in ("Twin", "Other"):
        for number in ("1", "2"):
            bare.add_customer(f"{name} {number}", name, postalCode="1000")
        bare.add_account(name, address1_postalcode="1000")
    bare.accept()

    bare.sync("CUSTOMER")

    [problem] = {error.problem for error in bare.errors()}
    assert problem.params == {}
    messages = [error.message for error in bare.errors()]
    assert (
        "Other could be the same as several: Other 1 Other, Other 2 Other." in messages
    )


def test_an_ambiguous_record_keeps_whom_it_could_be(bare: Engine) -> None:
    one = bare.add_customer("1", "Twin", postalCode="1000")
    two = bare.add_customer("2", "Twin", postalCode="1000")
    there = bare.add_account("Twin", address1_postalcode="1000")
    bare.accept()

    bare.sync("CUSTOMER")

    found = {
        error.record_key: (error.values or {})["others"] for error in bare.errors()
    }
    assert [other["id"] for other in found[there.id]] == [one.id, two.id]
    account = {"id": there.id, "number": "", "name": "Twin"}
    assert found[one.id] == found[two.id] == [account]


def test_one_of_several_that_changes_alone_is_not_coupled(bare: Engine) -> None:
    """Its twin of the same side has not changed, and is not to be tried now."""
    one = bare.add_customer("10", "Twin", postalCode="1000")
    bare.add_customer("20", "Twin", postalCode="1000")
    bare.add_account("twin", address1_postalcode="1000")
    bare.accept()
    bare.sync("CUSTOMER")

    bare.change(one, city="Bern")
    bare.sync("CUSTOMER")

    assert not Coupling.objects.exists()
    assert set(bare.articles()) == {"match-ambiguous"}
    assert len(bare.errors()) == 3
    assert len(bare.accounts) == 1


@pytest.mark.parametrize("side", System)
def test_one_of_several_tried_alone_is_not_coupled(bare: Engine, side: System) -> None:
    here = bare.add_customer("10", "Twin", postalCode="1000")
    there = bare.add_account("twin", address1_postalcode="1000")
    if side is System.BUSINESS_CENTRAL:
        bare.add_customer("20", "Twin", postalCode="1000")
    else:
        bare.add_account("TWIN", address1_postalcode="1000")
    bare.accept()
    bare.sync("CUSTOMER")

    tried = here if side is System.BUSINESS_CENTRAL else there
    bare.sync("CUSTOMER", only=[(side, tried.id)])

    assert not Coupling.objects.exists()
    assert len(bare.errors()) == 3


def test_one_of_several_is_not_coupled_where_none_is_created(bare: Engine) -> None:
    mapping = bare.mapping()
    mapping.only_coupled = True
    mapping.save()
    one = bare.add_customer("10", "Twin", postalCode="1000")
    bare.add_customer("20", "Twin", postalCode="1000")
    bare.accept()
    bare.sync("CUSTOMER")
    bare.add_account("twin", address1_postalcode="1000")
    bare.sync("CUSTOMER")

    bare.change(one, city="Bern")
    bare.sync("CUSTOMER")

    assert not Coupling.objects.exists()
    assert set(bare.articles()) == {"match-ambiguous"}


@pytest.mark.parametrize("full", [False, True])
def test_one_of_several_is_not_coupled_in_a_mapping_of_one_direction(
    bare: Engine, full: bool
) -> None:
    mapping = bare.mapping()
    mapping.fields.filter(direction="both").update(direction="to_sales")
    mapping.direction = "to_sales"
    mapping.save()
    one = bare.add_customer("10", "Twin", postalCode="1000")
    bare.add_customer("20", "Twin", postalCode="1000")
    bare.add_account("twin", address1_postalcode="1000")
    bare.accept()
    bare.sync("CUSTOMER")

    bare.change(one, city="Bern")
    bare.sync("CUSTOMER", full=full)

    assert not Coupling.objects.exists()
    assert set(bare.articles()) == {"match-ambiguous"}
    assert len(bare.accounts) == 1


def test_an_ambiguity_ends_when_the_duplicate_is_renamed(bare: Engine) -> None:
    one = bare.add_customer("10", "Twin", postalCode="1000")
    two = bare.add_customer("20", "Twin", postalCode="1000")
    there = bare.add_account("twin", address1_postalcode="1000")
    bare.accept()
    bare.sync("CUSTOMER")

    bare.change(two, displayName="Another")
    bare.make_due()
    bare.sync("CUSTOMER")

    assert Coupling.objects.get(bc_id=one.id).sales_id == there.id
    assert not bare.errors()
    assert len(bare.accounts) == 2


def test_a_new_customer_finds_an_account_that_failed_before(engine: Engine) -> None:
    there = engine.add_account("x" * 120, accountnumber="777")
    engine.sync("CUSTOMER")
    assert len(engine.errors()) == 1
    here = engine.add_customer("777", "Short")

    engine.sync("CUSTOMER")

    assert Coupling.objects.get(bc_id=here.id).sales_id == there.id
    assert there.values["name"] == "Short"
    assert not engine.errors()
    assert not PendingRecord.objects.exists()


def test_a_mapping_of_coupled_records_only_creates_nothing(bare: Engine) -> None:
    fill(bare)
    mapping = bare.mapping()
    mapping.only_coupled = True
    mapping.save()
    bare.accept()

    counts = bare.sync("CUSTOMER")

    assert counts["to_sales"]["skipped"] == 1
    assert counts["to_business_central"]["skipped"] == 1
    assert (len(bare.customers), len(bare.accounts)) == (2, 2)


def test_a_refused_creation_waits_and_then_gives_up(engine: Engine) -> None:
    engine.add_account("y" * 101)
    for _ in range(5):
        engine.sync("CUSTOMER")
        engine.make_due()

    row = PendingRecord.objects.get()
    assert row.attempts == 5
    assert row.skipped_at
    assert row.next_attempt_at is None
    counts = engine.sync("CUSTOMER", full=True)
    assert counts["to_business_central"]["skipped"] == 1


def test_an_uncoupled_record_that_disappears_is_forgotten(engine: Engine) -> None:
    row = engine.add_account("y" * 101)
    engine.sync("CUSTOMER")
    engine.accounts.delete(row.id)

    engine.sync("CUSTOMER")

    assert not engine.errors()
    assert not PendingRecord.objects.exists()


@pytest.mark.parametrize("first", ["here", "there"])
def test_where_nothing_is_created_partners_find_each_other_whoever_is_first(
    bare: Engine, first: str
) -> None:
    mapping = bare.mapping()
    mapping.only_coupled = True
    mapping.save()
    bare.accept()

    for side in (first, "there" if first == "here" else "here"):
        if side == "here":
            bare.add_customer("1", "Alphorn AG")
        else:
            bare.add_account("Alphorn AG")
        bare.sync()

    assert Coupling.objects.filter(mapping=mapping).count() == 1


def test_what_failed_rests_once_the_mapping_creates_nothing_any_more(
    bare: Engine,
) -> None:
    bare.accept()
    bare.add_account("A name that is too long ".ljust(120, "x"))
    bare.sync()
    change_mapping(bare.mapping(), "test", "No new ones.", only_coupled=True)

    bare.sync("CUSTOMER")

    row = PendingRecord.objects.get()
    assert (row.next_attempt_at, row.skip_reason) == (
        None,
        "It has no partner, and this mapping creates none.",
    )
    assert len(bare.errors()) == 1


def test_what_was_created_from_an_account_that_left_the_filter_is_its_partner(
    bare: Engine,
) -> None:
    bare.accept()
    account = bare.add_account("Nur dort", address1_city="Bern")
    lose_a_creation(bare)
    bare.change(account, statecode=1)

    bare.sync("CUSTOMER")

    assert (len(bare.customers), len(bare.accounts)) == (1, 1)
    assert Coupling.objects.get().sales_id == account.id
    bare.change(account, statecode=0)
    bare.sync("CUSTOMER")
    assert (len(bare.customers), len(bare.accounts)) == (1, 1)
    assert account.values["accountnumber"]
    assert not bare.errors()
    assert not PendingRecord.objects.exists()


def test_what_never_arrived_of_an_account_that_left_the_filter_is_not_created(
    bare: Engine,
) -> None:
    """And the customer of the same name that somebody enters is another one."""
    bare.accept()
    account = bare.add_account("Nur dort", address1_city="Bern", telephone1="1")
    bare.bc = Answering(bare.bc, FailureKind.LOST_ANSWER)
    bare.sync("CUSTOMER")
    bare.change(account, statecode=1)
    bare.add_customer("77", "Anderswo")

    bare.sync("CUSTOMER")
    bare.make_due()
    bare.sync("CUSTOMER")

    assert (len(bare.customers), len(bare.accounts)) == (1, 2)
    assert Coupling.objects.get().bc_number == "77"
    bare.change(account, statecode=0)
    bare.sync("CUSTOMER")
    assert (len(bare.customers), len(bare.accounts)) == (2, 2)


def test_what_arrives_after_it_was_looked_for_gets_no_second_partner(
    bare: Engine,
) -> None:
    """The record rests until its next try; what Business Central tells of does not."""
    bare.accept()
    bare.sync("CUSTOMER")
    account = bare.add_account("Nur dort", address1_city="Bern")
    late = Late(bare.bc)
    bare.bc = late
    bare.sync("CUSTOMER")
    bare.bc = late.connector
    late.arrive()
    [made] = bare.all(bare.customers)
    bare.change(made, postalCode="3011")

    bare.sync("CUSTOMER")

    assert (len(bare.customers), len(bare.accounts)) == (1, 1)
    assert Coupling.objects.get().sales_id == account.id
    assert not bare.errors()
