from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from integration.simulators.business_central_rules import CUSTOMERS, Company, checked
from integration.simulators.http import SimulatorError
from integration.simulators.seed import (
    describe_connections,
    seed,
    seed_generated,
    simulators_json,
)
from integration.simulators.seed_demo import seed_demo, stage_demo_edits
from integration.simulators.seed_ground import account_values
from integration.simulators.store import Row, Store
from tests.simulators.sales_client import SalesClient, currency_id, error_of

ADMINISTRATOR = "627090ff-40a3-4053-8790-584edc5be201"


@pytest.fixture
def demo() -> Store:
    store = Store(None)
    seed_demo(store, 1)
    return store


def rows(store: Store, entity_set: str, place: int = 0) -> list[Row]:
    """Rows of a company of Business Central."""
    company = describe_connections(store)[place]["company_id"]
    return store.table(f"bc:{company}:{entity_set}").rows()


def accounts(store: Store) -> list[Row]:
    return store.table("sales:accounts").rows()


def everything(store: Store) -> dict[str, list[tuple[str, Any]]]:
    """Each table's ids and values."""
    return {
        name: [(row.id, row.values) for row in store.table(name).rows()]
        for name in store.table_names()
    }


def user_roles(store: Store, client_id: str) -> list[Row]:
    (user,) = store.table("sales:systemusers").find("applicationid", client_id)
    found = (store.table("sales:roles").get(role) for role in user.values["roles"])
    return [role for role in found if role]


def test_the_same_seed_makes_the_same_company(demo: Store) -> None:
    again, other = Store(None), Store(None)
    seed_demo(again, 1)
    seed_demo(other, 2)

    assert everything(again) == everything(demo)
    assert everything(other) != everything(demo)


def test_the_demonstration_is_swiss_and_of_believable_size(demo: Store) -> None:
    customers = rows(demo, "customers")

    assert 230 <= len(customers) <= 300
    assert rows(demo, "generalLedgerSetup")[0].values["localCurrencyCode"] == "CHF"
    text = "".join(row.values["displayName"] for row in customers)
    for letters in ("éèç", "äöü", "&'", "Ελλ", "Мебели", "株式会社"):
        assert all(letter in text for letter in letters)


def test_names_numbers_and_mails_are_given_once(demo: Store) -> None:
    customers = rows(demo, "customers")

    for name in ("number", "displayName", "email"):
        values = Counter(row.values[name] for row in customers)
        assert values.most_common(1)[0][1] == 1


def test_customers_were_modified_in_the_recent_past(demo: Store) -> None:
    ages = [(demo.now() - row.modified_at).days for row in rows(demo, "customers")]

    assert min(ages) >= 0
    assert max(ages) <= 60


def test_the_integration_role_lacks_one_privilege(demo: Store) -> None:
    (role,) = user_roles(demo, describe_connections(demo)[0]["client_id"])

    assert "prvWriteTransactionCurrency" not in role.values["privileges"]
    assert "prvCreateTransactionCurrency" in role.values["privileges"]


def test_coupled_currencies_need_an_update(demo: Store) -> None:
    rates = {
        row.values["isocurrencycode"]: row.values["exchangerate"]
        for row in demo.table("sales:transactioncurrencies").rows()
    }

    euro = round(Decimal(100) / Decimal("93.15"), 10)
    krona = round(Decimal(100) / Decimal("8.46"), 10)
    assert rates["EUR"] != euro
    assert rates["SEK"] == krona


def test_one_currency_has_no_rate_and_customers_that_wait(demo: Store) -> None:
    rated = {row.values["currencyCode"] for row in rows(demo, "currencyExchangeRates")}
    codes = {row.values["code"] for row in rows(demo, "currencies")}
    waiting = [r for r in rows(demo, "customers") if r.values["currencyCode"] == "GBP"]

    assert codes - rated == {"GBP"}
    assert len(waiting) == 12


def test_some_accounts_cannot_become_customers(demo: Store) -> None:
    names = [len(row.values["name"]) for row in accounts(demo)]
    countries = {row.values["address1_country"] for row in accounts(demo)}
    known = {row.values["code"] for row in rows(demo, "countriesRegions")}

    assert sum(100 < length <= 160 for length in names) == 2
    assert countries - known == {"Suisse", "Schweiz"}


def test_business_central_refuses_exactly_the_planted_accounts(demo: Store) -> None:
    (row,) = demo.table("bc:companies").find("name", "Fabrique du Léman SA")
    company = Company(demo, row.id, "Fabrique du Léman SA")
    refusals = Counter(
        refusal_of(company, account.values)
        for account in accounts(demo)
        if not account.values["accountnumber"]
    )

    assert refusals["Application_StringExceededLength"] == 2
    assert refusals["Internal_InvalidTableRelation"] == 2
    assert set(refusals) == {
        "",
        "Application_StringExceededLength",
        "Internal_InvalidTableRelation",
    }


def refusal_of(company: Company, account: dict[str, Any]) -> str:
    """The code with which a customer made of this account is refused, if it is."""
    body = {
        "displayName": account["name"],
        "country": account["address1_country"],
        "website": account["websiteurl"],
        "city": account["address1_city"],
    }
    try:
        checked(company, CUSTOMERS, body, None)
    except SimulatorError as error:
        return error.code
    return ""


def test_sales_refuses_exactly_the_planted_customers(demo: Store) -> None:
    client = SalesClient(demo)
    held = {row.values["accountnumber"] for row in accounts(demo)}
    refusals: Counter[str] = Counter()
    franc = currency_id(client, "CHF")
    for row in rows(demo, "customers"):
        values = account_values(row.values, franc)
        del values["transactioncurrencyid"]
        if row.values["number"] in held or len(row.values["website"]) > 200:
            answer = client.call("POST", "accounts", values)
            refusals[error_of(answer)[1]] += 1

    assert refusals["0x80044331"] == 1
    assert set(refusals) == {"0x80044331", "0x80060892"}


def test_numbers_are_held_by_accounts_that_no_review_sees(demo: Store) -> None:
    numbers = {row.values["number"] for row in rows(demo, "customers")}
    hidden = [
        row.values
        for row in accounts(demo)
        if row.values.get("statecode") == 1 or row.values["customertypecode"] == 11
    ]

    assert {values["accountnumber"] for values in hidden} <= numbers
    assert {values["customertypecode"] for values in hidden} == {3, 11}
    assert len(hidden) == 3


def test_two_customers_have_two_candidates_each(demo: Store) -> None:
    found = Counter(
        (row.values["name"].casefold(), row.values["address1_postalcode"])
        for row in accounts(demo)
    )

    assert sorted(found.values())[-3:] == [1, 2, 2]


def test_one_website_is_too_long_for_sales_but_not_here(demo: Store) -> None:
    lengths = [len(row.values["website"]) for row in rows(demo, "customers")]

    assert [length for length in lengths if length > 200] == [max(lengths)]
    assert max(lengths) <= 255


def test_the_three_connections_sign_in_in_three_ways(demo: Store) -> None:
    first, second, third = describe_connections(demo)

    assert [first["sign_in"], third["sign_in"]] == ["client_secret", "user_account"]
    (role,) = user_roles(demo, second["client_id"])
    assert role.values["roletemplateid"] == ADMINISTRATOR
    (account,) = demo.table("entra:accounts").find("upn", third["user"])
    assert account.values["state"] == "mustChange"
    assert account.values["password"] == third["password"]
    assert [len(rows(demo, "customers", place)) for place in (1, 2)] == [8, 5]


def test_people_edit_both_sides_once_after_the_first_run(demo: Store) -> None:
    before = demo.version
    count = len(accounts(demo))

    assert stage_demo_edits(demo) is True
    assert stage_demo_edits(demo) is False

    edited = [row for row in rows(demo, "customers") if row.version > before]
    partners = [row for row in accounts(demo) if row.version > before]
    assert len(accounts(demo)) == count - 2
    numbers = {row.values["number"] for row in edited}
    assert {row.values["accountnumber"] for row in partners} == numbers
    assert len(numbers) == 2
    person = demo.setting("sales.person")
    assert {row.modified_by for row in partners} == {person}


def test_edits_leave_alone_what_is_gone_and_what_is_no_demonstration() -> None:
    store, generated = Store(None), Store(None)
    seed_demo(store, 1)
    seed_generated(generated, 5, 1)
    for row in accounts(store):
        store.table("sales:accounts").delete(row.id)

    assert stage_demo_edits(store) is True
    assert stage_demo_edits(generated) is False


def test_generated_customers_are_many_unlike_and_without_fault() -> None:
    store = Store(None)
    seed_generated(store, 3000, 7)

    customers = rows(store, "customers")
    codes = {row.values["currencyCode"] for row in customers} - {""}
    rated = {row.values["currencyCode"] for row in rows(store, "currencyExchangeRates")}
    assert len(customers) == 3000
    assert len({row.values["displayName"] for row in customers}) == 3000
    assert len({row.values["email"] for row in customers}) == 3000
    assert len(codes) >= 5
    assert codes <= rated
    assert accounts(store) == []
    assert len(describe_connections(store)) == 1


def test_generated_data_repeats_with_its_seed() -> None:
    stores = [Store(None) for _ in range(3)]
    for store, number in zip(stores, (1, 1, 2), strict=True):
        seed(store, number, records=50)

    assert everything(stores[0]) == everything(stores[1])
    assert everything(stores[0]) != everything(stores[2])


def test_a_store_that_holds_data_is_left_as_it_is(demo: Store) -> None:
    before = demo.version

    assert seed(demo, 5, records=10) is False
    assert demo.version == before


def test_an_outside_client_learns_what_it_needs(demo: Store) -> None:
    found = simulators_json(demo, "http://127.0.0.1:8100")

    tenant = found["tenant"]
    assert found["token_url"] == f"http://127.0.0.1:8100/{tenant}/oauth2/v2.0/token"
    assert found["company_name"] == "Fabrique du Léman SA"
    (account,) = demo.table("entra:accounts").find("upn", found["user"])
    assert account.values["state"] == "ok"
    assert account.values["password"] == found["password"]
    assert len(found["connections"]) == 3
