"""The demonstration: a Swiss company whose problems appear from real requests.

Nothing here writes an error anywhere. Each group of records is built so that the
remote side itself refuses, or that the two sides really disagree.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from integration.simulators.sales_security import privilege
from integration.simulators.sales_tables import ACCOUNT, table_of
from integration.simulators.seed_companies import CompanyMaker, Draw, slug
from integration.simulators.seed_ground import (
    Company,
    Ground,
    account_values,
    add_customer,
    exchange_rate,
)
from integration.simulators.store import Store

__all__ = ["COMPANIES", "seed_demo", "stage_demo_edits"]

COMPANIES = ("Fabrique du Léman SA", "Léman Services SA", "Léman Boutique Sàrl")
LOCAL = "CHF"
ABROAD = ("EUR", "USD", "GBP", "DKK", "SEK", "NOK", "CZK", "PLN", "JPY", "BGN")
#: In Sales before the first run: two with an old rate, one in step.
OLD_IN_SALES = ("EUR", "USD")
SAME_IN_SALES = "SEK"
#: Has no exchange rate in Business Central; its customers wait.
UNRATED = "GBP"

#: How the customers of Business Central stand to the accounts, with their numbers.
GROUPS = (
    ("same number", 96),
    ("same name", 40),
    ("same e-mail", 14),
    ("only here", 68),
    ("unrated", 12),
    ("number held by inactive", 2),
    ("number held by vendor", 1),
    ("two candidates", 2),
    ("long website", 1),
)
MIX = (
    ("CHF",) * 6
    + ("EUR",) * 3
    + ("USD", "SEK", "DKK", "NOK", "CZK", "PLN", "JPY", "BGN")
)
PAIRS_CHANGED_ON_BOTH_SIDES = (12, 31)
ACCOUNTS_DELETED = (20, 47)
#: Microsoft's own synchronization of customers is there, and at rest (§2.3).
RESTING_ENTRY = {
    "objectTypeToRun": "Codeunit",
    "objectIdToRun": 5339,
    "status": "On Hold",
    "recordIdToProcess": "Integration Table Mapping: CUSTOMER",
    "recurringJob": True,
    "description": "CUSTOMER Dynamics 365 Sales synchronization job",
}
STAGED, SEED = "demo.staged", "demo.seed"
LONG_NAME = (
    "Groupement intercantonal des artisans menuisiers, charpentiers et ébénistes du "
    "bassin lémanique et du Chablais {place}"
)


def seed_demo(store: Store, seed: int) -> None:
    """Three companies, one Sales environment; only the first has planted problems."""
    store.set_setting(SEED, seed)
    ground = Ground(store, seed)
    make_money(ground)
    first, services, boutique = (ground.company(name, LOCAL) for name in COMPANIES)
    make_people(ground, (first, services, boutique))
    for code in ABROAD:
        ground.currency(first, code, rated=code != UNRATED)
        if code != UNRATED:
            month = store.now().date().replace(day=1)
            ground.rate(first, code, month.isoformat())
    ground.rows(first, "jobQueueEntries", [RESTING_ENTRY])
    maker = CompanyMaker(seed)
    FirstCompany(store, ground, first, maker, seed).fill()
    for company, start, count in ((services, 500, 8), (boutique, 700, 5)):
        for number in range(start, start + count):
            add_customer(ground, company, maker.customer(str(number), LOCAL), number)


def make_money(ground: Ground) -> None:
    ground.organization(LOCAL)
    for code in OLD_IN_SALES:
        rate = exchange_rate(code, LOCAL) * 97 / 100
        ground.sales_currency(code, rate.quantize(rate))
    ground.sales_currency(SAME_IN_SALES, exchange_rate(SAME_IN_SALES, LOCAL))


def make_people(ground: Ground, companies: Sequence[Company]) -> None:
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
    sellers = (("Léa", "Corboz"), ("Jürg", "Wälchli"), ("Inès", "Décaillet"))
    for given, family in sellers:
        ground.user(
            given, family, f"{slug(given)}.{slug(family)}@fabrique.example", [role]
        )


class FirstCompany:
    """The customers of *Fabrique du Léman SA* and what Sales knows of them."""

    def __init__(
        self,
        store: Store,
        ground: Ground,
        company: Company,
        maker: CompanyMaker,
        seed: int,
    ) -> None:
        self._ground = ground
        self._company = company
        self._maker = maker
        self._seed = seed
        self._person = store.setting("sales.person")

    def fill(self) -> None:
        for place, group in enumerate(groups()):
            number = str(10010 + place * 10)
            customer = self._maker.customer(number, self._currency(place, group))
            if group == "long website":
                path = "/".join(["catalogue", "mobilier-et-amenagement"] * 5)
                customer["website"] += f"/{path}"
            add_customer(self._ground, self._company, customer, place)
            for key, values in self._partners(group, customer):
                self._account(values, key, place)
        for place, values in enumerate(self._only_in_sales()):
            self._account(values, f"own {place}", place)

    def _currency(self, place: int, group: str) -> str:
        if group == "unrated":
            return UNRATED
        if group in ("same number", "same name", "only here"):
            choices = MIX if group == "only here" else (*MIX[:9], "SEK")
            return Draw(self._seed, "currency", place).pick(choices)
        return LOCAL

    def _partners(
        self, group: str, customer: dict[str, Any]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The accounts that have to do with this customer, by a word for their id."""
        number = customer["number"]
        currency = self._ground.id("transactioncurrency", customer["currencyCode"])
        same = account_values(customer, currency)
        unnumbered = {**same, "accountnumber": None}
        if group == "same number":
            yield number, same
        elif group == "same name":
            yield number, {**unnumbered, "name": respelled(same["name"], int(number))}
        elif group == "same e-mail":
            yield number, {**unnumbered, "address1_postalcode": None}
        elif group == "number held by inactive":
            yield number, {**same, "statecode": 1, "statuscode": 2}
        elif group == "number held by vendor":
            vendor = self._maker.customer(f"V{number}", LOCAL)
            yield (
                number,
                account_values(vendor, currency)
                | {
                    "accountnumber": number,
                    "customertypecode": 11,
                },
            )
        elif group == "two candidates":
            for twin in ("a", "b"):
                mail = f"{twin}.{same['emailaddress1']}"
                yield f"{number}{twin}", {**unnumbered, "emailaddress1": mail}

    def _only_in_sales(self) -> Iterator[dict[str, Any]]:
        """Accounts for which a customer must be created; four of them cannot be."""
        franc = self._ground.id("transactioncurrency", LOCAL)
        for place in range(13):
            values = account_values(self._maker.customer(f"S{place}", LOCAL), franc)
            values["accountnumber"] = None
            if place in (3, 8):
                towns = {3: "(Lausanne)", 8: "(Monthey)"}
                values["name"] = LONG_NAME.format(place=towns[place])
            if place in (5, 11):
                values["address1_country"] = {5: "Suisse", 11: "Schweiz"}[place]
            yield values

    def _account(self, values: dict[str, Any], key: str, place: int) -> None:
        at = self._ground.moment + timedelta(hours=place * 3, seconds=place)
        self._ground.sales_account(values, key, at, self._person)


def groups() -> Iterator[str]:
    for group, count in GROUPS:
        yield from [group] * count


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
        company = ground.id("company", COMPANIES[0])
        customers = store.table(f"bc:{company}:customers")
        accounts = table_of(store, ACCOUNT)
        person = store.setting("sales.person")
        for place in PAIRS_CHANGED_ON_BOTH_SIDES:
            number = str(10010 + place * 10)
            customer = customers.get(ground.id(company, "customer", number))
            account = accounts.get(ground.id(ACCOUNT.logical, number))
            if customer and account:
                customers.update(customer, {"phoneNumber": f"+41 21 555 {place} 01"})
                change = {"telephone1": f"+41 22 555 {place} 02"}
                accounts.update(account, change, person)
        for place in ACCOUNTS_DELETED:
            account_id = ground.id(ACCOUNT.logical, str(10010 + place * 10))
            if accounts.get(account_id):
                accounts.delete(account_id, person)
    return True
