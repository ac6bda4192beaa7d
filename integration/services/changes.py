"""Changes: what both systems say has changed, read once, on its way to the spool."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from integration import clock
from integration.connectors.errors import CursorExpired
from integration.connectors.odata import literal, parse_moment
from integration.core.records import Page, System
from integration.models import Coupling
from integration.services import couplings, pending
from integration.services.read_ahead import read_ahead
from integration.services.sorting import forget, sort, sort_read
from integration.services.work import Work

OVERLAP = timedelta(minutes=5)
"""Business Central stamps inside the transaction that writes: what commits later than
it was stamped is found by reading this much again (protocols §5)."""
_CHUNK = 1_000
SCAN_EVERY = timedelta(hours=1)
"""How often deletions in Business Central are looked for: it has no tombstones, so all
ids are read, one request for 5,000."""


@dataclass(slots=True)
class Cursors:
    """Where the next run starts to read. ``scanned``: all ids here have been seen."""

    bc: str = ""
    sales: str = ""
    scanned: bool = False


def read_both(work: Work) -> Cursors:
    """Everything that changed since the stored cursors goes into the spool.

    What needs no decision is recorded page by page: echoes, versions handled before,
    records outside the filter and those whose next try is not due. The first page of
    Sales is on its way while that of Business Central is dealt with.
    """
    cursors = Cursors()
    stored = "" if work.run.full else work.mapping.sales_cursor
    with read_ahead(_pages(work, System.SALES, stored)) as theirs:
        cursors.bc = _read_business_central(work, theirs.begin)
        there = _Reading(System.SALES, stored, stored)
        cursors.sales = _follow_or_restart(work, there, theirs)
    cursors.scanned = _scan_business_central(work)
    return cursors


def read_due(work: Work) -> None:
    """Pending records whose time has come, whatever the cursors say (promise 6)."""
    now = clock.now()
    for system in System:
        if work.money and system is System.BUSINESS_CENTRAL:
            continue  # All currencies have been read already.
        for ids in pending.due(work.mapping, system, now):
            known = work.spool.has(system, ids)
            read_only(work, system, [each for each in ids if each not in known])


def read_only(work: Work, system: System, ids: Sequence[str]) -> None:
    """These records as they are now, to be decided about whatever was tried before."""
    found = work.read(system, ids)
    sort(work, system, list(found.values()), at_once=True)
    forget(work, system, [each for each in ids if each not in found])


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reading one side from ``start``; ``stored`` is the next cursor if none comes.
    ``meanwhile`` is to be done as soon as something has come."""

    side: System
    start: str
    stored: str
    meanwhile: Callable[[], None] = lambda: None


def _read_business_central(work: Work, meanwhile: Callable[[], None]) -> str:
    side = System.BUSINESS_CENTRAL
    if work.money:
        meanwhile()
        _take(work, side, Page(records=work.money.records), whole=True)
        return ""
    stored = "" if work.run.full else work.mapping.bc_cursor
    here = _Reading(side, _with_overlap(stored), stored, meanwhile)
    with read_ahead(_pages(work, side, here.start)) as pages:
        pages.begin()
        _ = work.references  # which is asked for while the first page is on its way
        return _follow_or_restart(work, here, pages)


def _pages(work: Work, side: System, start: str) -> Iterator[Page]:
    place, columns = work.table.place(side), work.table.columns(side)
    return work.connectors[side].read_changes(place, columns, start)


def _follow_or_restart(work: Work, reading: _Reading, pages: Iterable[Page]) -> str:
    """Read everything anew when the system knows the place to start from no more."""
    try:
        return _follow(work, reading, pages)
    except CursorExpired:
        if not reading.start:
            raise
        anew = replace(reading, start="", stored="")
        with read_ahead(_pages(work, reading.side, "")) as all_pages:
            return _follow(work, anew, all_pages)


def _follow(work: Work, reading: _Reading, pages: Iterable[Page]) -> str:
    """Take what comes; the next cursor."""
    reached = reading.stored
    # Where nothing is coupled yet, nothing can be missed.
    whole = not reading.start and couplings.are_there(work.mapping)
    for page in pages:
        reading.meanwhile()
        _take(work, reading.side, page, whole=whole)
        reached = page.cursor or reached
    if whole:
        _miss_unseen(work, reading.side)
    return reached


def _take(work: Work, side: System, page: Page, *, whole: bool) -> None:
    if whole:
        work.spool.see(side, [record.id for record in page.records])
    sort_read(work, side, page.records)
    if page.deleted:
        known = couplings.coupled_ids(work.mapping, side, page.deleted)
        work.spool.miss(side, known)
        alone = [each for each in page.deleted if each not in known]
        forget(work, side, list(pending.by_record(work.mapping, side, alone)))


def _scan_business_central(work: Work) -> bool:
    """Look for deletions where nobody tells of them; whether all ids have been seen."""
    side = System.BUSINESS_CENTRAL
    if work.money:
        _miss_unseen(work, side)
        return True
    if work.run.full or not work.mapping.bc_cursor:
        return True
    scanned = work.mapping.scanned_at
    if scanned and -clock.AHEAD < clock.now() - scanned < SCAN_EVERY:
        return False
    for page in work.connectors[side].read_all(work.table.place(side), ()):
        work.spool.see(side, [record.id for record in page.records])
    _miss_unseen(work, side)
    return True


def _miss_unseen(work: Work, side: System) -> None:
    """Coupled records that a whole read did not bring may have been deleted."""
    key = couplings.column(side, "id")
    there = {f"{couplings.column(side, 'deleted_at')}__isnull": True}
    rows = Coupling.objects.filter(mapping=work.mapping, **there)
    last = 0
    while found := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", key)[:_CHUNK]
    ):
        last = found[-1][0]
        work.spool.miss(side, work.spool.unseen(side, [each for _, each in found]))


def _with_overlap(cursor: str) -> str:
    """The moment to read from; an unreadable cursor reads everything."""
    start = parse_moment(cursor)
    try:
        return literal(start - OVERLAP) if start else ""
    except OverflowError:  # Business Central's blank moment is the first there is.
        return ""
