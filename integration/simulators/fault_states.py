"""Faults that are a state of the data, and how to put the data back.

Each returns what it changed as ``{place, id, before, after}``, oldest first:
``before`` None for a row it added, ``after`` None for one it removed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from integration.simulators.store import Row, Store

ADMINISTRATOR_TEMPLATE = "627090ff-40a3-4053-8790-584edc5be201"
BUSINESS_CENTRAL = "business_central"
DENIED = "bc:denied"
EDITED_FIELDS = {BUSINESS_CENTRAL: "phoneNumber", "sales": "telephone1"}
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

    def insert(self, place: str, values: dict[str, Any]) -> None:
        row = self.store.table(place).insert(values)
        self._note(place, row.id, None, values)

    def update(self, place: str, row: Row, changes: dict[str, Any]) -> None:
        known = row.values
        before = {name: known[name] for name in changes if name in known}
        self.store.table(place).update(row, changes)
        self._note(place, row.id, before, changes)

    def delete(self, place: str, row: Row) -> None:
        self.store.table(place).delete(row.id)
        self._note(place, row.id, row.values, None)

    def _note(self, place: str, id: str, before: Any, after: Any) -> None:
        self.undo.append({"place": place, "id": id, "before": before, "after": after})


def set_state(store: Store, change: Change) -> Undo:
    """Bring it about; how to undo it. Raises UnknownFaultError."""
    journal = _Journal(store)
    if change.state or change.entity == "passwords":
        _sign_in(journal, change)
    else:
        _STATES[change.id](journal, change)
    if not journal.undo:
        raise UnknownFaultError(f"There is nothing here that {change.id} could change.")
    return journal.undo


def put_back(store: Store, undo: Iterable[Mapping[str, Any]]) -> None:
    """Undo a state, except where a person has already healed the row."""
    for step in reversed(list(undo)):
        table = store.table(step["place"])
        row = table.get(step["id"])
        before, after = step["before"], step["after"]
        if row is None and after is None:
            table.insert(before, step["id"])
        elif row and before is None:
            table.delete(row.id)
        elif row and before is not None and after and _unhealed(row, after):
            kept = {name: v for name, v in row.values.items() if name not in after}
            table.replace(row, {**kept, **before})


def _unhealed(row: Row, after: Mapping[str, Any]) -> bool:
    return all(row.values.get(name) == value for name, value in after.items())


def edit(store: Store, side: str, row: Row, values: Mapping[str, Any] | None) -> None:
    """Change the record as another person would, just now."""
    name = EDITED_FIELDS[side]
    changes = dict(values or {name: f"+41 21 555 {row.version % 10000:04}"})
    prefix = "sales:" if side == "sales" else "bc:"
    for place in store.table_names(prefix):
        if store.table(place).get(row.id) is row:
            store.table(place).update(row, changes, "someone else")


def _sign_in(journal: _Journal, change: Change) -> None:
    place = "entra:apps" if change.entity == "apps" else "entra:accounts"
    changes = {"state": change.state}
    if change.entity == "passwords":
        changes = {"password": "changed by someone else"}
    for row in journal.store.table(place).rows():
        if not change.record or change.record.lower() in (
            row.id,
            row.values.get("name"),
        ):
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
            for row in journal.store.table(place).rows():
                if not code or row.values.get("currencyCode") == code.upper():
                    journal.delete(place, row)


def _no_base_rate(journal: _Journal, change: Change) -> None:
    """Make another currency the base of Sales, one without a rate in BC."""
    organizations = journal.store.table("sales:organizations").rows()
    for organization in organizations:
        base = organization.values.get("basecurrencyid")
        for currency in journal.store.table("sales:transactioncurrencies").rows():
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
    """Take one privilege from every role that is not the administrator's."""
    name = change.record
    if not name.startswith("prv"):
        table = PRIVILEGE_NAMES.get(change.named_entity, change.named_entity)
        name = f"prv{change.body.get('verb', 'Write')}{table}"
    for role in journal.store.table("sales:roles").rows():
        privileges = role.values.get("privileges") or []
        template = role.values.get("roletemplateid")
        if name in privileges and template != ADMINISTRATOR_TEMPLATE:
            kept = [privilege for privilege in privileges if privilege != name]
            journal.update("sales:roles", role, {"privileges": kept})


def _administrator(journal: _Journal, change: Change) -> None:
    """Give the integration user the administrator's role."""
    roles = journal.store.table("sales:roles")
    found = roles.find("roletemplateid", ADMINISTRATOR_TEMPLATE)
    role_id = found[0].id if found else _new_administrator(journal)
    for user in journal.store.table("sales:systemusers").rows():
        names = {
            user.id,
            user.values.get("applicationid"),
            user.values.get("domainname"),
        }
        chosen = change.record in names if change.record else _signs_in(journal, user)
        held = user.values.get("roles") or []
        if chosen and role_id not in held:
            changes = {"roles": [*held, role_id], "accessmode": 0}
            journal.update("sales:systemusers", user, changes)


def _signs_in(journal: _Journal, user: Row) -> bool:
    app = user.values.get("applicationid") or ""
    return journal.store.table("entra:apps").get(app) is not None


def _new_administrator(journal: _Journal) -> str:
    values = {
        "name": "System Administrator",
        "privileges": [],
        "roletemplateid": ADMINISTRATOR_TEMPLATE,
    }
    journal.insert("sales:roles", values)
    return str(journal.undo[-1]["id"])


_STATES: dict[str, Callable[[_Journal, Change], None]] = {
    "bc-permission-denied": _deny,
    "bc-currency-no-exchange-rate": _remove_rates,
    "bc-base-currency-no-rate": _no_base_rate,
    "dv-currency-not-found": _sales_currency,
    "dv-missing-privilege": _privilege,
    "setup-integration-user-is-admin": _administrator,
}
