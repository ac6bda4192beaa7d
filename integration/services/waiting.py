"""Waiting: a record that names another which cannot be referred to yet (promise 7)."""

from datetime import datetime

from django.db.models import Q

from integration import clock
from integration.core.outcomes import Trouble
from integration.core.plan import Missing
from integration.models import Coupling, PendingRecord, TableMapping
from integration.models.dialect import among
from integration.services import pending
from integration.services.currencies import unknown_currency
from integration.services.errors import open_cause_of
from integration.services.work import Work


def missing_partner(work: Work, missing: Missing) -> Trouble:
    """It waits, for as long as the other has the cause it has now."""
    known = work.references[missing.lookup]
    finding = unknown_currency(missing.field, missing.lookup, missing.value, known)
    return Trouble(
        finding=finding,
        waits_for=missing.waits_for,
        fingerprint=_fingerprint(work, missing.waits_for),
    )


def release_arrived(work: Work) -> None:
    """Try again what waited for a record that can be named now, or fails anew.

    It is looked up here, not told by the other mapping's run: nothing can be lost
    between the two.
    """
    pending.release_wanted(work.mapping)
    arrived = arrivals(work)
    if arrived:
        pending.release_waiting(work.mapping, arrived)


def arrivals(work: Work) -> set[str]:
    """What records of this mapping need not wait for any more."""
    arrived = set()
    for name, fingerprints in pending.awaited(work.mapping).items():
        lookup, _, code = name.partition(":")
        known = work.references.get(lookup)
        is_here = known is None or code in known.sales_ids
        if is_here or fingerprints != {_fingerprint(work, name)}:
            arrived.add(name)
    return arrived


def hasten_waiting(mapping: TableMapping, since: datetime) -> None:
    """Mappings whose records wait for one that was coupled since then are due now.

    Their own run would find it, too, but only when it is due.
    """
    prefix = f"{mapping.name}:"
    waiting: dict[str, set[int]] = {}
    rows = PendingRecord.objects.filter(
        mapping__connection=mapping.connection_id, waits_for__startswith=prefix
    ).order_by()
    for name, waits in rows.values_list("waits_for", "mapping").distinct():
        waiting.setdefault(name.removeprefix(prefix), set()).add(waits)
    if not waiting:
        return
    arrived = Coupling.objects.filter(
        mapping=mapping, bc_number__in=among([*waiting]), coupled_at__gte=since
    ).values_list("bc_number", flat=True)
    due = {key for number in arrived for key in waiting[number]}
    if due:
        TableMapping.objects.filter(pk__in=due).update(next_run_at=clock.now())


def _fingerprint(work: Work, waits_for: str) -> str:
    """Of the open error of "CURRENCY:EUR"; "" while it has none. Asked once per run."""
    if waits_for not in work.awaited:
        work.awaited[waits_for] = _asked(work, waits_for)
    return work.awaited[waits_for]


def _asked(work: Work, waits_for: str) -> str:
    lookup, _, code = waits_for.partition(":")
    target = work.mapping.connection.mappings.filter(name=lookup).first()
    named = Q(label=code) | Q(label__startswith=f"{code} ")
    row = PendingRecord.objects.filter(named, mapping=target).first()
    cause = open_cause_of(target, row.record_id) if target and row else None
    return cause.fingerprint if cause else ""
