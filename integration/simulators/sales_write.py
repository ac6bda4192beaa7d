"""Create, update and delete in Dataverse, with the rules of each table (§3.2, §3.3)."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from integration.simulators.entities import LOOKUP, Entity, Field
from integration.simulators.faults import Faults
from integration.simulators.http import GUID, SALES, refusal
from integration.simulators.sales_security import Caller
from integration.simulators.sales_tables import (
    ACCOUNT,
    CURRENCY,
    ENTITIES,
    USER,
    account_number_is_key,
    not_found,
    organization,
    payload_refused,
    table_of,
)
from integration.simulators.store import Row, Store

BIND = "@odata.bind"
ADDRESS = re.compile(r"(?:.*/)?(\w+)\(([^()]+)\)\Z")
ETAG = re.compile(r'W/"(\d+)"\Z')
MAX_DECIMAL = 100_000_000_000
MONEY = tuple(field.name for field in ACCOUNT.fields if field.type == "Money")
NAMES = ("accountnumber", "isocurrencycode", "name", "fullname")
Values = Mapping[str, Any]


class Writer:
    """Writes for one caller. ``references``: rows made earlier in the change set."""

    def __init__(
        self, store: Store, caller: Caller, references: Mapping[str, str] | None = None
    ) -> None:
        self._store = store
        self._caller = caller
        self._references = references or {}

    def create(self, entity: Entity, payload: Values, id: str | None = None) -> Row:
        """``id``: from the address; else the payload may bring its own."""
        self._caller.require("Create", entity)
        table = table_of(self._store, entity)
        key = id or payload.get(entity.id_name) or str(uuid4())
        if not isinstance(key, str) or not GUID.match(key):
            raise payload_refused(entity, f"'{key}' is not a GUID.")
        if table.get(key):
            raise refusal("dv-duplicate-id")
        values = checked_values(entity, payload, None) | self._bound(entity, payload)
        self._refuse(entity, key.lower(), values)
        self._check(entity, values, {}, key.lower())
        if entity is USER:
            name = (values.get("firstname"), values.get("lastname"))
            values["fullname"] = " ".join(filter(None, name))
        return table.insert(values, key, self._caller.user_id)

    def update(self, entity: Entity, row: Row, payload: Values) -> Row:
        self._caller.require("Write", entity)
        sent = payload.get(entity.id_name)
        if sent is not None and str(sent).lower() != row.id:
            reason = f"The key '{entity.id_name}' cannot be changed."
            raise payload_refused(entity, reason)
        values = checked_values(entity, payload, row.values)
        values |= self._bound(entity, payload)
        self._refuse(entity, row.id, row.values | values)
        if "statecode" in values:
            # A state alone brings its own default reason.
            values.setdefault("statuscode", (values["statecode"] or 0) + 1)
        self._check(entity, values, row.values, row.id)
        return table_of(self._store, entity).update(row, values, self._caller.user_id)

    def delete(self, entity: Entity, row: Row) -> None:
        self._caller.require("Delete", entity)
        accounts = table_of(self._store, ACCOUNT)
        if entity is CURRENCY and accounts.find(CURRENCY.id_name, row.id):
            raise refusal("dv-delete-associated")
        table_of(self._store, entity).delete(row.id, self._caller.user_id)

    def _refuse(self, entity: Entity, key: str, values: Values) -> None:
        """Raises what a fault planted for this record wants."""
        named = [values.get(name) for name in NAMES]
        words = {
            "caption": entity.label,
            "key_caption": "Account Number",
            "key": named[0],
            "logical": entity.logical,
        }
        Faults.of(self._store).refuse(SALES, entity.set_name, words, key, *named)

    def _bound(self, entity: Entity, payload: Values) -> dict[str, Any]:
        """The lookups a payload sets, by column name."""
        found = {}
        for name, address in payload.items():
            if not name.endswith(BIND):
                continue
            bare = name.removesuffix(BIND)
            column = entity.by_name.get(bare)
            if column is None or column.type != LOOKUP:
                raise payload_refused(
                    entity,
                    f"An undeclared property '{bare}' which only has property "
                    "annotations in the payload but no property value was found in "
                    "the payload.",
                )
            found[bare] = (
                self._target(entity, column.target, str(address)) if address else None
            )
        return found

    def _target(self, entity: Entity, logical: str, written: str) -> str:
        address = self._references.get(written, written)
        found = ADDRESS.match(address)
        target = ENTITIES.get(found[1]) if found else None
        if found is None or target is None or target.logical != logical:
            reason = f"The reference '{address}' does not name a '{logical}'."
            raise payload_refused(entity, reason)
        self._caller.require("Append", entity)
        self._caller.require("AppendTo", target)
        row = table_of(self._store, target).get(found[2])
        if row is None:
            raise not_found(target, found[2])
        return row.id

    def _check(self, entity: Entity, values: Values, before: Values, id: str) -> None:
        if entity is ACCOUNT:
            self._check_account(values, before, id)
        elif entity is CURRENCY:
            self._check_currency(values, before, id)

    def _check_account(self, values: Values, before: Values, id: str) -> None:
        if values.get("ownerid"):
            self._caller.require("Assign", ACCOUNT)
        after = {**before, **values}
        if any(values.get(m) for m in MONEY) and not after.get(CURRENCY.id_name):
            raise refusal("dv-currency-null-with-money")
        number = values.get("accountnumber")
        if not number or not account_number_is_key(self._store):
            return
        # The key knows neither state nor relationship type: an inactive account or a
        # vendor holds its number as well.
        holders = table_of(self._store, ACCOUNT).find("accountnumber", number)
        if any(holder.id != id for holder in holders):
            raise refusal("dv-duplicate-alternate-key")

    def _check_currency(self, values: Values, before: Values, id: str) -> None:
        rate = values.get("exchangerate")
        if rate is not None and rate <= 0:
            raise refusal("dv-decimal-range")
        base = organization(self._store).get("basecurrencyid")
        if "exchangerate" in values and id == base:
            raise refusal("dv-base-rate-readonly")
        if before:
            return
        code = values.get("isocurrencycode")
        if not code or len(code) != 3:
            raise refusal("dv-currency-code-invalid")
        if table_of(self._store, CURRENCY).find("isocurrencycode", code):
            raise refusal("dv-duplicate-currency")


def match_version(row: Row, if_match: str) -> None:
    """Raises 412 when the row is not in the version of an ``If-Match``."""
    if not if_match or if_match == "*":
        return
    found = ETAG.match(if_match)
    if found is None:
        raise refusal("dv-row-version-missing")
    if int(found[1]) != row.version:
        raise refusal("dv-row-version-mismatch")


def checked_values(
    entity: Entity, payload: Values, before: Values | None
) -> dict[str, Any]:
    """The columns of a payload as they will be stored; binds are left out.

    ``before`` holds what the row has (None: it will be created). A column that must
    not be sent is accepted when it repeats what is there.
    """
    found = {}
    for name, value in payload.items():
        if "@" in name or name == entity.id_name:
            continue
        column = entity.by_name.get(name)
        if column is None:
            raise refusal("dv-property-invalid", name=name, table=entity.logical)
        if column.type == LOOKUP:
            raise payload_refused(
                entity,
                "A 'PrimitiveValue' node with non-null value was found when trying to "
                f"read the value of the navigation property '{name}'.",
            )
        found[name] = checked_value(entity, column, value)
        has = (before or {}).get(name, column.default)
        if found[name] != has and not column.may_be_sent(creating=before is None):
            act = "a create" if before is None else "an update"
            words = {"column": name, "table": entity.logical, "act": act}
            raise refusal("dv-column-not-writable", **words)
    return found


def checked_value(entity: Entity, column: Field, value: Any) -> Any:
    """One value as stored: an empty text is nothing."""
    if value is None or value == "" or column.type == "DateTime":
        return None if value == "" else value
    if not column.fits(value):
        raise payload_refused(
            entity,
            f"Cannot convert the literal '{value}' of the property '{column.name}' to "
            f"the expected type '{column.edm}'.",
        )
    words = {"column": column.name, "table": entity.logical}
    if column.options and value not in column.options:
        accepted = ",".join(map(str, column.options))
        raise refusal("dv-option-out-of-range", value=value, accepted=accepted, **words)
    if isinstance(value, str):
        # Lengths count UTF-16 units, as SQL Server does.
        units = len(value.encode("utf-16-le", "surrogatepass")) // 2
        if column.length and units > column.length:
            raise refusal("dv-string-too-long", length=column.length, **words)
        return value.lower() if column.type == "Uniqueidentifier" else value
    if not -MAX_DECIMAL <= value <= MAX_DECIMAL:
        raise refusal("dv-decimal-range")
    return value
