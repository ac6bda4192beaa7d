"""What Dataverse tells about its own tables."""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import quoteattr

from integration.simulators.sales_call import Answer, Call, json_answer
from integration.simulators.sales_entities import ENTITIES, TABLES, Column, Entity, Kind
from integration.simulators.sales_refusals import refusal

__all__ = ["definitions", "edmx", "one_definition"]

LOGICAL_NAME = re.compile(r"LogicalName='(\w+)'\Z")
TRACKED_ONLY = re.compile(r"ChangeTrackingEnabled eq true\Z")


def edmx() -> Answer:
    """The ``$metadata`` document."""
    types = "".join(map(entity_type, ENTITIES.values()))
    sets = "".join(
        f'<EntitySet Name="{e.set_name}" EntityType="mscrm.{e.logical}" />'
        for e in ENTITIES.values()
    )
    text = (
        '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" '
        'xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        '<Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" '
        'xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        f'{types}<EntityContainer Name="System">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )
    return Answer(200, {"Content-Type": "application/xml"}, text.encode())


def entity_type(entity: Entity) -> str:
    columns = "".join(map(property_tag, entity.columns))
    return (
        f'<EntityType Name="{entity.logical}"><Key><PropertyRef Name="{entity.key}" />'
        f"</Key>{columns}</EntityType>"
    )


def property_tag(column: Column) -> str:
    length = f' MaxLength="{column.length}"' if column.length else ""
    name = quoteattr(column.read_name)
    tag = f'<Property Name={name} Type="{column.kind.edm}"{length} />'
    if column.kind is Kind.LOOKUP:
        tag += (
            f'<NavigationProperty Name="{column.name}" Type="mscrm.{column.target}" />'
        )
    return tag


def definitions(call: Call) -> Answer:
    """``EntityDefinitions``, whole or only those with change tracking."""
    wanted = call.options.get("$filter", "")
    if wanted and not TRACKED_ONLY.match(wanted):
        raise refusal("dv-query", reason=f"The filter '{wanted}' is not supported.")
    tables = [e for e in ENTITIES.values() if e.tracked or not wanted]
    context = f"{call.root}$metadata#EntityDefinitions"
    return json_answer(
        {"@odata.context": context, "value": list(map(definition, tables))}
    )


def one_definition(call: Call) -> Answer:
    """``EntityDefinitions(LogicalName='account')`` and its ``/Attributes``."""
    found = LOGICAL_NAME.match(call.target.key or "")
    entity = TABLES.get(found[1]) if found else None
    if entity is None:
        raise refusal("dv-table-not-found", key=call.target.key)
    context = f"{call.root}$metadata#EntityDefinitions"
    if call.target.tail.partition("/")[0] != "Attributes":
        return json_answer({"@odata.context": context, **definition(entity)})
    value = [attribute(entity, column) for column in entity.columns]
    return json_answer({"@odata.context": f"{context}/Attributes", "value": value})


def definition(entity: Entity) -> dict[str, Any]:
    return {
        "MetadataId": str(uuid5(NAMESPACE_URL, entity.logical)),
        "LogicalName": entity.logical,
        "EntitySetName": entity.set_name,
        "PrimaryIdAttribute": entity.key,
        "PrimaryNameAttribute": entity.title,
        "ObjectTypeCode": entity.code,
        "ChangeTrackingEnabled": entity.tracked,
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": {"UserLocalizedLabel": {"Label": entity.label}},
    }


def attribute(entity: Entity, column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "MetadataId": str(uuid5(NAMESPACE_URL, f"{entity.logical}.{column.name}")),
        "LogicalName": column.name,
        "AttributeType": column.kind.value,
        "IsPrimaryId": column.name == entity.key,
        "IsValidForCreate": column.writable in ("always", "on create"),
        "IsValidForUpdate": column.writable in ("always", "on update"),
        "IsValidForRead": True,
        "DisplayName": {"UserLocalizedLabel": {"Label": column.label or column.name}},
    }
    if column.length:
        found["MaxLength"] = column.length
    return found
