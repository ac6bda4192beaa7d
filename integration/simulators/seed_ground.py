"""What both systems need before the first customer: people, roles, money, companies."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from integration.simulators.entities import Entity
from integration.simulators.fault_states import ADMINISTRATOR
from integration.simulators.sales_security import (
    ALL_PRIVILEGES,
    PRIVILEGED,
    VERBS,
    privilege,
)
from integration.simulators.sales_tables import (
    CURRENCY,
    ORGANIZATION,
    ROLE,
    USER,
    table_of,
)
from integration.simulators.seed_companies import WORDS, seeded_id
from integration.simulators.store import Store

ENVIRONMENT = "production"
COST_DIGITS = Decimal("1e-6")
RATE_DIGITS = Decimal("1e-10")
#: Rates of the first of January two years back are valid on any day a demo runs.
OLD_RATE = "2024-01-01"

#: Sales column by Business Central property, for customers.
ACCOUNT_COLUMNS = {
    "number": "accountnumber",
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
}


class Company(NamedTuple):
    """A company of the Business Central environment; ``currency`` is its local one."""

    id: str
    name: str
    currency: str

    def place(self, set_name: str) -> str:
        return f"bc:{self.id}:{set_name}"


class Money(NamedTuple):
    """A currency: its name and sign, and what 100 units cost in Swiss francs."""

    name: str
    symbol: str
    francs_per_hundred: str


def money(code: str) -> Money:
    """A currency by code; an unknown one is called by its code and costs one franc."""
    return Money(*WORDS["currencies"].get(code, (code, code, "100")))


def francs(code: str) -> Decimal:
    return Decimal(money(code).francs_per_hundred)


def exchange_rate(code: str, base: str) -> Decimal:
    """Units of the currency per unit of the base, as Dataverse counts (§3.3)."""
    return (100 / francs(code) * francs(base) / 100).quantize(RATE_DIGITS)


def account_values(customer: Mapping[str, Any], currency_id: str) -> dict[str, Any]:
    """The account that equals this customer in every mapped column."""
    values = {
        column: customer.get(name) or None for name, column in ACCOUNT_COLUMNS.items()
    }
    return {**values, "customertypecode": 3, CURRENCY.id_name: currency_id}


class Ground:
    """Writes base rows; ids follow from the seed. ``moment``: when they were made."""

    def __init__(self, store: Store, seed: int) -> None:
        self.seed = seed
        self.moment = store.now().replace(microsecond=0) - timedelta(days=60)
        self._store = store

    def id(self, *words: object) -> str:
        return seeded_id(self.seed, *words)

    def add(
        self, place: str, values: dict[str, Any], id: str, at: datetime | None = None
    ) -> None:
        self._store.table(place).insert(values, id, at=at or self.moment)

    def _sales(self, entity: Entity, values: dict[str, Any], *words: str) -> str:
        """A row of Sales; its id follows from the words."""
        key = self.id(entity.logical, *words)
        table_of(self._store, entity).insert(values, key, at=self.moment)
        return key

    def company(
        self,
        name: str,
        currency: str,
        countries: Sequence[dict[str, Any]] = (),
        information: Mapping[str, Any] | None = None,
    ) -> Company:
        """A company with its information, ledger set-up and countries.

        ``countries`` come before ours; ``information`` is what is known of it already.
        """
        company = Company(self.id("company", name), name, currency)
        self.add("bc:companies", {"name": name, "displayName": name}, company.id)
        about = {"displayName": name, **(information or {}), "currencyCode": currency}
        self.rows(company, "companyInformation", [about])
        symbol = money(currency).symbol
        setup = {"localCurrencyCode": currency, "localCurrencySymbol": symbol}
        self.rows(company, "generalLedgerSetup", [setup])
        names = WORDS["countries"] | {row["code"]: None for row in countries}
        ours = [
            {"code": c, "displayName": label} for c, label in names.items() if label
        ]
        self.rows(company, "countriesRegions", [*countries, *ours])
        return company

    def rows(
        self, company: Company, set_name: str, rows: Iterable[dict[str, Any]]
    ) -> None:
        """Rows of a company, old ones; their ids follow from their codes."""
        for number, values in enumerate(rows):
            key = values.get("code") or values.get("number") or number
            place = company.place(set_name)
            self.add(place, values, self.id(company.id, set_name, key))

    def currency(self, company: Company, code: str, *, rated: bool = True) -> None:
        """A currency of a company; with a rate of long ago if ``rated``."""
        known = money(code)
        values = {"code": code, "displayName": known.name, "symbol": known.symbol}
        self.rows(company, "currencies", [values])
        if rated:
            self.rate(company, code)

    def rate(self, company: Company, code: str, date: str = OLD_RATE) -> None:
        """What 100 units cost in the local currency from that date on."""
        cost = francs(code) * 100 / francs(company.currency)
        values = {
            "currencyCode": code,
            "startingDate": date,
            "exchangeRateAmount": Decimal(100),
            "relationalCurrencyCode": "",
            "relationalExchangeRateAmount": cost.quantize(COST_DIGITS).normalize(),
        }
        key = self.id(company.id, "rate", code, date)
        self.add(company.place("currencyExchangeRates"), values, key)

    def customer(self, company: Company, values: dict[str, Any], place: int) -> None:
        """A customer, last modified some hours after the one before it."""
        local = values["currencyCode"] == company.currency
        # Business Central keeps its own currency as blank.
        stored = {**values, "currencyCode": "" if local else values["currencyCode"]}
        at = self.moment + timedelta(hours=place % 1400, seconds=place % 3600)
        key = self.id(company.id, "customer", values["number"])
        self.add(company.place("customers"), stored, key, at)

    def sales_currency(self, code: str, rate: Decimal) -> str:
        known = money(code)
        values = {
            "isocurrencycode": code,
            "currencyname": known.name,
            "currencysymbol": known.symbol,
            "currencyprecision": 2,
            "exchangerate": rate,
        }
        return self._sales(CURRENCY, values, code)

    def organization(self, base: str) -> None:
        """The Sales environment with its base currency, roles and a person."""
        self._store.set_setting("tenant", self.id("tenant"))
        self._store.set_setting("environment", ENVIRONMENT)
        values = {
            "name": "Sales",
            "organizationid": self.id(ORGANIZATION.logical),
            "businessunitid": self.id("businessunit"),
            "basecurrencyid": self.sales_currency(base, Decimal(1)),
            "account_number_key": True,
        }
        self._sales(ORGANIZATION, values)
        person = self.user("Claire", "Rochat", "claire.rochat@fabrique.example", [])
        self._store.set_setting("sales.person", person)

    def role(
        self, name: str, privileges: Iterable[str], template: str | None = None
    ) -> str:
        values = {
            "name": name,
            "privileges": sorted(privileges),
            "roletemplateid": template,
            "businessunitid": self.id("businessunit"),
        }
        return self._sales(ROLE, values, name)

    def integration_role(self, without: Iterable[str] = ()) -> str:
        """The role of Microsoft's own integration, less the given privileges."""
        tables = ("Account", "TransactionCurrency")
        granted = {privilege(verb, table) for verb in VERBS for table in tables}
        granted |= {privilege("Read", table) for table in PRIVILEGED}
        name = "Business Central Dataverse Integration"
        return self.role(name, granted - set(without))

    def administrator_role(self) -> str:
        name, template = ADMINISTRATOR["name"], ADMINISTRATOR["roletemplateid"]
        return self.role(name, ALL_PRIVILEGES, template)

    def user(
        self, first: str, last: str, name: str, roles: list[str], **more: Any
    ) -> str:
        """A Sales user; ``more`` as columns, for example ``applicationid``."""
        values = {
            "firstname": first,
            "lastname": last,
            "fullname": f"{first} {last}".strip(),
            "domainname": name,
            "internalemailaddress": name,
            "businessunitid": self.id("businessunit"),
            "roles": roles,
            "islicensed": True,
            "accessmode": 0,
        }
        return self._sales(USER, values | more, name)

    def application(self, name: str, roles: list[str]) -> dict[str, str]:
        """An Entra app that is a user of both systems; its id and secret."""
        client, secret = self.id("app", name), f"simulated-{self.id('secret', name)}"
        self.add("entra:apps", {"name": name, "secret": secret, "state": "ok"}, client)
        self.user("#", name, f"{client}@app", roles, applicationid=client, accessmode=4)
        return {"client_id": client, "client_secret": secret}

    def account(self, upn: str, roles: list[str], state: str = "ok") -> dict[str, str]:
        """An Entra user account that is a user of both systems."""
        password = f"simulated-{self.id('password', upn)}"
        values = {"upn": upn, "password": password, "state": state}
        self.add("entra:accounts", values, upn)
        self.user(upn.partition("@")[0], "", upn, roles)
        return {"user": upn, "password": password}

    def connection(self, company: Company, sign_in: Mapping[str, str]) -> None:
        """One more connection that quickstart makes, in this order."""
        described = {
            "name": company.name,
            "company_id": company.id,
            "company_name": company.name,
            "sign_in": "user_account" if "user" in sign_in else "client_secret",
            **sign_in,
        }
        before = self._store.setting("seed.connections", [])
        self._store.set_setting("seed.connections", [*before, described])

    def one_connection(self, company: Company) -> None:
        """An integration user that may do all it needs, and a user account."""
        role = self.integration_role()
        self.connection(company, self.application("Sync Errors", [role]))
        self.spare_account(role)

    def spare_account(self, role: str) -> None:
        """The user account that ``simulators.json`` names."""
        spare = self.account("outside.client@fabrique.example", [role])
        self._store.set_setting("seed.user", spare)
