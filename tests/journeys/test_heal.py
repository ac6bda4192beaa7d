"""The administrator's morning, in both languages: from the overview to healed.

Each journey starts on the overview, follows what a person would click, touches only our
pages and the record pages of the simulated systems, and ends on the page that is open,
without a reload. After each step navigation, chips, problems, overview and metrics must
tell the same number.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.morning import LANGUAGES, Morning, a_morning
from tests.journeys.person import SECONDS, Words

pytestmark = pytest.mark.journey

NEW_PASSWORD = "Brand-new 2026"

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
CONNECTION = ("the connection's page", "la page de la connexion")
CONFLICT = ("Changed on both sides: phone", "Modifié des deux côtés : téléphone")
DELETED = ("The account was deleted in Sales", "Le compte a été supprimé dans Sales")
TOO_LONG = ("Name is longer than 100 characters", "Le nom dépasse 100 caractères")
IN_SALES = ("Open the record in Sales", "Ouvrir l'enregistrement dans Sales")
COUNTRY = ("Unknown country “SUISSE”", "Pays « SUISSE » : valeur inconnue")
DUPLICATE = (
    "Several records could be the same one",
    "Plusieurs enregistrements peuvent correspondre",
)
CANDIDATES = ("Open the candidates", "Ouvrir les candidats")


@pytest.fixture(scope="module", params=LANGUAGES)
def morning(
    browser: Browser,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Morning]:
    """One demonstration for each language."""
    with a_morning(browser, request.param, tmp_path_factory.mktemp("heal")) as one:
        yield one


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
