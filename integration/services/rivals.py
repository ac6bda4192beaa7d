"""Who has the number: the one that Sales refuses to give twice, or that of a record
that is gone.

It may be inactive or of another relationship type, so that it was never read.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from integration.connectors.errors import RemoteError
from integration.connectors.odata import VALUES_PER_FILTER, one_of
from integration.core.chunks import chunks
from integration.core.match import MatchKey, match_keys
from integration.core.outcomes import RecordRef, Trouble
from integration.core.records import System
from integration.core.snapshots import Snapshot
from integration.core.values import as_code
from integration.models import Coupling
from integration.services import couplings
from integration.services.companies import without_others
from integration.services.work import Work

logger = logging.getLogger(__name__)
_NUMBER_IS_TAKEN = "0x80060892"
"""An alternate key is violated."""


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
    for part in chunks(wanted, VALUES_PER_FILTER):
        where = one_of(number, part)
        for page in work.connectors[side].read_all(place, columns, where):
            yield from work.snapshots(side, page.records)


def newcomers(work: Work, side: System, numbers: Collection[str]) -> list[Snapshot]:
    """Those of them without partner, whoever entered them since."""
    found = {record.id: record for record in numbered(work, side, numbers)}
    known = couplings.coupled_ids(work.mapping, side, [*found])
    free = [r for r in found.values() if r.passes and r.id not in known]
    return without_others(work, side, free)


def own_number(coupling: Coupling, side: System, left: Snapshot) -> str:
    """With which the record that is gone on ``side`` may be entered again; "": none.

    Of several accounts with the number of one customer, its own has it again.
    """
    number = as_code(left.number)
    is_its_own = side is System.SALES or number == as_code(coupling.bc_number)
    return number if is_its_own else ""


def alike(work: Work, left: Snapshot, others: Iterable[Snapshot]) -> list[Snapshot]:
    """Those that match what is left by the key that decides alone."""
    keys = _first_key(work, left)
    return [record for record in others if keys & _first_key(work, record)]


def _first_key(work: Work, record: Snapshot) -> set[MatchKey]:
    """A record may have none."""
    return {key for key in match_keys(work.table, record) if key[0] == 0}
