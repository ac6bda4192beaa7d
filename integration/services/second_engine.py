"""Whether Microsoft's own synchronization works on a mapping too (promise 12)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from integration.connectors.business_central import BusinessCentral
from integration.connectors.errors import Refused
from integration.core.outcomes import Finding

ARTICLE = "second-engine-running"
RUNNER = 5339
"""Codeunit *Integration Synch. Job Runner* (protocols §2.3)."""
AT_REST = "on hold"
FORBIDDEN = {401, 403}


@dataclass(frozen=True, slots=True)
class Look:
    """``could_look`` is false where the right to job queue entries is missing."""

    findings: tuple[Finding, ...] = ()
    could_look: bool = True


def second_engine(bc: BusinessCentral, names: Collection[str]) -> Look:
    """One call: which of these mappings Business Central synchronizes by itself.

    Raises ``RemoteError`` for anything but a missing right.
    """
    try:
        entries = bc.job_queue_entries(f"objectIdToRun eq {RUNNER}")
    except Refused as error:
        if error.failure.status in FORBIDDEN:
            return Look(could_look=False)
        raise
    working = {_mapping_of(entry) for entry in entries if not _is_at_rest(entry)}
    return Look(tuple(_finding(name) for name in names if name in working))


def _is_at_rest(entry: dict[str, Any]) -> bool:
    """On hold; with an inactivity time-out it would wake by itself."""
    status = str(entry.get("status") or "").replace("_x0020_", " ")
    return status.strip().lower() == AT_REST


def _mapping_of(entry: dict[str, Any]) -> str:
    """The key in "Integration Table Mapping: CUSTOMER"."""
    record = str(entry.get("recordIdToProcess") or "")
    return record.rpartition(":")[2].strip(" '\"").upper()


def _finding(name: str) -> Finding:
    return Finding(
        ARTICLE,
        {"mapping": name},
        f"Business Central synchronizes {name} itself. Put its job queue entry on "
        f"hold, or pause this connection and leave the work to Business Central.",
    )
