"""The demonstration: a Swiss company whose problems appear from real requests.

Nothing here writes an error anywhere. Each group of records is built so that the
remote side itself refuses, or that the two sides really disagree.
"""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from integration.simulators.sales_security import privilege
from integration.simulators.sales_tables import ACCOUNT, table_of
from integration.simulators.seed_companies import CompanyMaker, Draw, slug
from integration.simulators.seed_ground import (
    Company,
    Ground,
    account_values,
    exchange_rate,
)
from integration.simulators.store import Store

DEMO: dict[str, Any] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text("utf-8")
)
LOCAL: str = DEMO["local"]
STAGED, SEED = "demo.staged", "demo.seed"


def seed_demo(store: Store, seed: int) -> None:
    """Three companies, one Sales environment; only the first has planted problems."""
    store.set_setting(SEED, seed)
    ground = Ground(store, seed)
    ground.organization(LOCAL)
    for code in DEMO["old_in_sales"]:
        rate = exchange_rate(code, LOCAL) * 97 / 100
        ground.sales_currency(code, rate.quantize(rate))
    same = DEMO["same_in_sales"]
    ground.sales_currency(same, exchange_rate(same, LOCAL))
    companies = [ground.company(name, LOCAL) for name in DEMO["companies"]]
    _make_people(ground, companies)
    for code in DEMO["abroad"]:
        rated = code != DEMO["unrated"]
        ground.currency(companies[0], code, rated=rated)
        if rated:
            month = store.now().date().replace(day=1)
            ground.rate(companies[0], code, month.isoformat())
    ground.rows(companies[0], "jobQueueEntries", [DEMO["resting_entry"]])
    maker = CompanyMaker(seed)
    _fill_first(store, ground, companies[0], maker)
    for company, start, count in ((companies[1], 500, 8), (companies[2], 700, 5)):
        for number in range(start, start + count):
            ground.customer(company, maker.customer(str(number), LOCAL), number)


def _make_people(ground: Ground, companies: list[Company]) -> None:
    """The three connections with their ways to sign in, and the sellers."""
    denied = privilege("Write", "TransactionCurrency")
    role = ground.integration_role(without=[denied])
    app = ground.application("Sync Errors", [role])
    set_up = ground.application("Services Set-up", [ground.administrator_role()])
    account = ground.account("boutique.sync@fabrique.example", [role], "mustChange")
    account["client_id"] = app["client_id"]
    for company, sign_in in zip(companies, (app, set_up, account), strict=True):
        ground.connection(company, sign_in)
    ground.spare_account(role)
    for given, family in DEMO["sellers"]:
        name = f"{slug(given)}.{slug(family)}@fabrique.example"
        ground.user(given, family, name, [role])


def _fill_first(
    store: Store, ground: Ground, company: Company, maker: CompanyMaker
) -> None:
    """The customers of *Fabrique du Léman SA* and what Sales knows of them."""
    person = store.setting("sales.person")

    def account(values: dict[str, Any], key: str, place: int) -> None:
        at = ground.moment + timedelta(hours=place * 3, seconds=place)
        table_of(store, ACCOUNT).insert(values, ground.id("account", key), person, at)

    groups = [group for group in DEMO["groups"] for _ in range(group["count"])]
    for place, group in enumerate(groups):
        mix = DEMO["mixes"][group.get("currency", "local")]
        currency = Draw(ground.seed, "currency", place).pick(mix)
        customer = maker.customer(_number(place), currency)
        customer["website"] += group.get("website", "")
        ground.customer(company, customer, place)
        for key, values in _accounts(ground, maker, group, customer):
            account(values, key, place)
    franc = ground.id("transactioncurrency", LOCAL)
    for place, changes in enumerate(DEMO["only_in_sales"]):
        values = account_values(maker.customer(f"S{place}", LOCAL), franc)
        account({**values, "accountnumber": None, **changes}, f"own {place}", place)


def _number(place: int) -> str:
    return str(10010 + place * 10)


def _accounts(
    ground: Ground,
    maker: CompanyMaker,
    group: Mapping[str, Any],
    customer: Mapping[str, Any],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The accounts that have to do with this customer, by a word for their id."""
    number = customer["number"]
    currency = ground.id("transactioncurrency", customer["currencyCode"])
    for way in group.get("accounts", ()):
        owner = customer
        if other := way.get("other"):
            owner = {**maker.customer(f"{other}{number}", LOCAL), "number": number}
        values = account_values(owner, currency) | way.get("set", {})
        values |= dict.fromkeys(way.get("without", ()))
        if way.get("respelled"):
            values["name"] = respelled(values["name"], int(number))
        twin = way.get("twin", "")
        if twin:
            values["emailaddress1"] = f"{twin}.{values['emailaddress1']}"
        yield f"{number}{twin}", values


def respelled(name: str, number: int) -> str:
    """The name as another person would type it: case, blanks or punctuation differ."""
    ways = (name.upper(), name.replace(" & ", "  &  "), f"{name}.", name.lower())
    return ways[number // 10 % len(ways)]


def stage_demo_edits(store: Store) -> bool:
    """After the first synchronization: what people do on both sides.

    Two customers change on both sides, two accounts are deleted in Sales. False when
    it was done before, or when this is no demonstration. Records that are gone are
    left alone.
    """
    with store.transaction():
        seed = store.setting(SEED)
        if seed is None or store.setting(STAGED):
            return False
        store.set_setting(STAGED, store.now())
        ground = Ground(store, seed)
        company = ground.id("company", DEMO["companies"][0])
        customers = store.table(f"bc:{company}:customers")
        accounts = table_of(store, ACCOUNT)
        person = store.setting("sales.person")
        for place in DEMO["changed_on_both_sides"]:
            customer = customers.get(ground.id(company, "customer", _number(place)))
            account = accounts.get(ground.id("account", _number(place)))
            if customer and account:
                customers.update(customer, {"phoneNumber": f"+41 21 555 {place} 01"})
                change = {"telephone1": f"+41 22 555 {place} 02"}
                accounts.update(account, change, person)
        for place in DEMO["accounts_deleted"]:
            account_id = ground.id("account", _number(place))
            if accounts.get(account_id):
                accounts.delete(account_id, person)
    return True
