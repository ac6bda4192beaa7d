"""The engine on both simulated systems: what tests of a run can ask for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integration import clock
from integration.choices import JobKind, JobState
from integration.connectors.base import Connector, Update, WriteResult
from integration.models import (
    Connection,
    Coupling,
    PendingRecord,
    SyncError,
    TableMapping,
)
from integration.models.jobs import COUNTS
from integration.services import runs
from integration.services.endpoints import open_business_central, open_sales
from integration.services.review import review_mapping
from integration.services.sync import run_mapping
from integration.simulators.store import Table
from tests.factories import make_user
from tests.running import Systems

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_COUNTS = COUNTS
_BLANK = dict.fromkeys(
    (
        "addressLine1",
        "addressLine2",
        "city",
        "state",
        "country",
        "postalCode",
        "phoneNumber",
        "email",
        "website",
        "currencyCode",
    ),
    "",
) | {"blocked": " ", "type": "Company"}


@dataclass(frozen=True, slots=True)
class Live:
    """A record as it is at every moment."""

    table: Table
    id: str

    @property
    def values(self) -> dict[str, Any]:
        row = self.table.get(self.id)
        assert row
        return row.values


@dataclass(slots=True)
class Engine:
    """One connection with the standard mappings."""

    systems: Systems
    connection: Connection
    bc: Any
    sales: Any

    def mapping(self, name: str = "CUSTOMER") -> TableMapping:
        return self.connection.mappings.get(name=name)

    def claim(self, name: str = "CUSTOMER", **options: Any) -> runs.Run:
        """A queued run, claimed. One that could not end is given up."""
        for job in self.mapping(name).jobs.filter(state=JobState.RUNNING):
            job.delete()
        run_id = runs.start_run(self.mapping(name), **options)
        assert run_id
        run = runs.claim(run_id, "test")
        assert run
        return run

    def review(self, name: str = "CUSTOMER") -> dict[str, int]:
        """The plan."""
        run = self.claim(name, kind=JobKind.REVIEW)
        review_mapping(run, self.bc, self.sales)
        runs.finish(run, JobState.SUCCEEDED)
        [*jobs] = run.jobs.values()
        return dict(jobs[0].plan or {})

    def accept(self) -> None:
        """As if the plan had been looked at; a review is not needed for it here."""
        self.connection.mappings.update(reviewed_at=clock.now())

    def sync(self, *names: str, **options: Any) -> dict[str, dict[str, int]]:
        """What each direction of the last mapping counted; zeros left out."""
        counts: dict[str, dict[str, int]] = {}
        for name in names or ("CURRENCY", "CUSTOMER"):
            run = self.claim(name, **options)
            run_mapping(run, self.bc, self.sales)
            runs.finish(run, JobState.SUCCEEDED)
            counts = {str(way): counted(job) for way, job in run.jobs.items()}
        return counts

    def rehearse(self, name: str = "CUSTOMER") -> dict[str, dict[str, int]]:
        run = runs.dry_run(self.mapping(name))
        run_mapping(run, self.bc, self.sales)
        return {str(way): counted(job) for way, job in run.jobs.items()}

    @property
    def customers(self) -> Table:
        table: Table = self.systems.company("customers")
        return table

    @property
    def currencies(self) -> Table:
        table: Table = self.systems.company("currencies")
        return table

    @property
    def rates(self) -> Table:
        table: Table = self.systems.company("currencyExchangeRates")
        return table

    @property
    def accounts(self) -> Table:
        return self.systems.store.table("sales:accounts")

    @property
    def sales_currencies(self) -> Table:
        return self.systems.store.table("sales:transactioncurrencies")

    def add_customer(self, number: str, name: str = "", **values: Any) -> Live:
        whole = {"number": number, "displayName": name or f"Customer {number}"}
        row = self.customers.insert({**_BLANK, **whole, **values})
        return Live(self.customers, row.id)

    def add_account(self, name: str, **values: Any) -> Live:
        active = {"name": name, "statecode": 0, "statuscode": 1, "customertypecode": 3}
        return Live(self.accounts, self.accounts.insert({**active, **values}).id)

    def change(self, record: Live, **values: Any) -> None:
        """As a person does."""
        row = record.table.get(record.id)
        assert row
        record.table.update(row, values, "a person")

    def all(self, table: Table) -> list[Live]:
        return [Live(table, row.id) for row in table.rows()]

    def one(self, table: Table, column: str, value: str) -> Live:
        (row,) = table.find(column, value)
        return Live(table, row.id)

    def customer(self, number: str) -> Live:
        return self.one(self.customers, "number", number)

    def account_of(self, number: str) -> Live:
        coupling = Coupling.objects.get(mapping=self.mapping(), bc_number=number)
        return Live(self.accounts, coupling.sales_id)

    def pair(self, number: str = "100001") -> tuple[Live, Live]:
        return self.customer(number), self.account_of(number)

    def asked(self) -> int:
        """Where the request log stands now."""
        requests = self.systems.store.requests(0)
        return len(requests)

    def since(self, mark: int) -> list[dict[str, Any]]:
        """Requests to the data APIs since then."""
        return [
            one
            for one in self.systems.store.requests(0)[mark:]
            if one["target"] in {"business_central", "sales"}
        ]

    def writes(self, mark: int) -> list[dict[str, Any]]:
        """What changes something; a batch may hold questions alone."""
        return [one for one in self.since(mark) if _methods(one) != {"GET"}]

    def errors(self, **chosen: Any) -> list[SyncError]:
        return list(
            SyncError.objects.filter(settled_at__isnull=True, **chosen).order_by("id")
        )

    def articles(self) -> list[str]:
        rows = SyncError.objects.filter(settled_at__isnull=True)
        return sorted(rows.values_list("problem__article", flat=True))

    def make_due(self) -> None:
        """The next try of everything is now."""
        PendingRecord.objects.exclude(next_attempt_at=None).update(
            next_attempt_at=LONG_AGO
        )


def _methods(request: dict[str, Any]) -> set[str]:
    parts = request["parts"] or [request]
    return {part["method"] for part in parts}


class Through:
    """A connector that does as another does, but for what it says itself."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connector, name)


class Meanwhile(Through):
    """A connector beside which somebody edits records just before we write them."""

    def __init__(self, connector: Connector, edit: Callable[[], object]) -> None:
        super().__init__(connector)
        self._edit = edit

    def update_many(
        self, entity: str, fields: Sequence[str], updates: Sequence[Update]
    ) -> list[WriteResult]:
        self._edit()
        self._edit = int
        return self.connector.update_many(entity, fields, updates)


def counted(job: Any) -> dict[str, int]:
    if job.pk:
        job.refresh_from_db()
    names = ("records_read", *_COUNTS)
    counts = {name: getattr(job, name) for name in names if getattr(job, name)}
    parts = sum(counts.get(name, 0) for name in _COUNTS)
    assert counts.get("records_read", 0) == parts, counts
    return counts


@contextmanager
def running_engine(systems: Systems) -> Iterator[Engine]:
    """Both connectors open, no mapping accepted."""
    [connection] = systems.connect(make_user())
    with opened(systems, connection) as engine:
        yield engine


@contextmanager
def opened(systems: Systems, connection: Connection) -> Iterator[Engine]:
    """Both connectors of a connection to these systems."""
    with (
        closing(open_business_central(connection.business_central)) as bc,
        closing(open_sales(connection.sales)) as sales,
    ):
        yield Engine(systems, connection, bc, sales)
