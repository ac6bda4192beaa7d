"""Rates, and what waits for a currency."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from integration import clock
from integration.core.records import Page
from integration.models import Coupling, PendingRecord, TableMapping
from tests.services.engine import Engine


def unrate(engine: Engine, code: str) -> dict[str, object]:
    """Take the rate of a currency away; what it was."""
    (row,) = engine.rates.find("currencyCode", code)
    engine.rates.delete(row.id)
    return dict(row.values)


def sales_currency(engine: Engine, code: str) -> dict[str, object]:
    (row,) = engine.sales_currencies.find("isocurrencycode", code)
    return row.values


def test_a_currency_without_rate_is_one_problem_with_its_customers(
    fresh: Engine,
) -> None:
    rate = unrate(fresh, "EUR")
    fresh.accept()
    euros = len(fresh.customers.find("currencyCode", "EUR"))

    fresh.sync()

    errors = fresh.errors()
    assert len(errors) == euros + 1
    assert {error.problem.article for error in errors} == {
        "bc-currency-no-exchange-rate"
    }
    assert len({error.problem_id for error in errors}) == 1
    assert sum(error.waits_for == "EUR" for error in errors) == euros

    fresh.rates.insert(rate)
    fresh.sync()

    assert not fresh.errors()
    assert not PendingRecord.objects.exists()
    assert len(fresh.accounts) == 8


def test_a_currency_without_rate_that_nobody_uses_is_no_error(fresh: Engine) -> None:
    unrate(fresh, "PLN")
    fresh.accept()

    counts = fresh.sync("CURRENCY")

    assert counts["to_sales"]["skipped"] == 1
    assert not fresh.errors()
    mark = fresh.asked()
    fresh.sync("CURRENCY")
    asked = [one["path"] for one in fresh.since(mark)]
    assert not any("/customers" in path for path in asked)


def test_a_currency_becomes_an_error_when_somebody_uses_it(fresh: Engine) -> None:
    rate = unrate(fresh, "PLN")
    fresh.accept()
    fresh.sync()
    fresh.add_customer("200001", currencyCode="PLN")
    fresh.sync("CUSTOMER")
    assert fresh.articles() == ["dependency-not-coupled"]

    fresh.sync()

    assert fresh.articles() == ["bc-currency-no-exchange-rate"] * 2
    fresh.rates.insert(rate)
    fresh.sync()
    assert not fresh.errors()


def test_a_changed_rate_is_a_change_of_its_currency(engine: Engine) -> None:
    (row,) = engine.rates.find("currencyCode", "EUR")
    changed = {
        "startingDate": "2026-02-01",
        "relationalExchangeRateAmount": Decimal(50),
    }
    engine.rates.insert({**row.values, **changed})

    counts = engine.sync("CURRENCY")

    assert counts["to_sales"]["modified"] == 1
    assert sales_currency(engine, "EUR")["exchangerate"] == Decimal(2)


def test_the_longest_version_and_a_rate_are_no_longer_than_any_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = 'W/"' + "1" * 246 + '"'
    table = engine.mapping("CURRENCY")
    read = type(engine.bc).read_all

    def with_long_versions(self: Any, *asked: Any) -> Iterator[Page]:
        for page in read(self, *asked):
            yield Page(tuple(one._replace(etag=long) for one in page.records))

    monkeypatch.setattr(type(engine.bc), "read_all", with_long_versions)

    counts = engine.sync("CURRENCY")
    again = engine.sync("CURRENCY")

    assert "failed" not in counts["to_sales"]
    assert "modified" not in again["to_sales"]
    versions = Coupling.objects.filter(mapping=table).values_list("bc_etag", flat=True)
    assert {len(version) for version in versions} == {250}


def test_a_rate_of_the_future_waits_for_its_day(engine: Engine) -> None:
    before = sales_currency(engine, "EUR")["exchangerate"]
    (row,) = engine.rates.find("currencyCode", "EUR")
    engine.rates.insert({**row.values, "startingDate": "2099-01-01"})

    engine.sync("CURRENCY")

    assert sales_currency(engine, "EUR")["exchangerate"] == before


def test_a_rate_that_is_lost_is_an_error_of_a_coupled_currency(engine: Engine) -> None:
    unrate(engine, "PLN")

    engine.sync("CURRENCY")

    [error] = engine.errors()
    assert error.bc_number == "PLN"
    assert error.problem.article == "bc-currency-no-exchange-rate"


def test_an_edit_in_sales_is_never_written_back_and_not_undone(engine: Engine) -> None:
    row = engine.one(engine.sales_currencies, "isocurrencycode", "EUR")
    engine.change(row, currencyname="My euro")
    mark = engine.asked()

    engine.sync("CURRENCY")

    assert not engine.writes(mark)
    engine.change(engine.one(engine.currencies, "code", "EUR"), displayName="Euro (€)")
    engine.sync("CURRENCY")
    assert row.values["currencyname"] == "Euro (€)"


def test_a_currency_that_sales_has_already_is_coupled(fresh: Engine) -> None:
    values = {"isocurrencycode": "EUR", "currencyname": "Euro", "statecode": 0}
    fresh.sales_currencies.insert(values)
    fresh.accept()

    fresh.sync()

    assert len(fresh.sales_currencies.find("isocurrencycode", "EUR")) == 1
    assert not fresh.errors()


def test_a_currency_of_a_later_day_finds_its_partner_in_sales(engine: Engine) -> None:
    values = {"isocurrencycode": "AUD", "currencyname": "Dollar", "statecode": 0}
    there = engine.sales_currencies.insert(values)
    engine.sync("CURRENCY")
    engine.currencies.insert({"code": "AUD", "displayName": "A dollar", "symbol": "$"})
    (row,) = engine.rates.find("currencyCode", "EUR")
    engine.rates.insert({**row.values, "currencyCode": "AUD"})

    counts = engine.sync("CURRENCY")

    assert counts["to_sales"]["coupled"] == 1
    assert Coupling.objects.get(bc_number="AUD").sales_id == there.id


@pytest.mark.parametrize("way", ["deleted", "inactive"])
def test_a_currency_that_sales_has_lost_stops_its_customers(
    engine: Engine, way: str
) -> None:
    (row,) = engine.sales_currencies.find("isocurrencycode", "EUR")
    if way == "deleted":
        engine.sales_currencies.delete(row.id)
    else:
        engine.sales_currencies.update(row, {"statecode": 1})
    engine.add_customer("200001", currencyCode="EUR")

    engine.sync()

    assert engine.articles() == ["dv-currency-not-found"] * 2


def test_an_account_in_an_unknown_currency_waits(engine: Engine) -> None:
    values = {"isocurrencycode": "THB", "currencyname": "Baht", "statecode": 0}
    baht = engine.sales_currencies.insert(values)
    engine.add_account("Siam", transactioncurrencyid=baht.id)

    engine.sync()

    [error] = engine.errors()
    assert (error.direction, error.waits_for) == ("to_business_central", "THB")
    assert error.problem.article == "dependency-not-coupled"


def test_what_waits_for_a_currency_is_due_as_soon_as_that_arrives(
    engine: Engine,
) -> None:
    values = {"isocurrencycode": "THB", "currencyname": "Baht", "statecode": 0}
    baht = engine.sales_currencies.insert(values)
    engine.add_account("Siam", transactioncurrencyid=baht.id)
    engine.sync()
    later = clock.now() + timedelta(seconds=30)
    TableMapping.objects.update(next_run_at=later)
    engine.sync("CURRENCY")
    assert engine.mapping("CUSTOMER").next_run_at == later

    engine.currencies.insert({"code": "THB", "displayName": "Baht"})
    amounts = {"exchangeRateAmount": 100, "relationalExchangeRateAmount": 2.6}
    engine.rates.insert(
        {"currencyCode": "THB", "startingDate": "2026-01-01", **amounts}
    )
    engine.sync("CURRENCY")

    due = engine.mapping("CUSTOMER").next_run_at
    assert due
    assert due <= clock.now()
    assert engine.mapping("CURRENCY").next_run_at == later
    TableMapping.objects.update(next_run_at=later)
    engine.sync("CURRENCY")
    assert engine.mapping("CUSTOMER").next_run_at == later


def test_a_customer_changes_its_currency(engine: Engine) -> None:
    bc, sales = engine.pair()
    dollar = sales_currency(engine, "USD")
    (row,) = engine.sales_currencies.find("isocurrencycode", "USD")
    engine.change(bc, currencyCode="USD")

    engine.sync("CUSTOMER")

    assert sales.values["transactioncurrencyid"] == row.id
    assert dollar["isocurrencycode"] == "USD"
    engine.change(sales, transactioncurrencyid=None)
    engine.sync("CUSTOMER")
    assert bc.values["currencyCode"] in ("", "CHF")


def test_another_base_currency_without_rate_stops_all(fresh: Engine) -> None:
    unrate(fresh, "EUR")
    values = {"isocurrencycode": "EUR", "currencyname": "Euro", "statecode": 0}
    euro = fresh.sales_currencies.insert(values)
    (organization,) = fresh.systems.store.table("sales:organizations").rows()
    fresh.systems.store.table("sales:organizations").update(
        organization, {"basecurrencyid": euro.id}
    )
    fresh.accept()

    fresh.sync("CURRENCY")

    assert set(fresh.articles()) == {"bc-base-currency-no-rate"}


def test_a_rehearsal_tries_what_waited_for_a_currency_that_has_arrived(
    fresh: Engine,
) -> None:
    rate = unrate(fresh, "EUR")
    fresh.accept()
    fresh.sync()
    euros = len(fresh.customers.find("currencyCode", "EUR"))
    fresh.rates.insert(rate)
    fresh.sync("CURRENCY")
    waiting = PendingRecord.objects.order_by("pk")
    before = list(waiting.values())

    planned = fresh.rehearse()

    assert list(waiting.values()) == before
    assert planned["to_sales"]["inserted"] == euros
    assert planned["to_sales"] == fresh.sync("CUSTOMER")["to_sales"]
