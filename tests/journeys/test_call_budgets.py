"""How few calls a change costs (design §8), counted in the simulators' own log."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import outside

pytestmark = pytest.mark.journey

MANY = 1_000


@pytest.fixture(scope="module")
def in_step(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The data of a company of 1,000 customers in step, and its simulators' port."""
    data, port = tmp_path_factory.mktemp("company"), outside.free_port()
    done = outside.quickstart(data, "--records", str(MANY), sim_port=port)
    assert done.code == 0, done.err
    return data, port


@pytest.fixture
def company(in_step: tuple[Path, int], tmp_path: Path) -> Iterator[outside.Running]:
    """Its data copied for one test."""
    kept, port = in_step
    data = shutil.copytree(kept, tmp_path / "data")
    with outside.simulators(data, port=port) as systems:
        yield outside.Running(data, systems)


def change(
    company: outside.Running, system: str, entity: str, values: dict[str, Any]
) -> None:
    """Change every row of a table behind the API."""
    body = {"system": system, "entity": entity, "action": "change", "where": {}}
    company.systems.control("records", body | {"values": values})


def synchronize(company: outside.Running) -> tuple[int, list[dict[str, Any]]]:
    """One run; its exit code and the writing calls it made."""
    before = len(company.systems.requests())
    done = outside.manage(company.data, "sync")
    return done.code, outside.writing_calls(company.systems.requests()[before:])


def test_a_thousand_changes_in_business_central(company: outside.Running) -> None:
    change(company, "business_central", "customers", {"city": "Nyon"})

    code, calls = synchronize(company)

    assert code == 0
    assert len(calls) <= 6
    assert {row["address1_city"] for row in company.systems.sales("accounts")} == {
        "Nyon"
    }


def test_a_thousand_changes_in_sales(company: outside.Running) -> None:
    change(company, "sales", "accounts", {"address1_city": "Morges"})

    code, calls = synchronize(company)

    assert code == 0
    assert len(calls) <= 12
    cities = {row["city"] for row in company.systems.business_central("customers")}
    assert cities == {"Morges"}


def test_fifty_edits_between_read_and_write_become_conflicts(
    company: outside.Running,
) -> None:
    change(company, "business_central", "customers", {"addressLine2": "Portail B"})
    company.systems.control("faults", {"id": "dv-row-version-mismatch", "times": 50})

    code, calls = synchronize(company)

    assert code == 1
    assert len(calls) <= 8
    lines = [row["address1_line2"] for row in company.systems.sales("accounts")]
    assert lines.count("Portail B") == MANY - 50
    errors = outside.manage(company.data, "errors", "--json").json
    assert len(errors["errors"]) == 50
