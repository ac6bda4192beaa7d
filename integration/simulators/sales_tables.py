"""The tables of Dataverse (protocols §3.3), and what it tells about them."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from integration.simulators.entities import Entity, Field, read_entities
from integration.simulators.http import Answer, SimulatorError, refusal
from integration.simulators.store import Store, Table

LOGICAL_NAME = re.compile(r"LogicalName='(\w+)'\Z")
TRACKED_ONLY = re.compile(r"ChangeTrackingEnabled eq true\Z")

#: By the name in the address.
ENTITIES = read_entities("sales.toml")
#: By logical name.
TABLES = {entity.logical: entity for entity in ENTITIES.values()}
ACCOUNT = TABLES["account"]
CURRENCY = TABLES["transactioncurrency"]
ORGANIZATION = TABLES["organization"]
ROLE = TABLES["role"]
USER = TABLES["systemuser"]


def table_of(store: Store, entity: Entity) -> Table:
    return store.table(f"sales:{entity.set_name}", entity.indexes)


def organization(store: Store) -> Mapping[str, Any]:
    rows = table_of(store, ORGANIZATION).rows()
    return rows[0].values if rows else {}


def account_number_is_key(store: Store) -> bool:
    """Whether the alternate key on ``accountnumber`` is defined in this environment."""
    return bool(organization(store).get("account_number_key"))


def not_found(entity: Entity, id: str) -> SimulatorError:
    return refusal("dv-record-gone", table=entity.logical, id=id)


def payload_refused(entity: Entity, reason: object) -> SimulatorError:
    return refusal("dv-payload", set=entity.set_name, reason=reason)


def definitions(root: str, wanted: str) -> Answer:
    """``EntityDefinitions``, whole or only those with change tracking."""
    if wanted and not TRACKED_ONLY.match(wanted):
        raise refusal("dv-query", reason=f"The filter '{wanted}' is not supported.")
    tables = [e for e in ENTITIES.values() if e.tracked or not wanted]
    context = {"@odata.context": f"{root}$metadata#EntityDefinitions"}
    return Answer(200, {**context, "value": list(map(definition, tables))})


def one_definition(root: str, key: str, tail: str) -> Answer:
    """``EntityDefinitions(LogicalName='account')`` and its ``/Attributes``."""
    found = LOGICAL_NAME.match(key)
    entity = TABLES.get(found[1]) if found else None
    if entity is None:
        raise refusal("dv-table-not-found", key=key)
    context = f"{root}$metadata#EntityDefinitions"
    if tail.partition("/")[0] != "Attributes":
        return Answer(200, {"@odata.context": context, **definition(entity)})
    value = [attribute(entity, field) for field in entity.fields]
    return Answer(200, {"@odata.context": f"{context}/Attributes", "value": value})


def definition(entity: Entity) -> dict[str, Any]:
    return {
        "MetadataId": str(uuid5(NAMESPACE_URL, entity.logical)),
        "LogicalName": entity.logical,
        "EntitySetName": entity.set_name,
        "PrimaryIdAttribute": entity.id_name,
        "PrimaryNameAttribute": entity.title,
        "ObjectTypeCode": entity.number,
        "ChangeTrackingEnabled": entity.tracked,
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": {"UserLocalizedLabel": {"Label": entity.label}},
    }


def attribute(entity: Entity, field: Field) -> dict[str, Any]:
    found = {
        "MetadataId": str(uuid5(NAMESPACE_URL, f"{entity.logical}.{field.name}")),
        "LogicalName": field.name,
        "AttributeType": field.type,
        "IsPrimaryId": field.name == entity.id_name,
        "IsValidForCreate": field.may_be_sent(creating=True),
        "IsValidForUpdate": field.may_be_sent(creating=False),
        "IsValidForRead": True,
        "DisplayName": {"UserLocalizedLabel": {"Label": field.caption}},
    }
    return {**found, "MaxLength": field.length} if field.length else found
