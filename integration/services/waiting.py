"""Waiting: a record that names another which cannot be referred to yet (promise 7)."""

from django.db.models import Q

from integration.core.plan import Missing
from integration.models import PendingRecord
from integration.services import pending
from integration.services.currencies import unknown_currency
from integration.services.endings import Trouble
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
    arrived = set()
    for name, fingerprints in pending.awaited(work.mapping).items():
        lookup, _, code = name.partition(":")
        known = work.references.get(lookup)
        is_here = known is None or code in known.sales_ids
        if is_here or fingerprints != {_fingerprint(work, name)}:
            arrived.add(name)
    if arrived:
        pending.release_waiting(work.mapping, arrived)


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
