"""The administrator's morning, in both languages: from the overview to healed.

Each journey starts on the overview, follows what a person would click, touches only our
pages and the record pages of the simulated systems, and ends on the page that is open,
without a reload. After each step navigation, chips, problems, overview and metrics must
tell the same number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys import outside
from tests.journeys.person import ENGLISH, FRENCH, SECONDS, Person, Words

pytestmark = pytest.mark.journey

NEW_PASSWORD = "Brand-new 2026"
FIRST, SECOND = "Fabrique du Léman SA", "Léman Services SA"
FOREIGN = 143
"""Customers of the second company who pay in a currency that is not coupled there."""

PRIVILEGE = (
    "Privilege prvWriteTransactionCurrency is missing",
    "Le privilège prvWriteTransactionCurrency manque",
)
ROLE = ("Open the integration role in Sales", "Ouvrir le rôle d'intégration dans Sales")
NO_RATE = (
    "Currency GBP has no exchange rate",
    "La devise GBP n'a pas de taux de change",
)
NO_BASE_RATE = (
    "Base currency DKK has no exchange rate",
    "La devise de base DKK n'a pas de taux",
)
RATES = (
    "Open the rates of {} in Business Central",
    "Ouvrir les taux de {} dans Business Central",
)
PASSWORD = (
    "Password for Business Central must be changed",
    "Mot de passe à changer pour Business Central",
)
ACCOUNT = (
    "Open the account in Microsoft Entra",
    "Ouvrir le compte dans Microsoft Entra",
)
ADMINISTRATOR = (
    "The integration user is an administrator",
    "L'utilisateur d'intégration est administrateur",
)
USER = (
    "Open the integration user in Sales",
    "Ouvrir l'utilisateur d'intégration dans Sales",
)
CONNECTION = ("the connection's page", "la page de la connexion")
UNCOUPLED = ("Currency CAD is not coupled", "La devise CAD n'est pas couplée")
CONFLICT = ("Changed on both sides: phone", "Modifié des deux côtés : téléphone")
DELETED = ("The account was deleted in Sales", "Le compte a été supprimé dans Sales")
TOO_LONG = ("Name is longer than 100 characters", "Le nom dépasse 100 caractères")
IN_SALES = ("Open the record in Sales", "Ouvrir l'enregistrement dans Sales")
COUNTRY = ("Country “SUISSE” is unknown", "Pays « SUISSE » : valeur inconnue")
DUPLICATE = (
    "Several records could be the same one",
    "Plusieurs enregistrements peuvent correspondre",
)
CANDIDATES = ("Open the candidates", "Ouvrir les candidats")

ACCEPT = "Accept and start writing"


@dataclass
class Morning:
    """A demonstration on this machine, and the administrator at its pages."""

    person: Person
    systems: outside.Systems
    data: Path

    def run(self, connection: str = FIRST) -> None:
        """Let a connection synchronize now: before a journey, not in it."""
        outside.manage(self.data, "sync", "--connection", connection)

    def begin(self, cause: Words) -> Person:
        """On the overview, which tells of the cause."""
        person = self.person
        person.start()
        link = person.page.locator("main").get_by_role("link", name=person.of(cause))
        expect(link.first).to_be_visible()
        person.agrees()
        return person

    def to_cause(self, cause: Words) -> Person:
        """From the overview to the page of the cause."""
        person = self.begin(cause)
        person.follow(person.of(cause))
        expect(person.page.locator("h1")).to_have_text(person.of(cause))
        person.agrees()
        return person

    def to_error(self, cause: Words, record: str = "") -> Person:
        """From the overview over the cause to one of its records."""
        person = self.to_cause(cause)
        person.click(person.page.locator(".actions a[href^='/errors/?problem=']"))
        person.agrees()
        row = person.page.locator("tbody tr", has_text=record).first
        person.click(row.locator("a.title"))
        expect(person.page.locator("h1")).to_have_text(person.of(cause))
        person.agrees()
        return person

    def gone(self, cause: Words) -> None:
        """Nothing fails for this cause any more."""
        person = self.person
        person.until(lambda: person.of(cause) not in person.asked("/problems/"))

    def healed(self) -> None:
        """The open page says so by itself, and every page the same number."""
        resolved = self.person.say("resolved", "reason")
        badge = self.person.page.locator(".facts .badge").first
        expect(badge).to_have_text(resolved, timeout=SECONDS * 1000)
        self.person.agrees()


@pytest.fixture(scope="module", params=[ENGLISH, FRENCH])
def morning(
    browser: Browser,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Morning]:
    """One demonstration for each language; the person comes by the printed link."""
    data = tmp_path_factory.mktemp("heal")
    with outside.demonstration(data) as (link, systems):
        context = browser.new_context(locale=request.param)
        page = context.new_page()
        page.goto(link)
        base = link.partition("/sign-in/")[0]
        assert page.url == f"{base}/", "the link leads to the overview"
        yield Morning(Person(base, page, request.param), systems, data)
        context.close()


def code_in(words: Words, code: str) -> Words:
    return words[0].format(code), words[1].format(code)


def add_rate(rates: Page) -> None:
    rates.locator("[name=new-exchangeRateAmount]").fill("100")
    rates.locator("[name=new-relationalExchangeRateAmount]").fill("112.5")


def test_a_missing_privilege_is_granted_on_the_role_and_retried(
    morning: Morning,
) -> None:
    person = morning.to_error(PRIVILEGE)

    with person.cured(ROLE) as role:
        role.get_by_label("Write (prvWriteTransactionCurrency)").check()
    person.press(person.say("Retry"))

    morning.healed()


def test_a_currency_without_rate_heals_with_what_waits_for_it(
    morning: Morning,
) -> None:
    person = morning.to_error(NO_RATE, "GBP Pound")

    with person.cured(code_in(RATES, "GBP")) as rates:
        add_rate(rates)
    person.press(person.say("Retry"))

    morning.healed()
    morning.gone(NO_RATE)
    person.agrees()


def test_a_base_currency_without_rate_stops_all_until_it_has_one(
    morning: Morning,
) -> None:
    fault = {"id": "bc-base-currency-no-rate", "record": "DKK"}
    morning.systems.control("faults", fault)
    morning.run()
    person = morning.to_cause(NO_BASE_RATE)

    with person.cured(code_in(RATES, "DKK")) as rates:
        add_rate(rates)

    resolved = person.say("resolved", "state of an error")
    expect(person.page.locator("#state")).to_have_text(resolved, timeout=SECONDS * 1000)
    person.agrees()
    morning.systems.control("faults", {"clear": True})
    morning.run()


def test_a_new_password_is_saved_once_and_the_connection_resumes(
    morning: Morning,
) -> None:
    person = morning.to_error(PASSWORD)

    with person.cured(ACCOUNT) as account:
        account.locator("[name=password]").fill(NEW_PASSWORD)
    person.follow(person.of(CONNECTION))
    person.agrees()
    page = person.page
    person.click(page.locator("summary", has_text=person.say("New password")).first)
    page.locator("[type=password]").first.fill(NEW_PASSWORD)
    person.press(person.say("Save and check"))

    person.sees(person.say("The check passed and the connection goes on."))
    person.agrees()
    morning.gone(PASSWORD)


def test_a_company_is_set_up_and_143_customers_go_when_their_currency_is_coupled(
    morning: Morning,
) -> None:
    add_foreign_customers(morning.systems)
    person = morning.to_error(ADMINISTRATOR)
    with person.cured(USER) as user:
        user.get_by_label("System Administrator").uncheck()
        user.get_by_label("Business Central Dataverse Integration").check()
    person.follow(person.of(CONNECTION))
    person.press(person.say("Check and enable"))
    person.sees(person.say("The connection is enabled."))
    person.agrees()
    morning.gone(ADMINISTRATOR)

    person.follow("CUSTOMER")
    accept(person)
    person.until(lambda: person.of(UNCOUPLED) in person.asked("/"))
    person.follow(person.say("Overview"), "nav")
    person.agrees()
    cause = person.page.locator(".causes li", has_text=person.of(UNCOUPLED))
    records = person.count("%(count)s record", "%(count)s records", FOREIGN)
    person.clicks = 0
    person.click(cause.get_by_role("link", name=records))
    expect(person.page.locator("tbody tr").first).to_contain_text(
        person.say("waiting for %(what)s", what="CAD")
    )
    assert person.clicks == 1, "all that wait for it are found at once"
    person.agrees()

    person.follow(person.say("Overview"), "nav")
    line = person.page.locator("tr", has_text="CURRENCY").filter(has_text=SECOND)
    person.click(line.get_by_role("link", name="CURRENCY"))
    accept(person)

    person.follow(person.say("Overview"), "nav")
    morning.gone(UNCOUPLED)
    person.agrees()


def add_foreign_customers(systems: outside.Systems) -> None:
    """Customers who pay in Canadian dollars, and the currency with its rate."""
    place = {"system": "business_central", "company": SECOND, "action": "add"}
    named = {"code": "CAD", "displayName": "Canadian Dollar"}
    rate = {"currencyCode": "CAD", "startingDate": "2026-01-01"}
    amounts = {"exchangeRateAmount": 100, "relationalExchangeRateAmount": 94}
    customers = [
        {"number": str(70001 + n), "displayName": f"Érable {n}", "currencyCode": "CAD"}
        for n in range(FOREIGN)
    ]
    for entity, rows in (
        ("currencies", [named]),
        ("currencyExchangeRates", [rate | amounts]),
        ("customers", customers),
    ):
        systems.control("records", {**place, "entity": entity, "records": rows})


def accept(person: Person) -> None:
    """Look at the plan of a mapping on its page, and let it write."""
    button = person.page.get_by_role("button", name=person.say(ACCEPT))
    expect(button).to_be_visible(timeout=SECONDS * 1000)
    person.click(button)
    person.sees(person.say("accepted"))


def test_a_conflict_is_answered_after_its_plan_was_shown(morning: Morning) -> None:
    person = morning.to_error(CONFLICT)

    person.follow(person.say("Take Sales' values…"))
    person.agrees()
    person.press(person.count("Overwrite %(n)s field", "Overwrite %(n)s fields", 1))

    morning.healed()


def test_what_was_deleted_in_sales_is_restored(morning: Morning) -> None:
    person = morning.to_error(DELETED)

    person.follow(person.say("Restore…"))
    person.agrees()
    person.press(person.say("Restore in %(gone)s", gone="Sales"))

    morning.healed()


def test_a_name_that_is_too_long_is_shortened(morning: Morning) -> None:
    person = morning.to_error(TOO_LONG)

    with person.cured(IN_SALES) as account:
        account.locator("[name=name]").fill("Groupement des menuisiers")
    person.press(person.say("Retry"))

    morning.healed()


def test_the_first_error_heals_by_itself_five_clicks_from_the_printed_link(
    morning: Morning,
) -> None:
    person = morning.to_error(COUNTRY)

    with person.cured(IN_SALES) as account:
        account.locator("[name=address1_country]").fill("CH")

    morning.healed()
    assert person.clicks == 5


def test_of_two_accounts_one_is_given_the_number_of_its_customer(
    morning: Morning,
) -> None:
    person = morning.to_error(DUPLICATE, "12340")

    person.follow(person.of(CANDIDATES))
    person.agrees()
    row = person.page.locator("tr", has_text="12340").first
    with person.opened(row.locator(".candidates a").first) as account:
        account.locator("[name=accountnumber]").fill("12340")
        person.save(account)
    person.page.go_back()
    person.press(person.say("Retry"))

    morning.healed()
