"""Mappings: the standard ones as rows, and rows as the values the core works with."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import Direction as DirectionChoice
from integration.choices import OperationKind, Transformation
from integration.core.answers import ConflictRule, DeletionRule
from integration.core.mapping import Condition, FieldMap, TableMap
from integration.core.records import Direction
from integration.core.standard import (
    CREATE_ONLY,
    KINDS,
    LABELS,
    STANDARD,
    StandardMapping,
)
from integration.core.values import ValueKind
from integration.models import Connection, FieldMapping, Operation, TableMapping
from integration.services.actors import Actor, require_administrator
from integration.services.operations import record_operation
from integration.services.pending import release_all, release_coded
from integration.services.runs import restart
from integration.services.sentences import InWords, Told

ANSWERED_ARTICLES = (
    "conflict-both-changed",
    "record-deleted-bc",
    "record-deleted-sales",
)
"""The causes that a rule, or a person's answer, ends."""
_OPERATORS = frozenset({"eq", "ne", "in"})


class MappingInvalid(InWords):
    """The rows of a mapping contradict each other; nothing is read or written."""


@transaction.atomic
def create_standard_mappings(
    connection: Connection, interval_seconds: int = 300
) -> list[TableMapping]:
    """CURRENCY and CUSTOMER, each in review until its plan is accepted (promise 11)."""
    made: dict[str, TableMapping] = {}
    for position, standard in enumerate(STANDARD):
        mapping = _create(connection, standard, position, interval_seconds)
        mapping.depends_on.set(made[name] for name in standard.depends_on)
        made[standard.name] = mapping
    return list(made.values())


@transaction.atomic
def change_mapping(
    mapping: TableMapping,
    by: Actor,
    reason: str,
    *,
    fields: Mapping[str, str] | None = None,
    **columns: Any,
) -> Operation:
    """Change columns of a mapping, and the directions of fields, by their name here.

    Everything is read again and whatever failed is tried again, attempts from zero
    (design §6); a run on its way starts anew. Raises ``MappingInvalid``; then nothing
    has changed.
    """
    require_administrator(by)
    for name, direction in (fields or {}).items():
        mapping.fields.filter(bc_field=name).update(direction=direction)
    TableMapping.objects.filter(pk=mapping.pk).update(
        **columns, bc_cursor="", sales_cursor="", next_run_at=clock.now()
    )
    mapping.refresh_from_db()
    load_table_map(mapping)
    restart(mapping)
    release_all(mapping)
    return record_change(mapping, by, reason, fields=dict(fields or {}), **columns)


def record_change(
    mapping: TableMapping, by: Actor, reason: str | Told, **changed: Any
) -> Operation:
    """The operation that says who changed what of it, and why."""
    return record_operation(
        OperationKind.SET_UP,
        by=by,
        reason=reason,
        scope={"mapping": mapping.name, "name": str(mapping.connection)},
        result={"change": "changed", **changed},
    )


@dataclass(frozen=True, slots=True)
class Answerable:
    """Which rules a mapping can have."""

    conflicts: bool
    deletions: bool


def answerable(mapping: TableMapping) -> Answerable:
    """One way there is no conflict; a currency is made usable again by hand."""
    return Answerable(
        conflicts=mapping.direction == DirectionChoice.BOTH,
        deletions=mapping.entity != "currencies",
    )


@transaction.atomic
def change_rules(
    mapping: TableMapping,
    by: Actor,
    reason: str | Told,
    conflict: ConflictRule,
    deletion: DeletionRule,
) -> Operation | None:
    """Answer conflicts and deletions by these rules from the next run on.

    Those that are open now are tried again at once. ``None`` when nothing changes.
    Raises ``Refused`` and ``MappingInvalid``.
    """
    require_administrator(by)
    can = answerable(mapping)
    if conflict != ConflictRule.NONE and not can.conflicts:
        raise MappingInvalid(
            gettext_noop("{mapping} goes one way: nothing is ever in conflict."),
            mapping=mapping.name,
        )
    if deletion == DeletionRule.DELETE or (
        deletion != DeletionRule.NONE and not can.deletions
    ):
        raise MappingInvalid(
            gettext_noop("{mapping} does not answer deletions by that rule."),
            mapping=mapping.name,
        )
    rules = {"update_conflict": conflict.value, "deletion_conflict": deletion.value}
    changed = {
        name: rule for name, rule in rules.items() if getattr(mapping, name) != rule
    }
    if not changed:
        return None
    TableMapping.objects.filter(pk=mapping.pk).update(
        **changed, next_run_at=clock.now()
    )
    mapping.refresh_from_db()
    release_coded(mapping, ANSWERED_ARTICLES)
    return record_change(mapping, by, reason, **changed)


def load_table_map(mapping: TableMapping) -> TableMap:
    """The rows as a value. Raises ``MappingInvalid``."""
    rows = list(mapping.fields.all())
    tables = dict(
        mapping.connection.mappings.filter(
            name__in={row.lookup for row in rows if row.lookup}
        ).values_list("name", "table")
    )
    table = TableMap(
        name=mapping.name,
        entity=mapping.entity,
        table=mapping.table,
        ways=_ways(mapping.direction),
        fields=tuple(_field(mapping, row, tables) for row in rows),
        bc_filter=_filter(mapping, mapping.bc_filter),
        sales_filter=_filter(mapping, mapping.sales_filter),
        only_coupled=mapping.only_coupled,
        bc_label=LABELS.get(mapping.entity, ("", "")),
        sales_label=LABELS.get(mapping.table, ("", "")),
        conflict=ConflictRule(mapping.update_conflict),
        deletion=DeletionRule(mapping.deletion_conflict),
    )
    _refuse_contradictions(table)
    return table


def _create(
    connection: Connection,
    standard: StandardMapping,
    position: int,
    interval_seconds: int,
) -> TableMapping:
    mapping = TableMapping.objects.create(
        connection=connection,
        name=standard.name,
        entity=standard.entity,
        table=standard.table,
        direction=_direction(standard.ways),
        bc_filter=[dict(condition) for condition in standard.bc_filter],
        sales_filter=[dict(condition) for condition in standard.sales_filter],
        position=position,
        interval_seconds=interval_seconds,
    )
    FieldMapping.objects.bulk_create(
        FieldMapping(
            mapping=mapping,
            bc_field=field.bc,
            sales_field=field.sales,
            direction=_direction(field.ways),
            constant=field.constant,
            default=field.default,
            transformation=field.transformation,
            lookup=field.lookup,
            match_priority=field.match,
            position=place,
        )
        for place, field in enumerate(standard.fields)
    )
    return mapping


def _field(
    mapping: TableMapping, row: FieldMapping, tables: dict[str, str]
) -> FieldMap:
    if row.lookup and row.lookup not in tables:
        raise MappingInvalid(
            gettext_noop(
                "{mapping}: {field} is looked up by {lookup}, and this connection has "
                "no such mapping."
            ),
            mapping=mapping.name,
            field=row.bc_field,
            lookup=row.lookup,
        )
    default = row.default if isinstance(row.default, dict) else {}
    return FieldMap(
        bc=row.bc_field,
        sales=row.sales_field,
        ways=_ways(row.direction),
        kind=KINDS.get((mapping.entity, row.bc_field), ValueKind.TEXT),
        constant=row.constant,
        lookup=row.lookup,
        lookup_table=tables.get(row.lookup, ""),
        create_only=(mapping.table, row.sales_field) in CREATE_ONLY,
        is_virtual=row.transformation == Transformation.EXCHANGE_RATE,
        default_from=str(default.get("field", "")),
        match=row.match_priority,
    )


def _filter(
    mapping: TableMapping, rows: Iterable[dict[str, Any]]
) -> tuple[Condition, ...]:
    conditions = []
    for row in rows:
        if row.get("op") not in _OPERATORS or not row.get("field"):
            raise MappingInvalid(
                gettext_noop("{mapping}: this part of a filter says nothing: {part}"),
                mapping=mapping.name,
                part=str(row),
            )
        conditions.append(Condition(row["field"], row["op"], row.get("value")))
    return tuple(conditions)


def _refuse_contradictions(table: TableMap) -> None:
    if not table.values:
        raise MappingInvalid(
            gettext_noop("{mapping} maps no field."), mapping=table.name
        )
    for mapped in table.fields:
        if not mapped.ways <= table.ways:
            name = mapped.bc or mapped.sales
            raise MappingInvalid(
                gettext_noop(
                    "{mapping}: {field} travels in a direction the mapping does not."
                ),
                mapping=table.name,
                field=name,
            )


def _direction(ways: Collection[Direction]) -> str:
    if len(ways) == len(Direction):
        return DirectionChoice.BOTH.value
    return next(iter(ways)).value


def _ways(direction: str) -> frozenset[Direction]:
    if direction == DirectionChoice.BOTH:
        return frozenset(Direction)
    return frozenset({Direction(direction)})
