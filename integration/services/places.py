"""Where the records of a mapping live: what a link to one of them needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from integration.models import (
    Connection,
    Coupling,
    Endpoint,
    TableMapping,
)
from integration.models.statements import Statement
from integration.services.links import RecordLinks, record_links


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Both ends of one mapping; the same one as long as nobody changes them."""

    business_central: RecordLinks
    sales: RecordLinks

    def business_central_link(self, number: str, id: str) -> str:
        """Opens the record there; "" when it cannot be named."""
        return self.business_central.to(number, id)

    def sales_link(self, id: str) -> str:
        """Opens the record there; "" when it cannot be named."""
        return self.sales.to("", id)


def place_of(mapping: TableMapping) -> Place:
    """The place of one mapping; its connection and endpoints are read if need be."""
    connection = mapping.connection
    return Place(
        record_links(connection.business_central, mapping.entity),
        record_links(connection.sales, mapping.table),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Every mapping's place by (connection id, mapping key), in the mappings' order.

    ``connections`` are names by id. The same one as long as nobody changes any.
    """

    by_key: Mapping[tuple[int, str], Place]
    connections: Mapping[int, str]

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
    return _made_of(places_statement().raw())


@lru_cache(maxsize=4)
def _made_of(found: tuple[tuple[Any, ...], ...]) -> Places:
    """Kept: they are the same from page to page."""
    places: dict[tuple[int, str], Place] = {}
    connections: dict[int, str] = {}
    rows = places_statement().converted(found)
    for key, name, mapping, entity, table, *ends in rows:
        connections[key] = name
        if mapping:
            half = len(_LINKED)
            places[key, mapping] = Place(
                _links(entity, *ends[:half]), _links(table, *ends[half:])
            )
    return Places(places, connections)


_LINKED = (
    *("kind", "web_url", "tenant_id", "environment", "company_name"),
    *("app_unique_name", "is_simulator"),
)
"""What a link to a record needs of an endpoint."""


@cache
def places_statement() -> Statement:
    """Of ``read_places``, to be asked together with others."""
    rows = Connection.objects.order_by("name", "mappings__position", "mappings__name")
    ends = (
        f"{end}__{name}" for end in ("business_central", "sales") for name in _LINKED
    )
    columns = ("mappings__name", "mappings__entity", "mappings__table", *ends)
    return Statement.of(rows.values_list("id", "name", *columns))


@lru_cache(maxsize=1024)
def _links(entity: str, *endpoint: Any) -> RecordLinks:
    return record_links(Endpoint(**dict(zip(_LINKED, endpoint, strict=True))), entity)
