"""The pages of Entra: a user account and an application."""

from collections.abc import Mapping

from integration.simulators.entra import (
    ACCOUNTS,
    APP_STATES,
    APPS,
    CLOSED_STATES,
    PASSWORD_STATES,
)
from integration.simulators.pages_form import Form, RecordForm, bad_input
from integration.simulators.pages_html import Input, Page, Section
from integration.simulators.store import Row, Store

__all__ = ["app_form", "user_form"]

ACCOUNT_LABELS = {
    "ok": "Can sign in",
    "mustChange": "Must change the password at the next sign-in",
    "expired": "Password expired",
    "expiredOnPrem": "On-premises password expired",
    "riskReset": "Password change required after a risk",
    "locked": "Locked",
    "disabled": "Disabled",
}
APP_LABELS = {"ok": "Can sign in", "expired": "Secret expired", "disabled": "Disabled"}


def user_form(store: Store, options: Mapping[str, str]) -> RecordForm | None:
    """The account with this ``upn``; a new password ends the need to change it."""
    rows = store.table(ACCOUNTS, ("upn",)).find("upn", options.get("upn", ""))
    if not rows:
        return None
    row = rows[0]
    states = {"ok", *PASSWORD_STATES, *CLOSED_STATES}

    def save(form: Form) -> None:
        password = form.get("password", "").strip()
        if not password:
            raise bad_input("A password is needed.")
        state = form.get("state", "")
        if state not in states:
            raise bad_input(f"{state} is not a state of an account.")
        before = row.values
        renewed = password != before["password"] and state == before["state"]
        if renewed and state in PASSWORD_STATES:
            state = "ok"
        changes = {"password": password, "state": state, "wrong_passwords": 0}
        store.table(ACCOUNTS).update(row, changes)

    return RecordForm(
        lambda: page(row, "User", row.values["upn"], "password", ACCOUNT_LABELS), save
    )


def app_form(store: Store, options: Mapping[str, str]) -> RecordForm | None:
    """The application with this ``client_id``."""
    row = store.table(APPS).get(options.get("client_id", ""))
    if row is None:
        return None

    def save(form: Form) -> None:
        secret, state = form.get("secret", "").strip(), form.get("state", "")
        if not secret or state not in ("ok", *APP_STATES):
            raise bad_input("A secret and a known state are needed.")
        store.table(APPS).update(row, {"secret": secret, "state": state})

    return RecordForm(
        lambda: page(row, "Application", row.values["name"], "secret", APP_LABELS), save
    )


def page(
    row: Row, kind: str, title: str, secret: str, labels: Mapping[str, str]
) -> Page:
    state = row.values.get("state", "ok")
    inputs = (
        Input("state", "State", state, tuple(labels.items())),
        Input(secret, secret.capitalize(), row.values[secret]),
    )
    return Page("Microsoft Entra ID", kind, title, (Section("Sign-in", inputs),))
