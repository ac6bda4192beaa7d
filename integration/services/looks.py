"""Looks: which errors are looked at again, until when, and who looks (C5, C7).

Whoever opens an error, or one of its records, has it watched for half an hour. What a
record waits for is watched with it. The newest open errors are looked at now and then
without that. A look is claimed by one conditional update: two workers never have the
same, and that of a killed one is free again after a minute.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from integration import clock
from integration.choices import Chip, ItemOutcome
from integration.core.records import System
from integration.models import (
    Look,
    Operation,
    OperationItem,
    Problem,
    SyncError,
    TableMapping,
)
from integration.models.cuts import Cut, place
from integration.models.dialect import among
from integration.models.errors import LIST_COLUMNS
from integration.models.removal import hold

WATCHED = timedelta(minutes=30)
EVERY = timedelta(seconds=20)
NOW_AND_THEN = timedelta(minutes=30)
LEASE = timedelta(seconds=60)
MOST = 200
"""Looks that one worker takes at once."""
OF_A_CAUSE = 20
"""Errors of a cause that are watched when somebody opens its cure."""
SWEPT = 500
"""The newest open errors are looked at unasked; the others when somebody opens them."""


@transaction.atomic
def watch(error: SyncError) -> None:
    """Look at it, and at what it waits for, from now on; nothing for a settled one."""
    if error.settled_at is not None:
        return
    now = clock.now()
    ids = {error.pk, *(one.pk for one in awaited_by(error))}
    _make(ids)
    rows = Look.objects.filter(error__in=ids)
    rows.update(watched_until=now + WATCHED)
    rows.filter(claim="").update(next_at=now)


def watch_cause(problem: Problem) -> None:
    """The same for the newest errors of a cause: each of them tells that it is over."""
    rows = SyncError.objects.in_chip(Chip.OPEN, Chip.WAITING).filter(problem=problem)
    for error in rows.order_by("waits_for", "-last_seen", "-id")[:OF_A_CAUSE]:
        watch(error)


def awaited_by(error: SyncError) -> QuerySet[SyncError]:
    """The errors of what this one waits for: a cause and what waits share a problem."""
    rows = SyncError.objects.in_chip(Chip.OPEN).exclude(record_key="")
    same = rows.filter(problem=error.problem_id)
    return same if error.waits_for else same.none()


class Seen(NamedTuple):
    """What is known of an error beyond its row; ``None`` and "" where nobody looked.

    ``retrying``: an unfinished retry holds it.
    """

    retrying: bool
    settled_at: datetime | None
    settled_reason: str
    last_seen: datetime
    watched_until: datetime | None
    looked_at: datetime | None
    found: str
    bc_presence: str
    sales_presence: str
    change: dict[str, Any] | None

    def presences(self) -> dict[str, str]:
        """What was found of both records; nothing where no link is to be judged."""
        if self.settled_at is not None:
            return {}
        found = {
            "bc_presence": self.bc_presence,
            "sales_presence": self.sales_presence,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def is_watched(self) -> bool:
        until = self.watched_until
        return until is not None and until > clock.now()

    @property
    def is_lively(self) -> bool:
        """Whether news is to be expected soon."""
        return self.retrying or self.is_watched


_, *OWN = Seen._fields[:4]
LOOK = Seen._fields[4:]
LOOK_TEXTS = {"found", "bc_presence", "sales_presence"}
"""Where ``Seen`` comes from: its error, and the look at it; "" where nobody looked."""


def seen_columns() -> list[str | Combinable]:
    """What a query of errors asks for, in the order of ``Seen``."""
    held, *look = beside_columns()
    return [held, *OWN, *look]


def beside_columns() -> list[str | Combinable]:
    """Those of them that are not the error's own."""
    held = OperationItem.objects.filter(
        outcome=ItemOutcome.PENDING, error=OuterRef("pk")
    )
    look = [
        Coalesce(f"look__{name}", Value("")) if name in LOOK_TEXTS else f"look__{name}"
        for name in LOOK
    ]
    return [Exists(held), *look]


def seen_of(ids: Collection[int]) -> dict[int, Seen]:
    """Of these errors; one query."""
    rows = SyncError.objects.filter(pk__in=ids).values_list("id", *seen_columns())
    return {key: Seen(*known) for key, *known in rows}


def rows_of(ids: Collection[int], cuts: Sequence[Cut]) -> list[dict[str, Any]]:
    """What a list shows of these errors, with what was seen of them; one query.

    ``deletion`` is the operation that has taken one out of sight meanwhile, else 0.
    """
    columns = (*LIST_COLUMNS, *seen_columns(), place(cuts))
    rows = SyncError.objects.filter(pk__in=ids).values_list(*columns)
    shown = len(LIST_COLUMNS)
    return [
        {
            **dict(zip(LIST_COLUMNS, row, strict=False)),
            "seen": Seen(*row[shown:-1]),
            "deletion": row[-1],
        }
        for row in rows
    ]


def deletion_of(error_id: int) -> int:
    """The operation that has taken it out of sight, 0 without one."""
    rows = rows_of([error_id], Operation.objects.cuts())
    return next((int(row["deletion"]) for row in rows), 0)


def seen_of_cause(problem: Problem) -> Seen | None:
    """The latest look at any of its errors: settled if all of them are."""
    rows = SyncError.objects.visible(Operation.objects.cuts()).filter(problem=problem)
    open_first = F("settled_at").desc(nulls_first=True)
    latest = F("look__looked_at").desc(nulls_last=True)
    looked = rows.exclude(look=None).order_by(open_first, latest)
    key = looked.values_list("id", flat=True).first()
    return seen_of([key])[key] if key else None


def is_anything_watched() -> bool:
    return Look.objects.filter(watched_until__gt=clock.now()).exists()


def are_looks_due() -> bool:
    return _due(clock.now()).exists() or _unseen().exists()


def claim_looks() -> list[Look]:
    """Take what is due, watched ones first; the caller ends each by ``keep``."""
    _make(_unseen().values_list("id", flat=True)[:MOST])
    now, token = clock.now(), uuid4().hex
    order = (F("watched_until").desc(nulls_last=True), "next_at", "id")
    due = _due(now).order_by(*order)
    with transaction.atomic():
        # Without waiting for whom somebody has, or removes: he may wait for another.
        free = due.select_for_update(skip_locked=True)
        ids = list(free.values_list("id", flat=True)[:MOST])
        Look.objects.filter(id__in=ids).update(claim=token, next_at=now + LEASE)
    mine = Look.objects.filter(claim=token).select_related("error__problem")
    return list(mine.order_by("id"))


def keep(look: Look, *, is_over: bool = False) -> bool:
    """Write down what was found and when to look again; ``False``: it was lost.

    A click meanwhile has it watched longer than ``look`` knows, and stays so.
    """
    mine = Look.objects.filter(pk=look.pk, claim=look.claim)
    known = {name: getattr(look, name) for name in _FOUND}
    kept = mine.update(**known, claim="", next_at=None if is_over else _next(look))
    if kept and is_over:
        Look.objects.filter(pk=look.pk, claim="").update(watched_until=None)
    return bool(kept)


_FOUND = (
    *("looked_at", "found", "bc_presence", "sales_presence"),
    *("bc_etag", "sales_etag", "tried", "change"),
)


def is_watched(look: Look, now: datetime) -> bool:
    return look.watched_until is not None and look.watched_until > now


def is_looked_at(mapping: TableMapping) -> bool:
    """Whether what we write may have to be noted."""
    return _of(mapping).exists()


def _of(mapping: TableMapping) -> QuerySet[Look]:
    return Look.objects.filter(
        next_at__isnull=False,
        error__connection=mapping.connection_id,
        error__mapping_key=mapping.name,
    )


def note_written(
    mapping: TableMapping, written: Mapping[str, Mapping[str, Collection[str]]]
) -> None:
    """What we write is nobody's change: the fields of each system, by a record's id.

    It holds until the record fails again. Each row by itself and outside of the chunk's
    transaction: whoever claims looks never waits for a run.
    """
    rows = _of(mapping).filter(error__record_key__in=among([*written]))
    for look in rows.select_related("error") if written else ():
        new = written[look.error.record_key]
        known: dict[str, Any] = {"since": look.error.last_seen.isoformat()}
        for side in System:
            fields = {*written_since(look, side), *new.get(side.value, ())}
            known[side.value] = sorted(fields)
        Look.objects.filter(pk=look.pk).update(written=known)


def written_since(look: Look, side: System) -> Collection[str]:
    """The fields that we have written since the record failed."""
    if look.written.get("since") != look.error.last_seen.isoformat():
        return ()
    fields: list[str] = look.written[side.value]
    return fields


def _due(now: datetime) -> QuerySet[Look]:
    """Also what lies further ahead than any: the clock was set back since."""
    latest = now + NOW_AND_THEN + clock.AHEAD
    return Look.objects.filter(Q(next_at__lte=now) | Q(next_at__gt=latest))


def _next(look: Look) -> datetime:
    now = clock.now()
    return now + (EVERY if is_watched(look, now) else NOW_AND_THEN)


def _unseen() -> QuerySet[SyncError]:
    """Of the newest open errors with a record, those nobody has looked at yet."""
    newest = SyncError.objects.visible(Operation.objects.cuts()).in_chip(Chip.OPEN)
    ids = newest.order_by("-last_seen", "-id").values("id")[:SWEPT]
    return SyncError.objects.filter(id__in=ids, look=None).exclude(record_key="")


def _make(ids: Collection[int]) -> None:
    """Their rows, where there are none yet: due at once; none for what is removed."""
    if not ids:
        return
    now = clock.now()
    with transaction.atomic(savepoint=False):
        Look.objects.bulk_create(
            [Look(error_id=key, next_at=now) for key in hold(SyncError, ids)],
            ignore_conflicts=True,
        )
