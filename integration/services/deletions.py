"""Deletions: one of two coupled records is gone, or both are."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from integration.core.mapping import Snapshot
from integration.core.outcomes import Finding, Outcome, OutcomeKind
from integration.core.records import Direction, System
from integration.models import Coupling, SyncError
from integration.services import couplings, pending
from integration.services.endings import Endings, Trouble, of_pair, tried, way_from
from integration.services.errors import settle_both_deleted
from integration.services.work import Work

_ARTICLES = {
    System.BUSINESS_CENTRAL: "record-deleted-bc",
    System.SALES: "record-deleted-sales",
}
_NAMES = {System.BUSINESS_CENTRAL: "Business Central", System.SALES: "Sales"}


def confirm_missed(work: Work) -> None:
    """Re-read what was called deleted, or was not seen: a 404 confirms (protocols §5).

    What is there after all goes to the spool.
    """
    for side in System:
        for ids in work.spool.missed(side):
            known = couplings.by_record(work.mapping, side, ids)
            present = {
                key: record
                for key, record in work.read(side, list(known)).items()
                if not is_lost(work, side, record)
            }
            back = [(record, known[key].pk) for key, record in present.items()]
            work.spool.add(side, back, work.table)
            gone = [known[key] for key in known if key not in present]
            record_gone(work, side, gone)
            work.spool.finish([coupling.pk for coupling in gone])


def is_lost(work: Work, side: System, record: Snapshot) -> bool:
    """A currency that is inactive in Sales is as good as gone: nothing can use it."""
    return bool(work.money) and side is System.SALES and not record.passes


def record_gone(work: Work, side: System, gone: Sequence[Coupling]) -> None:
    """The records of this side are gone; where the others are too, the pairs end."""
    if not gone:
        return
    other = side.other
    ids = [getattr(each, couplings.column(other, "id")) for each in gone]
    left = work.read(other, ids)
    endings, ended, now = Endings(), [], work.moment()
    for coupling, other_id in zip(gone, ids, strict=True):
        if other_id in left:
            record = left[other_id]
            _record_half(work, endings, side, coupling, record.etag, now)
        else:
            ended.append(coupling)
            endings.outcomes.append(_ended(work, side, coupling, now))
    if work.is_rehearsal:
        work.log(endings.outcomes)
        return
    with transaction.atomic():
        couplings.save(each for each in gone if each not in ended)
        endings.save(work)
        _end(work, ended)


def _record_half(
    work: Work,
    endings: Endings,
    side: System,
    coupling: Coupling,
    etag: str,
    now: datetime,
) -> None:
    """A deletion's source is the record that still exists (design §5)."""
    column = couplings.column(side, "deleted_at")
    setattr(coupling, column, getattr(coupling, column) or now)
    way = _way(work, side)
    trouble = Trouble(finding=_finding(work, side, coupling))
    values = {"last": dict(coupling.values)} if coupling.values else None
    endings.outcomes.append(of_pair(OutcomeKind.FAILED, way, coupling, trouble, values))
    left = way.source
    record_id = getattr(coupling, couplings.column(left, "id"))
    endings.tried.append(tried(left, record_id, etag, str(coupling), trouble))
    if left is not side:
        gone_id = getattr(coupling, couplings.column(side, "id"))
        endings.superseded[side].append(gone_id)


def _finding(work: Work, side: System, coupling: Coupling) -> Finding:
    if work.money and side is System.SALES:
        code = coupling.bc_number
        return Finding(
            "dv-currency-not-found",
            {"currency": code},
            f"Cannot find the currency with the value '{code}' in Dataverse.",
        )
    return Finding(
        _ARTICLES[side],
        {"table": work.table.place(side)},
        f"{coupling} was deleted in {_NAMES[side]} and still exists in "
        f"{_NAMES[side.other]}.",
    )


def _ended(work: Work, side: System, coupling: Coupling, now: datetime) -> Outcome:
    coupling.bc_deleted_at = coupling.bc_deleted_at or now
    coupling.sales_deleted_at = coupling.sales_deleted_at or now
    return of_pair(OutcomeKind.UNCOUPLED, _way(work, side), coupling)


def _end(work: Work, ended: Sequence[Coupling]) -> None:
    """Both are confirmed gone: nothing is left to keep in step."""
    if not ended:
        return
    keys = [each.bc_id for each in ended] + [each.sales_id for each in ended]
    pending.clear(work.mapping, System.BUSINESS_CENTRAL, keys)
    pending.clear(work.mapping, System.SALES, keys)
    errors = SyncError.objects.filter(
        connection=work.mapping.connection_id,
        mapping_key=work.mapping.name,
        record_key__in=keys,
        settled_at__isnull=True,
    )
    settle_both_deleted(
        work.mapping.connection, list(errors.values_list("pk", flat=True))
    )
    Coupling.objects.filter(pk__in=[each.pk for each in ended]).delete()


def _way(work: Work, side: System) -> Direction:
    """From the record that is left; a one-way mapping has only one way."""
    way = way_from(side.other)
    return way if way in work.table.ways else way_from(side)
