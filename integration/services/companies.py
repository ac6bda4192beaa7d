"""Other companies: several connections may keep one Sales environment in step.

A record there belongs to the company that has it coupled, or is about to create its
partner (behaviours B122): for the others it does not exist. Currencies are everybody's.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Min, Q

from integration import clock
from integration.choices import JobKind, JobState
from integration.core.chunks import chunks
from integration.core.plan import may_be_ours
from integration.core.records import Direction, System
from integration.core.snapshots import Snapshot
from integration.core.standard import SHARED
from integration.models import Coupling, Job, PendingRecord, TableMapping
from integration.models.dialect import among, lock_companies
from integration.models.jobs import ACTIVE_STATES
from integration.services import pending
from integration.services.work import Work

UNRECORDED = timedelta(minutes=10)
"""So long a run may take to record what it created; a task has no more time (D5)."""
ELSEWHERE = "It belongs to another company."
FRESH = "It was made a moment ago, perhaps for another company."
_CHUNK = 1_000


def others_of(mapping: TableMapping) -> tuple[int, ...]:
    """Mappings of the same table of the same environment, for other companies.

    A connection that is not enabled keeps nothing in step, and has nothing there.
    """
    if mapping.table in SHARED:
        return ()
    here = mapping.connection
    rows = TableMapping.objects.filter(table=mapping.table, connection__enabled=True)
    found = rows.exclude(connection=here).values_list(
        "pk",
        "connection__sales__base_url",
        "connection__business_central__company_id",
    )
    address, company = _plain(here.sales.base_url), here.business_central.company_id
    return tuple(
        pk
        for pk, environment, other in found
        if _plain(environment) == address and other.lower() != company.lower()
    )


def elsewhere(work: Work, side: System, ids: Sequence[str]) -> set[str]:
    """Those of these that belong to another company; asked where there is one.

    Also those of which it is about to create the customer, or a deleted one anew.
    """
    found: set[str] = set()
    if side is System.BUSINESS_CENTRAL or not work.others:
        return found
    meant = Q(intent__isnull=False) | Q(wanted=True)
    for part in chunks(ids, _CHUNK):
        coupled = Coupling.objects.filter(
            mapping__in=work.others, sales_id__in=among(part)
        )
        intended = PendingRecord.objects.filter(
            meant,
            mapping__in=work.others,
            side=side.value,
            record_id__in=among(part),
        )
        found.update(coupled.values_list("sales_id", flat=True))
        found.update(intended.values_list("record_id", flat=True))
    return found


def taken(work: Work, ids: Sequence[str]) -> set[str]:
    """The same of accounts that this transaction is about to take.

    It is alone with that until it ends, so that of two companies one has them.
    """
    if work.others:
        lock_companies()
    return elsewhere(work, System.SALES, ids)


def tried_elsewhere(work: Work, ids: Sequence[str]) -> set[str]:
    """Those of these accounts that another company has tried: the entry that says what
    is wrong with one is its, and nobody else creates a customer from it.

    Where both have, it is the first one's; what may have been created from it is looked
    for by whoever did.
    """
    if not work.others:
        return set()
    own = work.mapping.pk
    mine = pending.by_record(work.mapping, System.SALES, ids)
    tried = Q(attempts__gt=0) | Q(skipped_at__isnull=False)
    found: set[str] = set()
    for part in chunks(ids, _CHUNK):
        rows = PendingRecord.objects.filter(
            tried,
            mapping__in=work.others,
            side=System.SALES.value,
            record_id__in=among(part),
        )
        for key, mapping in rows.values_list("record_id", "mapping"):
            row = mine.get(key)
            is_ours = row and (row.intent or (row.attempts and own < mapping))
            if not is_ours:
                found.add(key)
    return found


def without_others(
    work: Work, side: System, records: Sequence[Snapshot]
) -> list[Snapshot]:
    """Those of these that belong to this company, or to none."""
    if side is System.BUSINESS_CENTRAL or not work.others:
        return [*records]
    # In this order: what is recorded since then is found to belong elsewhere.
    since = unrecorded_since(work)
    theirs = elsewhere(work, side, [record.id for record in records])
    theirs |= fresh_of(work, records, since)
    return [record for record in records if record.id not in theirs]


def fresh_of(
    work: Work, records: Sequence[Snapshot], since: datetime | None
) -> set[str]:
    """Those of these that another company's run may have made and not recorded yet.

    What we have tried ourselves, or left aside, was there before, however lately
    somebody changed it.
    """
    if since is None:
        return set()
    now = work.connectors[System.SALES].server_time() or clock.now()
    found = [
        record.id
        for record in records
        if record.modified_at
        and (now - record.modified_at < UNRECORDED or record.modified_at >= since)
        and may_be_ours(record.id)
    ]
    known = pending.by_record(work.mapping, System.SALES, found)
    before = {
        key
        for key, row in known.items()
        if row.attempts or row.skipped_at or row.intent or row.wanted
    }
    return set(found) - before


def unrecorded_since(work: Work) -> datetime | None:
    """When the first run of another company began that may have left something nobody
    recorded: it is on its way, waits to go on, or ended badly, and none has read all
    that changed since then."""
    return min(filter(None, map(_unrecorded_since, work.others)), default=None)


def _unrecorded_since(mapping: int) -> datetime | None:
    """Of one company; each part by the index that has just those jobs."""
    jobs = Job.objects.filter(
        mapping=mapping,
        direction=Direction.TO_SALES.value,
        kind=JobKind.SYNC,
        started_at__isnull=False,
    )
    whole = jobs.filter(state=JobState.SUCCEEDED, only__isnull=True)
    last = whole.order_by("-id").values_list("id", flat=True).first() or 0
    left = (
        jobs.filter(state__in=ACTIVE_STATES),
        jobs.filter(state=JobState.FAILED, id__gt=last),
    )
    begun = [rows.aggregate(first=Min("started_at"))["first"] for rows in left]
    return min(filter(None, begun), default=None)


def _plain(address: str) -> str:
    """Sales has two for each environment, with and without ``.api``."""
    return address.rstrip("/").lower().replace(".api.crm", ".crm")
