"""What is read of both systems without a job: for a person, a check or a look."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from django.db.models import F

from integration.connectors.sales import Sales
from integration.models import Connection, TableMapping
from integration.services.endpoints import open_business_central, open_sales
from integration.services.runs import dry_run
from integration.services.spool import Spool
from integration.services.sync import open_work
from integration.services.work import Work


@contextmanager
def opened(mapping: TableMapping) -> Iterator[tuple[Work, Sales]]:
    """Both systems, to read records of this mapping; what was read is counted."""
    connection = mapping.connection
    with (
        closing(open_business_central(connection.business_central)) as bc,
        closing(open_sales(connection.sales)) as sales,
        Spool() as spool,
    ):
        try:
            yield open_work(dry_run(mapping), spool, bc, sales), sales
        finally:
            add_fetched(connection, bc.fetched, sales.fetched)


def add_fetched(connection: Connection, *fetched: Mapping[str, int]) -> None:
    """Add what was read by entity; records of mapped entities only."""
    places = connection.mappings.values_list("entity", "table")
    names = {name for both in places for name in both}
    records = sum(counts.get(name, 0) for counts in fetched for name in names)
    mine = Connection.objects.filter(pk=connection.pk)
    mine.update(records_fetched=F("records_fetched") + records)
