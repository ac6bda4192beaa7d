"""Who has the number that Sales refuses to give twice.

It may be inactive or of another relationship type, so that it was never read.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from integration.connectors.errors import RemoteError
from integration.connectors.odata import literal
from integration.core.mapping import Snapshot
from integration.core.outcomes import RecordRef
from integration.core.records import System
from integration.core.values import as_code
from integration.services.endings import Trouble
from integration.services.work import Work

logger = logging.getLogger(__name__)
_NUMBER_IS_TAKEN = "0x80060892"
"""An alternate key is violated."""
_NUMBERS_PER_QUESTION = 40
"""A filter names so many at most, to keep the address short."""


def with_rivals(
    work: Work, failed: Sequence[tuple[Snapshot, Trouble]]
) -> list[tuple[Snapshot, Trouble]]:
    """The same, with whom a person has to open where the number is taken."""
    holders = _holders(work, [one for one, trouble in failed if _is_taken(trouble)])
    return [
        (record, replace(trouble, others=holders.get(as_code(record.number), ())))
        if _is_taken(trouble)
        else (record, trouble)
        for record, trouble in failed
    ]


def _is_taken(trouble: Trouble) -> bool:
    return trouble.failure is not None and trouble.failure.code == _NUMBER_IS_TAKEN


def _holders(
    work: Work, records: Sequence[Snapshot]
) -> Mapping[str, tuple[RecordRef, ...]]:
    """By number. It only helps a person: without an answer nobody is named."""
    found: dict[str, tuple[RecordRef, ...]] = {}
    try:
        for row in numbered(work, System.SALES, {as_code(r.number) for r in records}):
            one, key = RecordRef(row.id, row.number, row.name), as_code(row.number)
            found[key] = (*found.get(key, ()), one)
    except RemoteError as error:
        logger.info("records in the way not read", extra={"reason": str(error)})
    return found


def numbered(work: Work, side: System, numbers: Collection[str]) -> Iterator[Snapshot]:
    """All that have one of these numbers now, whatever else they are."""
    number, _name = work.table.label(side)
    place, columns = work.table.place(side), work.table.columns(side)
    wanted = sorted({*numbers} - {""})
    for start in range(0, len(wanted), _NUMBERS_PER_QUESTION):
        part = wanted[start : start + _NUMBERS_PER_QUESTION]
        where = " or ".join(f"{number} eq {literal(each)}" for each in part)
        for page in work.connectors[side].read_all(place, columns, where):
            yield from (work.snapshot(side, row) for row in page.records)
