"""Endings: how a record or a pair ended, as outcomes and as pending records."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from integration import clock
from integration.core.outcomes import (
    Finding,
    Outcome,
    OutcomeKind,
    Presence,
    RecordRef,
    Trouble,
)
from integration.core.records import Direction, System
from integration.core.snapshots import Snapshot
from integration.models import Coupling
from integration.services import pending
from integration.services.couplings import Known, refs
from integration.services.errors import settle_replaced, stop_waiting
from integration.services.pending import Tried
from integration.services.work import Work

_NONE = Trouble()


def _by_system() -> dict[System, list[Any]]:
    return {system: [] for system in System}


@dataclass(slots=True)
class Endings:
    """What a chunk has to record.

    ``cleared`` are in step or no longer wanted, ``aside`` are not tried, whatever is
    wrong. Of ``superseded`` nothing is said any more: an error of the partner does.
    What is ``left`` waits for a run that has a job of its direction.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    cleared: dict[System, list[str]] = field(default_factory=_by_system)
    superseded: dict[System, list[str]] = field(default_factory=_by_system)
    aside: list[tuple[System, Snapshot, str]] = field(default_factory=list)
    left: dict[System, list[Snapshot]] = field(default_factory=_by_system)

    def save(self, work: Work) -> None:
        """In the caller's transaction. Raises ``RunLost``."""
        if not work.is_rehearsal:
            self._save_pending(work)
        work.log(self.outcomes)

    def _save_pending(self, work: Work) -> None:
        mapping = work.mapping
        for system in System:
            self._clear(work, system)
            pending.keep(mapping, system, self.left[system])
            if work.writes(way_from(system.other)):
                gone = self.superseded[system]
                pending.clear(mapping, system, gone)
                settle_replaced(mapping, way_from(system), gone)
        mine = [one for one in self.tried if work.writes(way_from(one.side))]
        if work.run.operation is not None:
            # Somebody wants them tried: attempts from zero (design §6).
            mine = [replace(one, is_first=True) for one in mine]
        pending.record_tried(mapping, mine, clock.now())
        pending.set_aside(mapping, self.aside)
        for system in System:
            left = [record.id for side, record, _ in self.aside if side is system]
            stop_waiting(mapping, way_from(system), left)

    def _clear(self, work: Work, system: System) -> None:
        """What this run has no job to tell of is left to one that has: at once."""
        ids = self.cleared[system]
        if work.answers_for(way_from(system)):
            pending.clear(work.mapping, system, ids)
        else:
            pending.release_changed(work.mapping, system, ids)


def way_from(system: System) -> Direction:
    """The direction in which the records of this system are the source."""
    if system is System.BUSINESS_CENTRAL:
        return Direction.TO_SALES
    return Direction.TO_BUSINESS_CENTRAL


def of_record(
    kind: OutcomeKind,
    system: System,
    record: Snapshot,
    trouble: Trouble | None = None,
    reason: str = "",
) -> Outcome:
    """The ending of a record that has no partner."""
    here = RecordRef(record.id, record.number, record.name, Presence.EXISTS)
    there = RecordRef(presence=Presence.NOT_CREATED)
    mine_is_bc = system is System.BUSINESS_CENTRAL
    said = trouble or Trouble(finding=Finding("", message=reason) if reason else None)
    return Outcome(
        kind=kind,
        direction=way_from(system),
        record_key=record.id,
        bc=here if mine_is_bc else there,
        sales=there if mine_is_bc else here,
        failure=said.failure,
        finding=said.finding,
        waits_for=said.waits_for,
        values=_shown({system.value: dict(record.values)}, said) if trouble else None,
    )


def _shown(values: dict[str, Any] | None, trouble: Trouble) -> dict[str, Any] | None:
    """What an error's page shows: the values, and who is in the way."""
    others = [
        {"id": each.id, "number": each.number, "name": each.name}
        for each in trouble.others
    ]
    return {**(values or {}), "others": others} if others else values


def of_new_pair(way: Direction, bc: Snapshot, sales: Snapshot) -> Outcome:
    """One of both was made from the other."""
    exists = Presence.EXISTS
    return Outcome(
        OutcomeKind.INSERTED,
        way,
        bc.id if way is Direction.TO_SALES else sales.id,
        RecordRef(bc.id, bc.number[:100], bc.name[:250], exists),
        RecordRef(sales.id, "", sales.name[:250], exists),
    )


def of_pair(
    kind: OutcomeKind,
    way: Direction,
    coupling: Coupling | Known,
    trouble: Trouble | None = None,
    values: dict[str, Any] | None = None,
) -> Outcome:
    """The ending of one direction of a coupled pair."""
    bc, sales = refs(coupling)
    key = bc.id if way is Direction.TO_SALES else sales.id
    if trouble is None and values is None:  # Nearly all of them.
        return Outcome(kind, way, key, bc, sales)
    said = trouble or _NONE
    return Outcome(
        kind=kind,
        direction=way,
        record_key=key,
        bc=bc,
        sales=sales,
        failure=said.failure,
        finding=said.finding,
        waits_for=said.waits_for,
        values=_shown(values, said),
    )


def failed_records(
    endings: Endings, system: System, failed: Sequence[tuple[Snapshot, Trouble]]
) -> None:
    """Records without partner that could not be written."""
    for record, trouble in failed:
        endings.outcomes.append(of_record(OutcomeKind.FAILED, system, record, trouble))
        row = Tried(system, record.id, record.etag, record.label, trouble)
        endings.tried.append(row)
