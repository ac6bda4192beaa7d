"""Quickstart's summary, recomputed from outside, and what it left in both systems."""

import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import outside

pytestmark = pytest.mark.journey

FIELDS = {
    "displayName": "name",
    "addressLine1": "address1_line1",
    "addressLine2": "address1_line2",
    "city": "address1_city",
    "state": "address1_stateorprovince",
    "postalCode": "address1_postalcode",
    "country": "address1_country",
    "phoneNumber": "telephone1",
    "email": "emailaddress1",
    "website": "websiteurl",
    "number": "accountnumber",
}


def company(name: str) -> list[str]:
    """What loads one of Microsoft's demo companies, or one of its shape."""
    folder = outside.SHARED / "data" / "cronus" / name
    if folder.is_dir():
        return ["--bc-data", str(folder)]
    if outside.IN_CI:
        pytest.fail(f"{folder} must be there")
    return ["--records", "63"]


def assert_in_step(systems: outside.Systems) -> None:
    """Every customer is an account whose mapped fields all equal the source."""
    currencies = {
        row["transactioncurrencyid"]: row["isocurrencycode"]
        for row in systems.sales("transactioncurrencies")
    }
    accounts = {row["accountnumber"]: row for row in systems.sales("accounts")}
    customers = systems.business_central("customers")
    assert len(customers) == len(accounts)
    for customer in customers:
        account = accounts[customer["number"]]
        differing = {
            source: (customer[source], account[target])
            for source, target in FIELDS.items()
            if customer[source] != (account[target] or "")
        }
        assert not differing
        assert account["customertypecode"] == 3
        currency = currencies[account["_transactioncurrencyid_value"]]
        assert currency == customer["currencyCode"]


def recomputed(systems: outside.Systems) -> dict[str, int]:
    """The figures of the summary, from the request log."""
    log = systems.requests()
    return {"read": outside.records_read(log), "written": len(outside.writes(log))}


Started = Callable[[str], tuple[Any, Path]]
"""The summary of a company's quickstart, and the data directory that it left."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Started:
    """One start for each company."""

    @cache
    def start(name: str) -> tuple[Any, Path]:
        data = tmp_path_factory.mktemp(name)
        done = outside.quickstart(data, *company(name))
        assert done.code == 0, done.err
        return done.json, data

    return start


@pytest.fixture
def started(kept: Started, tmp_path: Path) -> Started:
    """A copy for one test: what it asks is in no other's log."""

    def copied(name: str) -> tuple[Any, Path]:
        summary, data = kept(name)
        return summary, shutil.copytree(data, tmp_path / name)

    return copied


@pytest.mark.parametrize("name", ["classic-w1", "classic-ch"])
def test_every_customer_of_a_demo_company_becomes_its_account(
    name: str, started: Started
) -> None:
    summary, data = started(name)

    assert summary["errors_by_problem"] == {}
    with outside.simulators(data) as systems:
        figures = recomputed(systems)
        assert_in_step(systems)
    assert {key: summary[key] for key in figures} == figures
    assert all(page["status"] == 200 for page in summary["pages"])


def test_the_figures_of_the_demonstration_are_those_of_the_log(tmp_path: Path) -> None:
    done = outside.quickstart(tmp_path)

    assert done.code == 0, done.err
    with outside.simulators(tmp_path) as systems:
        figures = recomputed(systems)
    assert {key: done.json[key] for key in figures} == figures


def test_a_missing_rate_is_one_problem_that_heals_in_one_run(tmp_path: Path) -> None:
    port = outside.free_port()
    with outside.simulators(tmp_path, *company("classic-w1"), port=port) as systems:
        rates = systems.control("records?system=business_central")
        removed = outside.remove_rates(systems, "EUR")
    assert removed, rates

    done = outside.quickstart(tmp_path, sim_port=port)

    assert list(done.json["errors_by_problem"].values()) == [22]
    with outside.simulators(tmp_path, port=port) as systems:
        outside.add_records(systems, "currencyExchangeRates", removed)
        healed = outside.manage(tmp_path, "sync", "--json")
        assert healed.code == 0, healed.err
        assert_in_step(systems)
        before = len(systems.requests())
        assert outside.manage(tmp_path, "sync").code == 0
        second = systems.requests()[before:]
    assert outside.writing_calls(second) == []
    reads = [
        (entry["target"], entry["entity"])
        for entry in second
        if outside.is_list_read(entry)
    ]
    assert all(reads.count(read) <= 2 for read in set(reads))


def test_rates_are_units_per_base_unit(started: Started) -> None:
    _summary, data = started("classic-ch")

    with outside.simulators(data) as systems:
        newest: dict[str, dict[str, Any]] = {}
        for row in systems.business_central("currencyExchangeRates"):
            kept = newest.get(row["currencyCode"])
            if kept is None or row["startingDate"] > kept["startingDate"]:
                newest[row["currencyCode"]] = row
        for currency in systems.sales("transactioncurrencies"):
            rate = newest.get(currency["isocurrencycode"])
            if rate is not None:
                expected = Decimal(str(rate["exchangeRateAmount"])) / Decimal(
                    str(rate["relationalExchangeRateAmount"])
                )
                got = Decimal(str(currency["exchangerate"]))
                assert abs(got - expected) < Decimal("1e-9") * expected


def test_a_fault_set_beforehand_changes_the_figures(tmp_path: Path) -> None:
    port = outside.free_port()
    with outside.simulators(tmp_path, "--records", "50", port=port) as systems:
        systems.control("faults", {"id": "dv-missing-privilege", "entity": "accounts"})

    done = outside.quickstart(tmp_path, sim_port=port)

    problems = done.json["errors_by_problem"]
    assert [title for title in problems if re.search(r"prv\w+Account", title)]
    assert sum(problems.values()) == 50
