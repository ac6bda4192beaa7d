"""Work: what the steps of one run share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from integration import clock
from integration.connectors.base import Connector, WriteResult, Written
from integration.connectors.errors import remote_error
from integration.core.chunks import chunks
from integration.core.failures import Failure, FailureKind
from integration.core.mapping import References, TableMap
from integration.core.outcomes import Finding, Note, Outcome, OutcomeKind
from integration.core.records import Direction, Record, System
from integration.core.snapshots import Snapshot, snapshots
from integration.models import TableMapping
from integration.services.answers import Answer
from integration.services.behind import Behind
from integration.services.currencies import Money
from integration.services.long_texts import with_long_field
from integration.services.may_run import refuse_paused
from integration.services.retry_results import refuse_cancelled
from integration.services.runs import Run, log_outcomes
from integration.services.spool import Spool
from integration.services.storms import refuse_storm, room

_T = TypeVar("_T")
_CHUNK = 1_000
_STOPPING = (FailureKind.THROTTLED, FailureKind.CONNECTION)


@dataclass
class Work:
    """A run with its mapping as a value, both systems, and its spool.

    ``money`` is there only in the mapping of currencies. ``awaited`` remembers the
    fingerprint of what records wait for. ``stopped_by`` is why part of a chunk was not
    tried: nothing else would pass now. ``answers`` are people's, by coupling;
    ``restored`` the records whose deleted partner is being made again. ``others`` are
    mappings of other companies to the same table of Sales. What was written is recorded
    ``behind`` the next call.
    """

    run: Run
    table: TableMap
    connectors: Mapping[System, Connector]
    spool: Spool
    read_references: Callable[[], Mapping[str, References]]
    money: Money | None = None
    awaited: dict[str, str] = field(default_factory=dict)
    stopped_by: Failure | None = None
    answers: Mapping[int, Answer] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    others: tuple[int, ...] = ()
    behind: Behind = field(default_factory=Behind)

    @cached_property
    def references(self) -> Mapping[str, References]:
        """What the lookups refer to; asked for once, when it is needed."""
        return self.read_references()

    @property
    def mapping(self) -> TableMapping:
        return self.run.mapping

    @property
    def is_rehearsal(self) -> bool:
        """Nothing is written anywhere."""
        return self.run.dry_run

    def writes(self, way: Direction) -> bool:
        """Whether this run has a job of this direction."""
        return way in self.run.jobs

    def answers_for(self, way: Direction) -> bool:
        """Whether no run of another direction is needed to tell what became of it."""
        return self.writes(way) or way not in self.table.ways

    def moment(self) -> datetime:
        """Business Central's time, which decides what it created when; else ours."""
        return self.connectors[System.BUSINESS_CENTRAL].server_time() or clock.now()

    def snapshots(self, system: System, records: Sequence[Record]) -> list[Snapshot]:
        if self.money and system is System.BUSINESS_CENTRAL:
            records = [*map(self.money.rated, records)]
        return snapshots(self.table, system, records, self.references)

    def is_outside(self, side: System, record: Snapshot) -> bool:
        """The filter leaves it out; of currencies here it is the local one."""
        if self.money and side is System.BUSINESS_CENTRAL:
            return record.number.strip().upper() == self.money.rates.local
        return not record.passes

    def rate_problem(self, side: System, record: Snapshot) -> Finding | None:
        """Why a currency cannot be written; nothing of any other record."""
        if self.money is None or side is System.SALES:
            return None
        return self.money.problem(record.number.strip().upper())

    def read(self, system: System, ids: Sequence[str]) -> dict[str, Snapshot]:
        """Those of these records that exist, as they are now."""
        found: dict[str, Snapshot] = {}
        columns = self.table.columns(system)
        place = self.table.place(system)
        for chunk in chunks(ids, _CHUNK):
            records = self.connectors[system].read_many(place, columns, chunk)
            read = self.snapshots(system, [*records.values()])
            found |= dict(zip(records, read, strict=True))
        return found

    def stops(self, result: WriteResult) -> bool:
        """Whether this was not tried, because nothing passes now; the run will end."""
        if isinstance(result, Written) or result.kind not in _STOPPING:
            return False
        self.stopped_by = result
        return True

    def portions(self, records: Sequence[_T]) -> Iterator[Sequence[_T]]:
        """Never more of these at once than may be tried before it is a storm."""
        left = records
        while left:
            size = room(self.mapping, self.run.tries)
            if self.is_rehearsal:
                size = len(left)
            yield left[:size]
            left = left[size:]

    def go_on(self) -> None:
        """After a chunk is recorded. Raises ``RemoteError``, ``Storm``, ``Cancelled``
        or ``Paused`` when nothing more is to be tried."""
        if self.stopped_by:
            raise remote_error(self.stopped_by)
        if self.run.operation is not None:
            refuse_cancelled(self.run.operation)
        refuse_paused(self.mapping)
        refuse_storm(self.mapping, self.run.tries)

    def log(self, outcomes: Iterable[Outcome]) -> None:
        """Record what this run answers for, in the caller's transaction.

        Endings of a direction it has no job for are left to the run that has. A record
        that has ended before in this run counts as it ends now.
        """
        jobs = self.run.jobs
        mine = [
            with_long_field(outcome) if outcome.failure else outcome
            for outcome in map(self._noted, outcomes)
            if outcome.direction in jobs
        ]
        before = {way: self._ended(way, mine) for way in self.run.jobs}
        log_outcomes(self.run, mine, before)

    def _ended(self, way: Direction, outcomes: Sequence[Outcome]) -> list[str]:
        kinds = {o.record_key: o.kind.value for o in outcomes if o.direction is way}
        return self.spool.end(way.source, kinds)

    def _noted(self, outcome: Outcome) -> Outcome:
        restored = outcome.record_key in self.restored
        if restored and outcome.kind is OutcomeKind.INSERTED:
            return outcome._replace(note=Note.RESTORED)
        return outcome
