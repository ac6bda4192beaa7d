"""The demonstration companies, and how many calls a change costs (Shows 3 and 5)."""

import os
from pathlib import Path
from typing import Any

import pytest

from integration.models import Coupling
from tests.running import running_systems
from tests.services.engine import Engine, Live, Meanwhile, running_engine
from tests.services.test_sync import MAPPED

CRONUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "cronus"
MANY, STALE, REFUSED = 1_000, 50, 10
needs_cronus = pytest.mark.skipif(
    not CRONUS.is_dir() and os.environ.get("CI") != "true",  # noqa: TID251  (only here)
    reason="the demonstration companies are not on this machine",
)


def differences(engine: Engine) -> list[tuple[str, str]]:
    """Mapped fields of any pair that are not equal in the two stores."""
    found = []
    for pair in Coupling.objects.filter(mapping=engine.mapping()):
        here, there = (
            engine.customers.get(pair.bc_id),
            engine.accounts.get(pair.sales_id),
        )
        assert here
        assert there
        found += [
            (pair.bc_number, field)
            for field, column in MAPPED.items()
            if (here.values.get(field) or "") != (there.values.get(column) or "")
        ]
    return found


@needs_cronus
@pytest.mark.django_db
@pytest.mark.parametrize("company", ["classic-w1", "classic-ch"])
def test_every_customer_of_the_demonstration_becomes_an_equal_account(
    company: str,
) -> None:
    with (
        running_systems(folder=CRONUS / company) as systems,
        running_engine(systems) as engine,
    ):
        engine.accept()

        counts = engine.sync()

        assert counts["to_sales"] == {"records_read": 63, "inserted": 63}
        assert len(engine.accounts) == 63
        assert not differences(engine)
        assert not engine.errors()
        mark = engine.asked()
        engine.sync()
        assert not engine.writes(mark)


@needs_cronus
@pytest.mark.django_db
def test_one_missing_rate_is_one_problem_with_22_rows() -> None:
    with (
        running_systems(folder=CRONUS / "classic-w1") as systems,
        running_engine(systems) as engine,
    ):
        (rate,) = engine.rates.find("currencyCode", "EUR")
        engine.rates.delete(rate.id)
        engine.accept()

        engine.sync()

        errors = engine.errors()
        assert len(errors) == 22
        assert len({error.problem_id for error in errors}) == 1
        assert sum(error.waits_for == "EUR" for error in errors) == 21
        engine.rates.insert(dict(rate.values))
        engine.sync()
        assert not engine.errors()
        assert len(engine.accounts) == 63


@pytest.fixture
def thousand(db: None) -> Any:
    """1,000 pairs in step."""
    with running_systems(records=MANY) as systems, running_engine(systems) as engine:
        engine.accept()
        engine.sync()
        engine.sync("CUSTOMER")
        yield engine


def change_all(engine: Engine, rows: list[Live], **values: Any) -> None:
    with engine.systems.store.transaction():
        for row in rows:
            engine.change(row, **values)


def test_a_thousand_changes_here_cost_six_calls(thousand: Engine) -> None:
    change_all(thousand, thousand.all(thousand.customers), city="Bümpliz")
    mark = thousand.asked()

    counts = thousand.sync("CUSTOMER")

    assert counts["to_sales"]["modified"] == MANY
    assert len(thousand.writes(mark)) <= 6


def test_a_thousand_changes_there_cost_twelve_calls(thousand: Engine) -> None:
    change_all(thousand, thousand.all(thousand.accounts), address1_city="Bümpliz")
    mark = thousand.asked()

    counts = thousand.sync("CUSTOMER")

    assert counts["to_business_central"]["modified"] == MANY
    assert len(thousand.writes(mark)) <= 12


@pytest.mark.parametrize(("to_sales", "calls"), [(True, 8), (False, 14)])
def test_edits_made_meanwhile_become_conflicts_and_none_is_lost(
    thousand: Engine, to_sales: bool, calls: int
) -> None:
    here, there = thousand.all(thousand.customers), thousand.all(thousand.accounts)
    changed, others = (here, there) if to_sales else (there, here)
    field, other = (
        ("city", "telephone1") if to_sales else ("address1_city", "phoneNumber")
    )
    change_all(thousand, changed, **{field: "Bümpliz"})

    def edit() -> None:
        change_all(thousand, others[:STALE], **{other: "777"})

    if to_sales:
        thousand.sales = Meanwhile(thousand.sales, edit)
    else:
        thousand.bc = Meanwhile(thousand.bc, edit)
    mark = thousand.asked()
    thousand.sync("CUSTOMER")

    assert len(thousand.writes(mark)) <= calls
    assert thousand.articles() == ["conflict-both-changed"] * STALE
    written = "address1_city" if to_sales else "city"
    assert sum(row.values[written] == "Bümpliz" for row in others) == MANY - STALE
    assert sum(row.values[other] == "777" for row in others) == STALE


def test_a_stale_version_without_a_mapped_change_is_written_again(
    thousand: Engine,
) -> None:
    change_all(thousand, thousand.all(thousand.customers)[:STALE], city="Bümpliz")
    rows = thousand.all(thousand.accounts)

    def edit() -> None:
        change_all(thousand, rows, description="a note")

    thousand.sales = Meanwhile(thousand.sales, edit)
    counts = thousand.sync("CUSTOMER")

    assert counts["to_sales"]["modified"] == STALE
    assert sum(row.values["address1_city"] == "Bümpliz" for row in rows) >= STALE
    assert {row.values["description"] for row in rows} == {"a note"}


def test_ten_refused_among_a_thousand_cost_forty_calls(thousand: Engine) -> None:
    rows = thousand.all(thousand.customers)
    change_all(thousand, rows[REFUSED:], city="Bümpliz")
    change_all(thousand, rows[:REFUSED], website="x" * 220)
    mark = thousand.asked()

    counts = thousand.sync("CUSTOMER")

    assert counts["to_sales"] == {
        "records_read": MANY,
        "modified": MANY - REFUSED,
        "failed": REFUSED,
    }
    assert len(thousand.writes(mark)) <= 40
