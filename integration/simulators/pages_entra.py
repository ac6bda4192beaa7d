"""The pages of Entra: a user account and an application."""

from collections.abc import Mapping

from integration.simulators.entra import ACCOUNTS, APPS, LABELS, PASSWORD_STATES
from integration.simulators.pages_form import (
    Form,
    Input,
    Page,
    RecordForm,
    Section,
    bad_input,
)
from integration.simulators.store import Row, Store


def user_form(store: Store, options: Mapping[str, str]) -> RecordForm | None:
    """The account with this ``upn``."""
    rows = store.table(ACCOUNTS).find("upn", options.get("upn", ""))
    return UserForm(store, rows[0].id) if rows else None


def app_form(store: Store, options: Mapping[str, str]) -> RecordForm | None:
    """The application with this ``client_id``."""
    row = store.table(APPS).get(options.get("client_id", ""))
    return AppForm(store, row.id) if row else None


class SignInForm(RecordForm):
    """The secret and the state of something that signs in."""

    place, kind, named, secret = "", "", "", ""

    def __init__(self, store: Store, id: str) -> None:
        self.table = store.table(self.place)
        self._id = id
        self.labels: dict[str, str] = LABELS[self.place]

    @property
    def row(self) -> Row:
        row = self.table.get(self._id)
        if row is None:
            raise bad_input("This record no longer exists.")
        return row

    def show(self) -> Page:
        values, secret = self.row.values, self.secret
        state = values.get("state", "ok")
        inputs = (
            Input("state", "State", state, tuple(self.labels.items())),
            Input(secret, secret.capitalize(), values[secret]),
        )
        sections = (Section("Sign-in", inputs),)
        return Page("Microsoft Entra ID", self.kind, values[self.named], sections)


class UserForm(SignInForm):
    """A new password ends the need to change it."""

    place, kind, named, secret = ACCOUNTS, "User", "upn", "password"

    def save(self, form: Form) -> None:
        password, state = form.get("password", "").strip(), form.get("state", "")
        if not password:
            raise bad_input("A password is needed.")
        if state not in self.labels:
            raise bad_input(f"{state} is not a state of an account.")
        before = self.row.values
        renewed = password != before["password"] and state == before["state"]
        if renewed and state in PASSWORD_STATES:
            state = "ok"
        changes = {"password": password, "state": state, "wrong_passwords": 0}
        self.table.update(self.row, changes)


class AppForm(SignInForm):
    place, kind, named, secret = APPS, "Application", "name", "secret"

    def save(self, form: Form) -> None:
        secret, state = form.get("secret", "").strip(), form.get("state", "")
        if not secret or state not in self.labels:
            raise bad_input("A secret and a known state are needed.")
        self.table.update(self.row, {"secret": secret, "state": state})
