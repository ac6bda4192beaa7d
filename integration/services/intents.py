"""Intents: what was about to be created in Business Central when the call went out.

An id cannot be sent there (protocols §2.2), so after a lost answer the engine looks for
what it may have created (promise 1).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from integration.connectors.odata import literal, parse_moment
from integration.core.failures import Failure, FailureKind
from integration.core.mapping import TableMap
from integration.core.outcomes import Finding, Trouble
from integration.core.records import Direction, System
from integration.core.snapshots import Snapshot
from integration.core.values import digest
from integration.services import couplings, pending
from integration.services.changes import OVERLAP
from integration.services.work import Work

_TASK = timedelta(minutes=10)
"""A worker has no more time from an intent to the last call it was stored for (D5)."""
Sign = Callable[[Mapping[str, Any]], str]
"""What two records have in common when one may have been made from the other."""


def intent_of(record: Snapshot, since: datetime) -> dict[str, Any]:
    """What to look for: the values that go out, and since when.

    Who changes it afterwards may stamp it earlier (protocols §5): as much earlier as
    when changes are read.
    """
    return {"since": (since - OVERLAP).isoformat(), "values": dict(record.values)}


def answered_at(intent: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """The same once its call has come back, or no answer to it: it is not sent later
    than that."""
    return {**intent, "sent": moment.isoformat()}


@dataclass(slots=True)
class Created:
    """By the Sales record's id: what was made for it, or why nobody can tell.

    ``doubtful`` are the records here that nobody can tell apart. ``under_way`` is what
    was not found, and may still come.
    """

    found: dict[str, Snapshot] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    under_way: dict[str, Trouble] = field(default_factory=dict)
    doubtful: dict[str, tuple[Snapshot, Trouble]] = field(default_factory=dict)


def find_created(work: Work, records: Sequence[Snapshot]) -> Created:
    """What was created for those of these whose answer was never recorded.

    One read of what Business Central changed since shortly before the first intent, and
    only if there is an intent. A candidate is uncoupled and holds all the values that
    were sent, or at least the name. As many records as intents that look the same are
    shared out among them; more are for a person to judge, and so is one of which
    nothing but the name is as it was sent. Who has judged gives it the values that its
    partner has by now.
    """
    ids = [record.id for record in records]
    rows = pending.by_record(work.mapping, System.SALES, ids)
    sent = {key: row.intent for key, row in rows.items() if row.intent}
    created = Created()
    if not sent:
        return created
    candidates = _created_since(work, _first_moment(sent.values()))
    asked = {key: intent["values"] for key, intent in sent.items()}
    present = {record.id: record.values for record in records if record.id in sent}
    names = {record.id: record.name for record in records}
    whole, name = _whole(work.table), _name(work.table)
    for sign, wanted in ((whole, asked), (whole, present), (name, asked)):
        known = created.found.keys() | created.troubles.keys()
        left = {key: values for key, values in wanted.items() if key not in known}
        taken = {record.id for record in created.found.values()}
        free = [record for record in candidates if record.id not in taken]
        some, doubtful = _share_out(left, free, sign)
        for key, record in list(some.items()):
            if _is_namesake(work.table, wanted[key], record.values):
                doubtful[key] = [some.pop(key)]
        created.found |= some
        for key, several in doubtful.items():
            trouble = _undecided(names[key], len(several), sent[key])
            created.troubles[key] = trouble
            of_theirs = replace(trouble, intent=None)
            created.doubtful |= {each.id: (each, of_theirs) for each in several}
    longest = work.connectors[System.BUSINESS_CENTRAL].goes_on_seconds
    for key in sent.keys() - created.found.keys() - created.troubles.keys():
        latest = _latest_moment(work, sent[key])
        seconds = longest - max((work.moment() - latest).total_seconds(), 0.0)
        if seconds > 0:
            intent = answered_at(sent[key], latest)
            created.under_way[key] = _under_way(seconds, intent)
    return created


def _under_way(seconds: float, intent: dict[str, Any]) -> Trouble:
    failure = Failure(
        System.BUSINESS_CENTRAL,
        FailureKind.LOST_ANSWER,
        "batch-answer-missing",
        "No answer came to its creation, which may still be under way",
        retry_after_seconds=seconds,
    )
    return Trouble(failure=failure, intent=intent)


def _latest_moment(work: Work, intent: Mapping[str, Any]) -> datetime:
    """When its call went out at the latest: the system may carry it out long after.

    Of what a worker did until it was killed nothing more is known than when it began.
    """
    told = parse_moment(intent.get("sent", ""))
    return told or min(work.moment(), _first_moment([intent]) + OVERLAP + _TASK)


def told_of(
    table: TableMap,
    intents: Mapping[str, Mapping[str, Any]],
    records: Iterable[Snapshot],
) -> list[str]:
    """Sales records of which one of these, new in Business Central, may have been made.

    By their names: no other call is made to learn it.
    """
    sign = _name(table)
    names = {sign(record.values) for record in records}
    return [key for key, sent in intents.items() if sign(sent["values"]) in names]


def _created_since(work: Work, since: datetime) -> list[Snapshot]:
    side = System.BUSINESS_CENTRAL
    where = f"lastModifiedDateTime ge {literal(since)}"
    pages = work.connectors[side].read_all(
        work.table.place(side), work.table.columns(side), where
    )
    found = [record for page in pages for record in work.snapshots(side, page.records)]
    known = couplings.coupled_ids(work.mapping, side, [record.id for record in found])
    return [record for record in found if record.id not in known]


def _share_out(
    asked: Mapping[str, Mapping[str, Any]], candidates: Iterable[Snapshot], sign: Sign
) -> tuple[dict[str, Snapshot], dict[str, list[Snapshot]]]:
    """What is found for each, and the candidates where there are too many."""
    free: dict[str, list[Snapshot]] = {}
    for record in candidates:
        free.setdefault(sign(record.values), []).append(record)
    alike: dict[str, list[str]] = {}
    for key, values in asked.items():
        alike.setdefault(sign(values), []).append(key)
    found: dict[str, Snapshot] = {}
    doubtful: dict[str, list[Snapshot]] = {}
    for word, keys in alike.items():
        here = free.get(word, [])
        if len(here) > len(keys):
            doubtful |= dict.fromkeys(keys, here)
        else:
            found |= dict(zip(keys, here, strict=False))
    return found, doubtful


def _whole(table: TableMap) -> Sign:
    names = [f.bc for f in table.values if Direction.TO_BUSINESS_CENTRAL in f.ways]
    return lambda values: digest({name: values.get(name) for name in names})


def _is_namesake(
    table: TableMap, sent: Mapping[str, Any], found: Mapping[str, Any]
) -> bool:
    """Only the name is the same, although more was sent: somebody else's, perhaps."""
    more = [
        mapped.bc
        for mapped in table.values
        if Direction.TO_BUSINESS_CENTRAL in mapped.ways
        and not mapped.lookup
        and mapped.bc != table.bc_label[1]
        and sent.get(mapped.bc, "") != ""
    ]
    return len(more) > 1 and all(found.get(name) != sent[name] for name in more)


def _name(table: TableMap) -> Sign:
    return lambda values: str(values.get(table.bc_label[1], ""))


def _undecided(name: str, count: int, intent: dict[str, Any]) -> Trouble:
    return Trouble(
        intent=intent,
        finding=Finding(
            "created-twice-undecided",
            {
                "system": System.BUSINESS_CENTRAL.value,
                "name": name,
                "count": str(count),
            },
            f"The answer to the creation of {name} was lost, and this many records "
            f"could be the one that was created: {count}.",
        ),
    )


def _first_moment(intents: Iterable[Mapping[str, Any]]) -> datetime:
    moments = (parse_moment(intent["since"]) for intent in intents)
    return min(moment for moment in moments if moment)
