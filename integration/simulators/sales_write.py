"""Create, update and delete in Dataverse, with the rules of each table (§3.2, §3.3)."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from integration.simulators.faults import SALES, Faults
from integration.simulators.http import SimulatorError
from integration.simulators.sales_entities import (
    ACCOUNT,
    CURRENCY,
    ENTITIES,
    ORGANIZATION,
    USER,
    Entity,
    Kind,
)
from integration.simulators.sales_refusals import refusal
from integration.simulators.sales_rows import version_of
from integration.simulators.sales_security import Caller
from integration.simulators.sales_values import (
    BIND,
    GUID,
    checked_values,
    payload_refused,
)
from integration.simulators.store import Row, Store, Table

__all__ = ["Writer", "account_number_is_key", "not_found", "table_of"]

INDEXES = {
    ACCOUNT.set_name: ("accountnumber", "transactioncurrencyid"),
    CURRENCY.set_name: ("isocurrencycode",),
}
ADDRESS = re.compile(r"(?:.*/)?(\w+)\(([^()]+)\)\Z")
NAMES = ("accountnumber", "isocurrencycode", "name", "fullname")
MONEY = tuple(c.name for c in ACCOUNT.columns if c.kind is Kind.MONEY)


def table_of(store: Store, entity: Entity) -> Table:
    return store.table(entity.place, INDEXES.get(entity.set_name, ()))


def not_found(entity: Entity, id: str) -> SimulatorError:
    return refusal("dv-record-gone", table=entity.logical, id=id)


def organization(store: Store) -> Mapping[str, Any]:
    rows = table_of(store, ORGANIZATION).rows()
    return rows[0].values if rows else {}


def account_number_is_key(store: Store) -> bool:
    """Whether the alternate key on ``accountnumber`` is defined in this environment."""
    return bool(organization(store).get("account_number_key"))


class Writer:
    """Writes for one caller. ``references``: rows made earlier in the change set."""

    def __init__(
        self, store: Store, caller: Caller, references: Mapping[str, str] | None = None
    ) -> None:
        self._store = store
        self._caller = caller
        self._references = references or {}

    def create(
        self, entity: Entity, payload: Mapping[str, Any], id: str | None = None
    ) -> Row:
        """``id``: from the address; else the payload may bring its own."""
        self._caller.require("Create", entity)
        table = table_of(self._store, entity)
        key = self._own_key(entity, payload, id)
        if table.get(key):
            raise refusal("dv-duplicate-id")
        values = checked_values(entity, payload, None) | self._bound(entity, payload)
        self._refuse(entity, "POST", key, values)
        self._check(entity, values, {}, key)
        if entity is USER:
            name = (values.get("firstname"), values.get("lastname"))
            values["fullname"] = " ".join(filter(None, name))
        return table.insert(values, key, self._caller.user_id)

    def update(self, entity: Entity, row: Row, payload: Mapping[str, Any]) -> Row:
        self._caller.require("Write", entity)
        sent = payload.get(entity.key)
        if sent is not None and str(sent).lower() != row.id:
            raise payload_refused(entity, f"The key '{entity.key}' cannot be changed.")
        values = checked_values(entity, payload, row.values)
        values |= self._bound(entity, payload)
        self._refuse(entity, "PATCH", row.id, row.values | values)
        if "statecode" in values:
            # A state alone brings its own default reason.
            values.setdefault("statuscode", (values["statecode"] or 0) + 1)
        self._check(entity, values, row.values, row.id)
        return table_of(self._store, entity).update(row, values, self._caller.user_id)

    def delete(self, entity: Entity, row: Row) -> None:
        self._caller.require("Delete", entity)
        accounts = table_of(self._store, ACCOUNT)
        if entity is CURRENCY and accounts.find(CURRENCY.key, row.id):
            raise refusal("dv-delete-associated")
        table_of(self._store, entity).delete(row.id, self._caller.user_id)

    def match(self, entity: Entity, row: Row, if_match: str) -> None:
        """Raises 412 when the row is not in the version of an ``If-Match``."""
        if not if_match or if_match == "*":
            return
        version = version_of(if_match)
        if version is None:
            raise refusal("dv-row-version-missing")
        if version != row.version:
            raise refusal("dv-row-version-mismatch")

    def _refuse(
        self, entity: Entity, method: str, key: str, values: Mapping[str, Any]
    ) -> None:
        """Raises what a fault planted for this record wants."""
        named = [values.get(name) for name in NAMES]
        words = {
            "caption": entity.label,
            "key_caption": "Account Number",
            "key": named[0],
            "logical": entity.logical,
        }
        faults = Faults.of(self._store)
        faults.refuse(SALES, entity.set_name, method, words, key, *named)

    def _own_key(
        self, entity: Entity, payload: Mapping[str, Any], id: str | None
    ) -> str:
        key = id or payload.get(entity.key) or str(uuid4())
        if not isinstance(key, str) or not GUID.match(key):
            raise payload_refused(entity, f"'{key}' is not a GUID.")
        return key.lower()

    def _bound(self, entity: Entity, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The lookups a payload sets, by column name."""
        found = {}
        for name, address in payload.items():
            if not name.endswith(BIND):
                continue
            bare = name.removesuffix(BIND)
            column = entity.by_name.get(bare)
            if column is None or column.kind is not Kind.LOOKUP:
                raise payload_refused(
                    entity,
                    f"An undeclared property '{bare}' which only has property "
                    "annotations in the payload but no property value was found in "
                    "the payload.",
                )
            found[column.name] = address and self._target(
                entity, column.target, address
            )
        return found

    def _target(self, entity: Entity, logical: str, address: Any) -> str:
        address = self._references.get(str(address), str(address))
        found = ADDRESS.match(address)
        target = ENTITIES.get(found[1]) if found else None
        if found is None or target is None or target.logical != logical:
            raise payload_refused(
                entity, f"The reference '{address}' does not name a '{logical}'."
            )
        self._caller.require("Append", entity)
        self._caller.require("AppendTo", target)
        row = table_of(self._store, target).get(found[2])
        if row is None:
            raise not_found(target, found[2])
        return row.id

    def _check(
        self,
        entity: Entity,
        values: Mapping[str, Any],
        before: Mapping[str, Any],
        id: str,
    ) -> None:
        if entity is ACCOUNT:
            self._check_account(values, before, id)
        elif entity is CURRENCY:
            self._check_currency(values, before, id)

    def _check_account(
        self, values: Mapping[str, Any], before: Mapping[str, Any], id: str
    ) -> None:
        if values.get("ownerid"):
            self._caller.require("Assign", ACCOUNT)
        after = {**before, **values}
        if any(values.get(m) for m in MONEY) and not after.get(CURRENCY.key):
            raise refusal("dv-currency-null-with-money")
        number = values.get("accountnumber")
        if not number or not account_number_is_key(self._store):
            return
        # The key knows neither state nor relationship type: an inactive account or a
        # vendor holds its number as well.
        holders = table_of(self._store, ACCOUNT).find("accountnumber", number)
        if any(holder.id != id for holder in holders):
            raise refusal("dv-duplicate-alternate-key")

    def _check_currency(
        self, values: Mapping[str, Any], before: Mapping[str, Any], id: str
    ) -> None:
        rate = values.get("exchangerate")
        if rate is not None and rate <= 0:
            raise refusal("dv-decimal-range")
        if "exchangerate" in values and id == organization(self._store).get(
            "basecurrencyid"
        ):
            raise refusal("dv-base-rate-readonly")
        if before:
            return
        code = values.get("isocurrencycode")
        if not code or len(code) != 3:
            raise refusal("dv-currency-code-invalid")
        if table_of(self._store, CURRENCY).find("isocurrencycode", code):
            raise refusal("dv-duplicate-currency")
