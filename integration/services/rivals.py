"""Who has the number that Sales refuses to give twice.

It may be inactive or of another relationship type, so that it was never read.
"""

import logging
from collections.abc import Mapping, Sequence
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
    number, name = work.table.sales_label
    wanted = sorted({as_code(record.number) for record in records} - {""})
    found: dict[str, tuple[RecordRef, ...]] = {}
    try:
        for start in range(0, len(wanted), _NUMBERS_PER_QUESTION):
            part = wanted[start : start + _NUMBERS_PER_QUESTION]
            where = " or ".join(f"{number} eq {literal(each)}" for each in part)
            pages = work.connectors[System.SALES].read_all(
                work.table.place(System.SALES), (number, name), where
            )
            for row in (row for page in pages for row in page.records):
                its = str(row.values.get(number) or "")
                one = RecordRef(row.id, its, str(row.values.get(name) or ""))
                key = as_code(its)
                found[key] = (*found.get(key, ()), one)
    except RemoteError as error:
        logger.info("records in the way not read", extra={"reason": str(error)})
    return found
