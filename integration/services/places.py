"""Where the records of a mapping live: what a link to one of them needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F

from integration.choices import OperationKind, OperationState
from integration.models import Connection, Coupling, Endpoint, Operation, TableMapping
from integration.services.links import record_link


@dataclass(frozen=True, slots=True)
class Place:
    """Both ends of one mapping."""

    entity: str
    table: str
    business_central: Endpoint
    sales: Endpoint

    def business_central_link(self, number: str, id: str) -> str:
        """Opens the record there; "" when it cannot be named."""
        return record_link(self.business_central, self.entity, number, id)

    def sales_link(self, id: str) -> str:
        """Opens the record there; "" when it cannot be named."""
        return record_link(self.sales, self.table, "", id)


def place_of(mapping: TableMapping) -> Place:
    """The place of one mapping; its connection and endpoints are read if need be."""
    connection = mapping.connection
    return Place(
        mapping.entity, mapping.table, connection.business_central, connection.sales
    )


@dataclass(frozen=True, slots=True)
class Places:
    """Every mapping's place by (connection id, mapping key), in the mappings' order.

    ``connections`` are names by id. ``has_retries`` says whether it is worth asking
    which errors are being retried.
    """

    by_key: Mapping[tuple[int, str], Place]
    connections: Mapping[int, str]
    has_retries: bool = False

    def of(self, row: Mapping[str, Any]) -> Place | None:
        """The place of an error's records; ``None`` for an error without a record."""
        return self.by_key.get((row["connection_id"], row["mapping_key"]))

    def of_coupling(self, coupling: Coupling) -> Place:
        """The place of both its records; its mapping is read if need be."""
        mapping = coupling.mapping
        return self.by_key[mapping.connection_id, mapping.name]

    @property
    def mapping_names(self) -> list[str]:
        """Each name once."""
        return list(dict.fromkeys(name for _connection, name in self.by_key))


def read_places() -> Places:
    """One query: connections, also those without a mapping, with their mappings."""
    retrying = Operation.objects.filter(
        kind=OperationKind.RETRY, state=OperationState.RUNNING
    )
    found = (
        Connection.objects.select_related("business_central", "sales")
        .annotate(
            mapping=F("mappings__name"),
            entity=F("mappings__entity"),
            table=F("mappings__table"),
            has_retries=Exists(retrying),
        )
        .order_by("name", "mappings__position", "mappings__name")
    )
    rows: list[Any] = list(found)
    places = {
        (row.pk, row.mapping): Place(
            row.entity, row.table, row.business_central, row.sales
        )
        for row in rows
        if row.mapping
    }
    return Places(
        places,
        connections={row.pk: row.name for row in rows},
        has_retries=any(row.has_retries for row in rows),
    )
