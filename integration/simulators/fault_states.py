"""Faults that are a state of the data, and how to put the data back.

Each returns what it changed as ``{place, id, before, after}``, oldest first:
``before`` None for a row it added, ``after`` None for one it removed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from integration.simulators.http import BUSINESS_CENTRAL, SALES
from integration.simulators.store import Row, Store

ADMINISTRATOR_TEMPLATE = "627090ff-40a3-4053-8790-584edc5be201"
DENIED = "bc:denied"
EDITED_FIELDS = {BUSINESS_CENTRAL: "phoneNumber", SALES: "telephone1"}
# Table numbers and names as they stand in the text of a refusal.
TABLES = {
    "customers": (18, "Customer"),
    "currencies": (4, "Currency"),
    "currencyexchangerates": (330, "Currency Exchange Rate"),
    "generalledgersetup": (98, "General Ledger Setup"),
    "companyinformation": (79, "Company Information"),
    "jobqueueentries": (472, "Job Queue Entry"),
}
PRIVILEGE_NAMES = {
    "accounts": "Account",
    "transactioncurrencies": "TransactionCurrency",
    "systemusers": "User",
}

Undo = list[dict[str, Any]]


class UnknownFaultError(ValueError):
    """What was asked for does not exist, or there is nothing it could change."""


@dataclass(frozen=True, slots=True)
class Change:
    """Which state to bring about. ``body`` is what was asked for."""

    id: str
    entity: str
    state: str
    body: Mapping[str, Any]

    @property
    def named_entity(self) -> str:
        return str(self.body.get("entity") or self.entity).lower()

    @property
    def record(self) -> str:
        return str(self.body.get("record") or "")


class _Journal:
    """Changes rows and remembers how they were."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.undo: Undo = []

    def rows(self, place: str) -> list[Row]:
        return self.store.table(place).rows()

    def insert(self, place: str, values: dict[str, Any]) -> str:
        row = self.store.table(place).insert(values)
        self._note(place, row, None, values)
        return row.id

    def update(self, place: str, row: Row, changes: dict[str, Any]) -> None:
        before = {k: v for k, v in row.values.items() if k in changes}
        self.store.table(place).update(row, changes)
        self._note(place, row, before, changes)

    def delete(self, place: str, row: Row) -> None:
        self.store.table(place).delete(row.id)
        self._note(place, row, row.values, None)

    def _note(self, place: str, row: Row, before: Any, after: Any) -> None:
        step = {"place": place, "id": row.id, "before": before, "after": after}
        self.undo.append(step)


def set_state(store: Store, change: Change) -> Undo:
    """Bring it about; how to undo it. Raises UnknownFaultError."""
    journal = _Journal(store)
    _STATES.get(change.id, _sign_in)(journal, change)
    if not journal.undo:
        raise UnknownFaultError(f"There is nothing here that {change.id} could change.")
    return journal.undo


def put_back(store: Store, undo: Iterable[Mapping[str, Any]]) -> None:
    """Undo a state, except where a person has already healed the row."""
    for step in reversed(list(undo)):
        table = store.table(step["place"])
        row = table.get(step["id"])
        before, after = step["before"], step["after"]
        if row is None:
            if after is None:
                table.insert(before, step["id"])
        elif before is None:
            table.delete(row.id)
        elif after and after.items() <= row.values.items():
            kept = {name: v for name, v in row.values.items() if name not in after}
            table.replace(row, {**kept, **before})


def edit(store: Store, side: str, row: Row, values: Mapping[str, Any] | None) -> None:
    """Change the record as another person would, just now."""
    name = EDITED_FIELDS[side]
    changes = dict(values or {name: f"+41 21 555 {row.version % 10000:04}"})
    for place in store.table_names("sales:" if side == SALES else "bc:"):
        found = store.table(place).get(row.id)
        if found and found.born == row.born:
            store.table(place).update(found, changes, "someone else")


def _sign_in(journal: _Journal, change: Change) -> None:
    """Another state of accounts or apps, or another password."""
    place = "entra:apps" if change.entity == "apps" else "entra:accounts"
    changes = {"state": change.state}
    if change.entity == "passwords":
        changes = {"password": "changed by someone else"}
    for row in journal.rows(place):
        names = (row.id, row.values.get("name"))
        if not change.record or change.record.lower() in names:
            journal.update(place, row, changes)


def _deny(journal: _Journal, change: Change) -> None:
    if change.named_entity not in TABLES:
        raise UnknownFaultError(f"No permissions are known for {change.named_entity}.")
    number, name = TABLES[change.named_entity]
    rights = [change.body["right"]] if "right" in change.body else ["Insert", "Modify"]
    for right in rights:
        values = {"tableNo": number, "tableName": name, "right": right}
        journal.insert(DENIED, values)


def _remove_rates(journal: _Journal, change: Change) -> None:
    _remove_rates_of(journal, change.record, str(change.body.get("company") or ""))


def _remove_rates_of(journal: _Journal, code: str, company: str = "") -> None:
    for place in journal.store.table_names(f"bc:{company}"):
        if place.endswith(":currencyExchangeRates"):
            for row in journal.rows(place):
                if not code or row.values.get("currencyCode") == code.upper():
                    journal.delete(place, row)


def _no_base_rate(journal: _Journal, change: Change) -> None:
    """Make another currency the base of Sales, one without a rate in BC."""
    for organization in journal.rows("sales:organizations"):
        base = organization.values.get("basecurrencyid")
        for currency in journal.rows("sales:transactioncurrencies"):
            code = currency.values["isocurrencycode"]
            if currency.id != base and change.record.upper() in ("", code):
                changes = {"basecurrencyid": currency.id}
                journal.update("sales:organizations", organization, changes)
                _remove_rates_of(journal, code)
                break


def _sales_currency(journal: _Journal, change: Change) -> None:
    """Make it inactive there; an absent one is added as inactive."""
    place, code = "sales:transactioncurrencies", change.record.upper() or "EUR"
    inactive = {"statecode": 1, "statuscode": 2}
    found = journal.store.table(place).find("isocurrencycode", code)
    for row in found:
        journal.update(place, row, inactive)
    if not found:
        values = {"isocurrencycode": code, "currencyname": code, "currencysymbol": code}
        rate = {"currencyprecision": 2, "exchangerate": Decimal(1)}
        journal.insert(place, {**values, **rate, **inactive})


def _privilege(journal: _Journal, change: Change) -> None:
    """Take a privilege from every role that is not the administrator's.

    Without ``verb`` nothing of that table may be created or changed.
    """
    table = PRIVILEGE_NAMES.get(change.named_entity, change.named_entity)
    verbs = [change.body["verb"]] if "verb" in change.body else ["Create", "Write"]
    denied = {f"prv{verb}{table}" for verb in verbs}
    if change.record.startswith("prv"):
        denied = {change.record}
    for role in journal.rows("sales:roles"):
        privileges = role.values.get("privileges") or []
        template = role.values.get("roletemplateid")
        if denied.intersection(privileges) and template != ADMINISTRATOR_TEMPLATE:
            kept = [privilege for privilege in privileges if privilege not in denied]
            journal.update("sales:roles", role, {"privileges": kept})


def _administrator(journal: _Journal, change: Change) -> None:
    """Give the integration user the administrator's role."""
    roles = journal.store.table("sales:roles")
    found = roles.find("roletemplateid", ADMINISTRATOR_TEMPLATE)
    role_id = found[0].id if found else journal.insert(roles.name, ADMINISTRATOR)
    apps = journal.store.table("entra:apps")
    for user in journal.rows("sales:systemusers"):
        app, name = user.values.get("applicationid"), user.values.get("domainname")
        named = change.record in (user.id, app, name)
        chosen = named if change.record else apps.get(app or "")
        held = user.values.get("roles") or []
        if chosen and role_id not in held:
            changes = {"roles": [*held, role_id], "accessmode": 0}
            journal.update("sales:systemusers", user, changes)


ADMINISTRATOR: dict[str, Any] = {
    "name": "System Administrator",
    "privileges": [],
    "roletemplateid": ADMINISTRATOR_TEMPLATE,
}
_STATES: dict[str, Callable[[_Journal, Change], None]] = {
    "bc-permission-denied": _deny,
    "bc-currency-no-exchange-rate": _remove_rates,
    "bc-base-currency-no-rate": _no_base_rate,
    "dv-currency-not-found": _sales_currency,
    "dv-missing-privilege": _privilege,
    "setup-integration-user-is-admin": _administrator,
}
