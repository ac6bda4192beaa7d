"""What Dataverse refuses to store, column by column (protocols §3.3, §3.9)."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from integration.simulators.http import SimulatorError
from integration.simulators.sales_entities import Column, Entity, Kind, Writable
from integration.simulators.sales_refusals import refusal

__all__ = ["BIND", "GUID", "checked_value", "checked_values", "payload_refused"]

BIND = "@odata.bind"
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
MAX_DECIMAL = Decimal(100_000_000_000)
WHOLE = (Kind.INTEGER, Kind.BIGINT, Kind.PICKLIST, Kind.STATE, Kind.STATUS)


def payload_refused(entity: Entity, reason: str) -> SimulatorError:
    return refusal("dv-payload", set=entity.set_name, reason=reason)


def checked_values(
    entity: Entity, payload: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The columns of a payload as they will be stored; binds are left out.

    ``before`` holds what the row has (None: it will be created). A column that must
    not be sent is accepted when it repeats what is there.
    """
    found = {}
    for name, value in payload.items():
        if "@" in name or name == entity.key:
            continue
        column = entity.by_name.get(name)
        if column is None:
            raise refusal("dv-property-invalid", name=name, table=entity.logical)
        if column.kind is Kind.LOOKUP:
            raise payload_refused(
                entity,
                "A 'PrimitiveValue' node with non-null value was found when trying to "
                f"read the value of the navigation property '{name}'.",
            )
        found[name] = checked_value(entity, column, value)
        check_writable(entity, column, found[name], before)
    return found


def check_writable(
    entity: Entity, column: Column, value: Any, before: Mapping[str, Any] | None
) -> None:
    creating = before is None
    wrong = Writable.ON_UPDATE if creating else Writable.ON_CREATE
    if column.writable not in (wrong, Writable.NEVER):
        return
    if value == (before or {}).get(column.name, column.default):
        return
    act = "a create" if creating else "an update"
    raise refusal(
        "dv-column-not-writable", column=column.name, table=entity.logical, act=act
    )


def checked_value(entity: Entity, column: Column, value: Any) -> Any:
    """One value as stored: an empty text is nothing."""
    if value is None or value == "":
        return None
    if column.options:
        return checked_option(entity, column, value)
    return CHECKS.get(column.kind, as_sent)(entity, column, value)


def as_sent(entity: Entity, column: Column, value: Any) -> Any:
    return value


def checked_text(entity: Entity, column: Column, value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_type(entity, column, value)
    # Lengths count UTF-16 units, as SQL Server does.
    if len(value.encode("utf-16-le", "surrogatepass")) // 2 > column.length:
        raise refusal(
            "dv-string-too-long",
            column=column.name,
            table=entity.logical,
            length=column.length,
        )
    return value


def checked_option(entity: Entity, column: Column, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(entity, column, value)
    if value not in column.options:
        raise refusal(
            "dv-option-out-of-range",
            value=value,
            column=column.name,
            table=entity.logical,
            accepted=",".join(map(str, column.options)),
        )
    return value


def checked_number(entity: Entity, column: Column, value: Any) -> int | Decimal:
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise wrong_type(entity, column, value)
    if column.kind in WHOLE and not isinstance(value, int):
        raise wrong_type(entity, column, value)
    if not -MAX_DECIMAL <= value <= MAX_DECIMAL:
        raise refusal("dv-decimal-range")
    return value


def checked_flag(entity: Entity, column: Column, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(entity, column, value)
    return value


def checked_guid(entity: Entity, column: Column, value: Any) -> str:
    if not isinstance(value, str) or not GUID.match(value):
        raise wrong_type(entity, column, value)
    return value.lower()


def wrong_type(entity: Entity, column: Column, value: Any) -> SimulatorError:
    return payload_refused(
        entity,
        f"Cannot convert the literal '{value}' of the property '{column.name}' to the "
        f"expected type '{column.kind.edm}'.",
    )


CHECKS: dict[Kind, Callable[[Entity, Column, Any], Any]] = {
    Kind.BOOLEAN: checked_flag,
    Kind.DECIMAL: checked_number,
    Kind.GUID: checked_guid,
    Kind.INTEGER: checked_number,
    Kind.BIGINT: checked_number,
    Kind.MEMO: checked_text,
    Kind.MONEY: checked_number,
    Kind.STRING: checked_text,
}
