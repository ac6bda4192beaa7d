"""The four set-up errors of the brief, healed by hand as their articles say (Shows 9).

Everything goes through our pages and the record pages that their links open; so do the
answers to a conflict and to a deletion.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys import outside

pytestmark = pytest.mark.journey

SECONDS = 60
NEW_PASSWORD = "Brand-new 2026"


@dataclass
class Demonstration:
    """A running quickstart, and a person signed in to its pages."""

    url: str
    page: Page

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def open_error(self, title: str) -> str:
        """From the list to the detail of the first error called so; its address."""
        self.open("/errors/?state=relevant&size=100")
        self.page.get_by_role("link", name=title).first.click()
        self.page.wait_for_selector(".big-title")
        return self.page.url.removeprefix(self.url).partition("?")[0]

    def cure(self, label: str) -> Page:
        """Press the filled button; the page it opens in another window."""
        with self.page.expect_popup() as popup:
            self.page.locator(".actions").get_by_role("link", name=label).click()
        return popup.value

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for a condition. Fails after a minute."""
        end = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < end, self.page.inner_text("main")[:2000]
            self.page.wait_for_timeout(250)

    def is_resolved(self, path: str) -> bool:
        self.open(path)
        return self.page.locator(".facts .badge").first.inner_text() == "resolved"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heal")


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    """The demonstration on ports and in a directory of its own."""
    port, sim_port = outside.free_port(), outside.free_port()
    command = [sys.executable, "manage.py", "quickstart", "--data", str(data)]
    command += ["--port", str(port), "--sim-port", str(sim_port)]
    with subprocess.Popen(  # noqa: S603  # our own command
        command,
        cwd=outside.REPOSITORY,
        env=outside.environment(data) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = next((line for line in process.stdout if "/sign-in/" in line), "")
        assert told, "quickstart did not start"
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def demonstration(browser: Browser, address: str) -> Iterator[Demonstration]:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{address}/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", outside.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("nav")
    yield Demonstration(address, page)
    context.close()


def save(page: Page) -> None:
    """Save a record of a simulated system."""
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.close()


def test_a_missing_privilege_is_granted_on_the_role_and_retried(
    demonstration: Demonstration,
) -> None:
    path = demonstration.open_error("prvWriteTransactionCurrency")
    role = demonstration.cure("Open the integration role in Sales")
    role.get_by_label("Write (prvWriteTransactionCurrency)").check()
    save(role)

    demonstration.page.get_by_role("button", name="Retry").click()

    demonstration.until(lambda: demonstration.is_resolved(path))


def test_a_currency_without_rate_heals_with_what_waits_for_it(
    demonstration: Demonstration,
) -> None:
    path = demonstration.open_error("Currency GBP has no exchange rate")
    rates = demonstration.cure("Open the rates of GBP in Business Central")
    rates.locator("[name=new-exchangeRateAmount]").fill("100")
    rates.locator("[name=new-relationalExchangeRateAmount]").fill("112.5")
    save(rates)

    demonstration.open(path).get_by_role("button", name="Retry").click()

    demonstration.until(lambda: demonstration.is_resolved(path))
    demonstration.until(
        lambda: "GBP" not in demonstration.open("/problems/").inner_text("main")
    )


def test_a_new_password_is_saved_once_and_the_connection_resumes(
    demonstration: Demonstration,
) -> None:
    path = demonstration.open_error("Password for Business Central must be changed")
    account = demonstration.cure("Open the account in Microsoft Entra")
    account.locator("[name=password]").fill(NEW_PASSWORD)
    save(account)

    page = demonstration.page
    page.get_by_role("link", name="the connection's page").click()
    page.locator("summary", has_text="New password").first.click()
    page.locator("[type=password]").first.fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save and check").first.click()

    expect(
        page.get_by_text("The check passed and the connection goes on.")
    ).to_be_visible()
    assert demonstration.is_resolved(path)


def test_without_the_administrators_role_the_connection_can_be_enabled(
    demonstration: Demonstration,
) -> None:
    path = demonstration.open_error("The integration user is an administrator")
    user = demonstration.cure("Open the integration user in Sales")
    user.get_by_label("System Administrator").uncheck()
    user.get_by_label("Business Central Dataverse Integration").check()
    save(user)

    page = demonstration.page
    page.get_by_role("link", name="the connection's page").click()
    page.get_by_role("button", name="Check and enable").click()

    expect(page.get_by_text("The connection is enabled.")).to_be_visible()
    assert demonstration.is_resolved(path)


def test_a_whole_problem_is_retried_from_its_page(
    demonstration: Demonstration, data: Path
) -> None:
    systems = outside.Systems(json.loads((data / "simulators.json").read_text()))
    privilege = {"id": "dv-missing-privilege", "record": "prvWriteAccount"}
    systems.control("faults", privilege)
    for number in ("10010", "10020", "10030"):
        change = {"where": {"number": number}, "values": {"city": "Aubonne"}}
        place = {"system": "business_central", "entity": "customers"}
        systems.control("records", {**place, "action": "change", **change})
    page = demonstration.page
    cause = page.get_by_role("link", name="prvWriteAccount").first
    demonstration.until(
        lambda: bool(demonstration.open("/problems/")) and cause.is_visible()
    )
    cause.click()
    role = demonstration.cure("Open the integration role in Sales")
    role.get_by_label("Write (prvWriteAccount)").check()
    save(role)

    page.get_by_role("button", name="Retry 3 records").click()
    expect(page.get_by_text("3 will be tried")).to_be_visible()
    page.get_by_role("button", name="Retry 3 records").click()

    expect(page.locator("#said")).to_have_text("3 healed", timeout=SECONDS * 1000)
    expect(page.locator("#title .badge")).to_have_text("done")
    badges = page.locator("#result tbody .badge")
    expect(badges).to_have_text(["healed", "healed", "healed"])


def test_a_conflict_is_answered_after_its_plan_was_shown(
    demonstration: Demonstration,
) -> None:
    path = demonstration.open_error("Changed on both sides")
    page = demonstration.page
    page.get_by_role("link", name="Take Sales' values…").click()
    page.get_by_role("button", name="Overwrite 1 field").click()

    demonstration.until(lambda: demonstration.is_resolved(path))


def test_what_was_deleted_in_sales_is_restored(demonstration: Demonstration) -> None:
    path = demonstration.open_error("was deleted in Sales")
    page = demonstration.page
    page.get_by_role("link", name="Restore…").click()
    page.get_by_role("button", name="Restore in Sales").click()

    demonstration.until(lambda: demonstration.is_resolved(path))
