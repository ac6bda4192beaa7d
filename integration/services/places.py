"""Where the records of a mapping live: what a link to one of them needs."""

from dataclasses import dataclass

from integration.models import Endpoint, TableMapping
from integration.services.links import record_link

__all__ = ["Place", "place_of", "read_places"]


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


def read_places() -> dict[tuple[int, str], Place]:
    """Every mapping's place by (connection id, mapping key), in one query."""
    rows = TableMapping.objects.select_related(
        "connection__business_central", "connection__sales"
    )
    return {(row.connection_id, row.name): place_of(row) for row in rows}
