"""Connectors that count the records their list and delta answers held."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from integration.connectors.base import (
    Connector,
    Create,
    Delete,
    Identity,
    Update,
    WriteResult,
)
from integration.connectors.business_central import BusinessCentral
from integration.connectors.sales import Organization, Sales
from integration.core.records import Page, Record, System
from integration.models import Connection


class CountingConnector:
    """Passes everything on; ``fetched`` counts by entity what its lists brought.

    A delta's word that a record was deleted is one too.
    """

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.system: System = connector.system
        self.fetched: Counter[str] = Counter()

    def read_changes(
        self, entity: str, fields: Sequence[str], cursor: str
    ) -> Iterator[Page]:
        return self._counted(
            entity, self.connector.read_changes(entity, fields, cursor)
        )

    def read_all(
        self, entity: str, fields: Sequence[str], where: str = ""
    ) -> Iterator[Page]:
        return self._counted(entity, self.connector.read_all(entity, fields, where))

    def read_many(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Record]:
        found = self.connector.read_many(entity, fields, ids)
        self.fetched[entity] += len(found)
        return found

    def read_one(self, entity: str, fields: Sequence[str], id: str) -> Record:
        return self.connector.read_one(entity, fields, id)

    def read_each(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> list[WriteResult]:
        return self.connector.read_each(entity, fields, ids)

    def create_many(
        self, entity: str, fields: Sequence[str], creates: Sequence[Create]
    ) -> list[WriteResult]:
        return self.connector.create_many(entity, fields, creates)

    def update_many(
        self, entity: str, fields: Sequence[str], updates: Sequence[Update]
    ) -> list[WriteResult]:
        return self.connector.update_many(entity, fields, updates)

    def delete_many(self, entity: str, deletes: Sequence[Delete]) -> list[WriteResult]:
        return self.connector.delete_many(entity, deletes)

    def identity(self) -> Identity:
        return self.connector.identity()

    def be_patient(self, seconds: float) -> None:
        self.connector.be_patient(seconds)

    def server_time(self) -> datetime | None:
        return self.connector.server_time()

    def close(self) -> None:
        self.connector.close()

    def _counted(self, entity: str, pages: Iterator[Page]) -> Iterator[Page]:
        for page in pages:
            self.fetched[entity] += len(page.records) + len(page.deleted)
            yield page


class CountingBusinessCentral(CountingConnector):
    """With what only Business Central answers."""

    def __init__(self, connector: BusinessCentral) -> None:
        super().__init__(connector)
        self._client = connector

    def ledger_setup(self) -> dict[str, Any]:
        return self._client.ledger_setup()


class CountingSales(CountingConnector):
    """With what only Sales answers."""

    def __init__(self, connector: Sales) -> None:
        super().__init__(connector)
        self._client = connector

    def organization(self) -> Organization:
        return self._client.organization()


def add_fetched_outside_jobs(
    connection: Connection, *counted: Mapping[str, int]
) -> None:
    """Add what was read without a job; records of mapped entities only."""
    places = connection.mappings.values_list("entity", "table")
    names = {name for both in places for name in both}
    records = sum(fetched.get(name, 0) for fetched in counted for name in names)
    mine = Connection.objects.filter(pk=connection.pk)
    mine.update(records_fetched=F("records_fetched") + records)
