import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import quote

import pytest
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request

from integration.simulators import pages
from integration.simulators.seed import describe_connections
from integration.simulators.seed_demo import seed_demo
from integration.simulators.store import Row, Store

AWKWARD = 'Müller & Söhne + Co\'s "Test"'


class Pages:
    """The record pages of the demonstration, as a browser gets them."""

    def __init__(self) -> None:
        self.store = Store(None)
        seed_demo(self.store, 1)
        app = Request.application(lambda request: pages.handle(self.store, request))
        self.http = Client(app)
        self.company = describe_connections(self.store)[0]
        self.place = f"bc:{self.company['company_id']}:"

    def open(self, address: str, form: Mapping[str, str] | None = None) -> TestResponse:
        if form is None:
            return self.http.get(address)
        return self.http.post(address, data=dict(form))

    def card(self, page: int, field: str, value: str, company: str = "") -> str:
        """A deep link as the product writes it, everything encoded."""
        name = quote(company or self.company["company_name"], safe="")
        quoted = value.replace("'", "''")
        condition = quote(f"'{field}' IS '{quoted}'", safe="")
        start = f"/bc/{self.store.setting('tenant')}/production/?company={name}"
        return f"{start}&page={page}&filter={condition}"

    def customer(self, number: str = "10010") -> Row:
        return self.store.table(f"{self.place}customers").find("number", number)[0]

    def account(self, number: str = "10010") -> Row:
        accounts = self.store.table("sales:accounts")
        return accounts.find("accountnumber", number)[0]

    def form_of(self, table: str, id: str) -> str:
        query = f"appname=saleshub&pagetype=entityrecord&etn={table}&id={id}"
        return f"/sales/main.aspx?{query}"


@pytest.fixture
def site() -> Pages:
    return Pages()


def heading(answer: TestResponse) -> str:
    found = re.search("<h1>(.*?)</h1>", answer.text)
    return unescape(found[1]) if found else ""


def fields(answer: TestResponse) -> dict[str, str]:
    """What the form would send: its texts, chosen options and ticked boxes."""
    html = answer.text
    found = re.findall(r'<input name="([^"]*)" value="([^"]*)"', html)
    found += re.findall(r'name="([^"]*)" value="(1)" checked', html)
    for name, options in re.findall(r'<select name="([^"]*)">(.*?)</select>', html):
        found += [(name, v) for v in re.findall(r'value="([^"]*)" selected', options)]
    return {name: unescape(value) for name, value in found}


def test_a_customer_is_found_by_number_and_shows_its_name(site: Pages) -> None:
    answer = site.open(site.card(21, "No.", "10010"))

    assert answer.status_code == 200
    assert heading(answer) == site.customer().values["displayName"]


def test_an_awkward_company_and_number_still_lead_there(site: Pages) -> None:
    companies = site.store.table("bc:companies")
    row = companies.get(site.company["company_id"])
    assert row
    companies.update(row, {"name": AWKWARD})
    table = site.store.table(f"{site.place}customers")
    table.update(site.customer(), {"number": "O'1+&", "displayName": "<b>"})

    answer = site.open(site.card(21, "No.", "O'1+&", company=AWKWARD))

    assert heading(answer) == "<b>"
    assert "Müller &amp; Söhne + Co&#x27;s" in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/bc/{tenant}/production/?company=Nobody&page=21&filter='No.' IS '10010'",
        "/bc/{tenant}/production/?company={company}&page=21&filter='No.' IS '1'",
        "/bc/{tenant}/production/?company={company}&page=21&filter=nonsense",
        "/bc/{tenant}/production/?company={company}&page=9999",
        "/bc/{tenant}/production/?company={company}&page=483&filter='Code' IS 'X'",
        "/sales/main.aspx?etn=account&id=11111111-2222-3333-4444-555555555555",
        "/sales/main.aspx?etn=nothing&id=1",
        "/entra/users?upn=nobody@nowhere.example",
        "/entra/apps?client_id=1",
    ],
)
def test_a_missing_record_says_so_in_a_sentence(site: Pages, address: str) -> None:
    tenant, company = site.store.setting("tenant"), site.company["company_name"]

    answer = site.open(address.format(tenant=tenant, company=quote(company)))

    assert answer.status_code == 404
    assert "This record no longer exists." in answer.text


@pytest.mark.parametrize("address", ["/", "/bc/other/production/?page=21", "/x/y"])
def test_an_unknown_address_is_not_found(site: Pages, address: str) -> None:
    assert site.open(address).status_code == 404


def test_saving_a_customer_changes_what_was_typed_and_its_version(site: Pages) -> None:
    address, before = site.card(21, "No.", "10010"), site.customer().version
    form = fields(site.open(address)) | {"city": "Épalinges"}

    answer = site.open(address, form)

    assert answer.status_code == 200
    assert "Saved." in answer.text
    assert site.customer().values["city"] == "Épalinges"
    assert site.customer().version > before


@pytest.mark.parametrize("page", ["customer", "account"])
def test_saving_without_a_change_writes_nothing(site: Pages, page: str) -> None:
    row = site.customer() if page == "customer" else site.account()
    address = site.form_of("account", row.id)
    if page == "customer":
        address = site.card(21, "No.", "10010")
    before = row.version

    site.open(address, fields(site.open(address)))

    assert row.version == before


def test_a_refusal_is_shown_and_what_was_typed_is_kept(site: Pages) -> None:
    address = site.card(21, "No.", "10010")
    form = fields(site.open(address)) | {"city": "x" * 31, "phoneNumber": "1"}

    answer = site.open(address, form)

    assert answer.status_code == 400
    assert "must be less than or equal to 30 characters" in unescape(answer.text)
    assert fields(answer)["phoneNumber"] == "1"
    assert site.customer().values["phoneNumber"] != "1"


def test_a_customer_can_be_deleted(site: Pages) -> None:
    address = site.card(21, "No.", "10010")

    assert site.open(address, {"action": "delete"}).status_code == 200
    assert site.open(address).status_code == 404


def test_a_currency_and_the_ledger_setup_have_a_card(site: Pages) -> None:
    currency = site.open(site.card(495, "Code", "EUR"))
    start = f"/bc/{site.store.setting('tenant')}/production/"
    company = quote(site.company["company_name"])
    setup = site.open(f"{start}?company={company}&page=118")

    assert heading(currency) == "Euro"
    assert fields(setup)["localCurrencyCode"] == "CHF"


def test_an_exchange_rate_can_be_added(site: Pages) -> None:
    address = site.card(483, "Currency Code", "GBP")
    rate = {
        "new-startingDate": "2026-01-01",
        "new-exchangeRateAmount": "100",
        "new-relationalExchangeRateAmount": "106,20",
    }

    answer = site.open(address, rate)

    assert heading(answer) == "GBP Pound Sterling"
    found = site.store.table(f"{site.place}currencyExchangeRates")
    (row,) = found.find("currencyCode", "GBP")
    assert str(row.values["relationalExchangeRateAmount"]) == "106.20"
    assert row.values["startingDate"] == "2026-01-01"


def test_an_exchange_rate_can_be_changed(site: Pages) -> None:
    address = site.card(483, "Currency Code", "EUR")
    form = fields(site.open(address))
    name = next(n for n in form if n.endswith("relationalExchangeRateAmount"))

    site.open(address, form | {name: "90"})

    assert fields(site.open(address))[name] == "90"


@pytest.mark.parametrize(
    ("date", "amount", "reason"),
    [
        ("yesterday", "1", "is not a date"),
        ("2026-01-01", "much", "is not a number"),
        ("2024-01-01", "1", "already exists"),
    ],
)
def test_a_bad_exchange_rate_is_refused(
    site: Pages, date: str, amount: str, reason: str
) -> None:
    names = ("startingDate", "exchangeRateAmount", "relationalExchangeRateAmount")
    keys = [f"new-{name}" for name in names]
    values = dict(zip(keys, (date, amount, "1"), strict=True))
    address = site.card(483, "Currency Code", "EUR")

    answer = site.open(address, fields(site.open(address)) | values)

    assert answer.status_code == 400
    assert reason in answer.text


def test_an_account_is_saved_by_a_person(site: Pages) -> None:
    row = site.account()
    address = site.form_of("account", f"{{{row.id}}}")
    form = fields(site.open(address)) | {"telephone1": "+41 1", "statecode": "1"}

    answer = site.open(address, form)

    row = site.account()
    assert heading(answer) == row.values["name"]
    assert row.values["telephone1"] == "+41 1"
    assert (row.values["statecode"], row.values["statuscode"]) == (1, 2)
    assert row.modified_by == site.store.setting("sales.person")


def test_an_accounts_currency_can_be_chosen_and_cleared(site: Pages) -> None:
    address = site.form_of("account", site.account().id)

    site.open(address, fields(site.open(address)) | {"transactioncurrencyid": ""})
    assert site.account().values["transactioncurrencyid"] is None

    franc = site.store.table("sales:transactioncurrencies").rows()[0].id
    site.open(address, fields(site.open(address)) | {"transactioncurrencyid": franc})
    assert site.account().values["transactioncurrencyid"] == franc


def test_a_refused_account_says_why(site: Pages) -> None:
    address = site.form_of("account", site.account().id)

    answer = site.open(address, fields(site.open(address)) | {"name": "x" * 161})

    assert answer.status_code == 400
    assert "exceeded the maximum allowed length of '160'" in unescape(answer.text)


def test_an_account_can_be_deleted_and_a_currency_has_no_button(site: Pages) -> None:
    account = site.form_of("account", site.account().id)
    currency = site.store.table("sales:transactioncurrencies").rows()[1].id
    page = site.open(site.form_of("transactioncurrency", currency))

    site.open(account, {"action": "delete"})

    assert site.open(account).status_code == 404
    assert heading(page) == "Euro"
    assert ">Delete</button>" not in page.text


def test_the_exchange_rate_of_a_sales_currency_can_be_typed(site: Pages) -> None:
    currencies = site.store.table("sales:transactioncurrencies")
    address = site.form_of("transactioncurrency", currencies.rows()[1].id)
    form = fields(site.open(address))

    wrong = site.open(address, form | {"exchangerate": "much"})
    site.open(address, form | {"exchangerate": "1.25"})

    assert "Exchange rate: much is not a number." in wrong.text
    assert str(currencies.rows()[1].values["exchangerate"]) == "1.25"


def test_a_privilege_is_given_to_a_role_by_a_tick(site: Pages) -> None:
    roles = site.store.table("sales:roles")
    address = site.form_of("role", roles.rows()[0].id)
    name = "prvWriteTransactionCurrency"
    before = list(roles.rows()[0].values["privileges"])

    form = fields(site.open(address)) | {f"privilege:{name}": "1"}
    site.open(address, form)

    assert sorted([*before, name]) == roles.rows()[0].values["privileges"]


def test_a_users_roles_and_state_are_boxes(site: Pages) -> None:
    users = site.store.table("sales:systemusers")
    (user,) = users.find("applicationid", site.company["client_id"])
    roles = site.store.table("sales:roles").rows()
    address = site.form_of("systemuser", user.id)

    form = fields(site.open(address))
    assert [n for n in form if n.startswith("role:")] == [f"role:{roles[0].id}"]
    del form[f"role:{roles[0].id}"]
    site.open(address, form | {f"role:{roles[1].id}": "1", "isdisabled": "1"})

    (user,) = users.find("applicationid", site.company["client_id"])
    assert user.values["roles"] == [roles[1].id]
    assert user.values["isdisabled"] is True


def test_a_new_password_ends_the_need_to_change_it(site: Pages) -> None:
    upn = describe_connections(site.store)[2]["user"]
    address = f"/entra/users?upn={upn}"
    form = fields(site.open(address))
    assert form["state"] == "mustChange"

    site.open(address, form | {"password": "new one"})

    (account,) = site.store.table("entra:accounts").find("upn", upn)
    assert account.values["state"] == "ok"
    assert account.values["password"] == "new one"


def test_an_accounts_state_can_be_set(site: Pages) -> None:
    address = f"/entra/users?upn={describe_connections(site.store)[2]['user']}"
    form = fields(site.open(address))

    site.open(address, form | {"state": "locked"})
    refused = site.open(address, form | {"state": "lost"})
    empty = site.open(address, form | {"password": " "})

    assert fields(site.open(address))["state"] == "locked"
    assert (refused.status_code, empty.status_code) == (400, 400)


def test_an_application_can_lose_its_secret(site: Pages) -> None:
    address = f"/entra/apps?client_id={site.company['client_id']}"
    form = fields(site.open(address))

    site.open(address, form | {"state": "expired"})
    refused = site.open(address, form | {"secret": ""})

    assert fields(site.open(address))["state"] == "expired"
    assert refused.status_code == 400


def test_another_site_cannot_post_here(site: Pages) -> None:
    address = site.card(21, "No.", "10010")
    headers = {"Origin": "http://elsewhere.example"}

    answer = site.http.post(address, data={"action": "delete"}, headers=headers)

    assert answer.status_code == 403
    assert site.open(address).status_code == 200


def test_a_currency_of_sales_is_activated_or_added_in_their_list(site: Pages) -> None:
    address = "/sales/main.aspx?pagetype=entitylist&etn=transactioncurrency"
    table = site.store.table("sales:transactioncurrencies")
    euro = table.find("isocurrencycode", "EUR")[0]
    table.update(euro, {"statecode": 1, "statuscode": 2})
    form = fields(site.open(address))

    new = {"isocurrencycode": "THB", "currencyname": "Baht", "currencysymbol": "฿"}
    typed = {f"new-{name}": value for name, value in new.items()}
    site.open(
        address,
        form | typed | {f"{euro.id}-statecode": "0", "new-exchangerate": "10,5"},
    )

    now = table.get(euro.id)
    assert now
    assert now.values["statecode"] == 0
    assert table.find("isocurrencycode", "THB")[0].values["currencyname"] == "Baht"


def test_a_job_queue_entry_is_put_on_hold(site: Pages) -> None:
    table = site.store.table(f"{site.place}jobQueueEntries")
    entry = table.rows()[0]
    table.update(entry, {"status": "Ready"})
    company = quote(site.company["company_name"], safe="")
    address = f"/bc/{site.store.setting('tenant')}/production/?company={company}"

    site.open(f"{address}&page=672", {f"{entry.id}-status": "On Hold"})

    now = table.get(entry.id)
    assert now
    assert now.values["status"] == "On Hold"
