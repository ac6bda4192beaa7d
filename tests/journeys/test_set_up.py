"""A company is set up, and 143 of its customers go at once, in both languages.

On a demonstration of its own: its many causes would hide those of the other journeys.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys import outside
from tests.journeys.morning import LANGUAGES, Morning, a_morning
from tests.journeys.person import SECONDS, Person

pytestmark = pytest.mark.journey

SECOND = "Léman Services SA"
FOREIGN = 143
"""Customers of the second company who pay in a currency that is not coupled there."""

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

ACCEPT = "Accept and start writing"


@pytest.fixture(scope="module", params=LANGUAGES)
def morning(
    browser: Browser,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Morning]:
    """One demonstration for each language."""
    with a_morning(browser, request.param, tmp_path_factory.mktemp("heal")) as one:
        yield one


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
