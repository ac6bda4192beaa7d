"""What an answer to a conflict or a deletion would do, read from both systems now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core import signing
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from integration.choices import Engine
from integration.choices import System as SystemChoice
from integration.connectors.errors import RemoteError
from integration.connectors.sales import Sales, logical_name
from integration.core.answers import ConflictRule, DeletionRule, Winners, winners
from integration.core.decide import Decision, decide
from integration.core.plan import Missing, creation, update
from integration.core.records import Direction, System
from integration.core.snapshots import Snapshot
from integration.core.values import digest
from integration.models import Coupling, SyncError, TableMapping
from integration.services import couplings, may_run
from integration.services.actors import Actor, Refused, require_operator, user_of
from integration.services.answers import Answer, settled_words
from integration.services.articles import cause_of, label_of
from integration.services.endings import way_from
from integration.services.outside_jobs import opened
from integration.services.pairs import Pair, values_of
from integration.services.rivals import alike, newcomers, own_number
from integration.services.sentences import in_words, of_cause
from integration.services.unusable import Unusable
from integration.services.work import Work

_SALT = "integration.answers"
OVER = gettext_noop("This is settled, or of another cause by now.")
_CONFLICT = "conflict-both-changed"
_DELETED = frozenset({"record-deleted-bc", "record-deleted-sales"})


class Take(StrEnum):
    """What a person can answer."""

    BUSINESS_CENTRAL = "business_central"
    SALES = "sales"
    FIELDS = "fields"
    RESTORE = "restore"
    DELETE = "delete"
    UNCOUPLE = "uncouple"


_RULES = {
    Take.RESTORE: DeletionRule.RESTORE,
    Take.DELETE: DeletionRule.DELETE,
    Take.UNCOUPLE: DeletionRule.UNCOUPLE,
}


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One field of both records now, last in step, and after.

    ``written`` is the side that gets ``becomes``; ``winner`` the one whose value it is;
    ``is_open``: a person may say who wins.
    """

    name: str
    label: str
    business_central: Any
    sales: Any
    last: Any
    becomes: Any = None
    written: System | None = None
    winner: System | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What was read and what would be done with it.

    ``left`` is the side that still has its record, after a deletion; ``instead`` is who
    has been entered on the other one in place of what would be restored. ``blocked``
    says why it cannot be done, in words; there is no ``token`` then.
    """

    take: Take
    error: SyncError
    coupling: Coupling
    rows: list[PlanRow]
    answer: Answer
    left: System | None = None
    instead: Snapshot | None = None
    blocked: str = ""
    token: str = field(default="", repr=False)

    def written(self, side: System) -> list[PlanRow]:
        return [row for row in self.rows if row.written is side]


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a token carries: the plan that was shown."""

    once: str
    take: Take
    coupling: int
    answer: Mapping[str, Any]
    fields: Mapping[str, list[str]]


def takes_for(error: SyncError) -> tuple[Take, ...]:
    """What may be answered to an error of this cause."""
    if error.settled_at or not error.record_key:
        return ()
    if error.problem.article == _CONFLICT:
        return (Take.BUSINESS_CENTRAL, Take.SALES, Take.FIELDS)
    if error.problem.article in _DELETED:
        return (Take.RESTORE, Take.UNCOUPLE, Take.DELETE)
    return ()


def why_not(mapping: TableMapping | None) -> str:
    """Why nothing can be answered on this mapping now; "" when it can."""
    if mapping is None:
        return _("The mapping does not exist any more.")
    connection = mapping.connection
    if connection.engine == Engine.BUSINESS_CENTRAL:
        return _(
            "Business Central itself synchronizes this connection: answer it there, in "
            "Coupled Data Synchronization Errors."
        )
    refused = may_run.why_not(mapping)
    return in_words(refused.key, refused.english) if refused else ""


def plan(
    error: SyncError, take: Take, by: Actor, chosen: Mapping[str, str] | None = None
) -> Plan:
    """Read both records and say what the answer would write.

    ``chosen`` names the side that wins, by field, for ``Take.FIELDS``; fields it leaves
    out go to the side that changed them. Raises ``Refused``.
    """
    require_operator(by)
    mapping, coupling = _subject(error, take)
    with _readable(), opened(mapping) as (work, sales):
        bc, held = (_read(work, side, coupling) for side in System)
        pair = Pair(coupling, bc, held)
        if take in _RULES:
            found = _deletion(work, error, take, pair)
        else:
            found = _conflict(work, error, take, pair, chosen or {})
        blocked = found.blocked or _lacking(work, sales, found)
    if blocked:
        return replace(found, blocked=blocked)
    return replace(found, token=_token(found, by))


def _subject(error: SyncError, take: Take) -> tuple[TableMapping, Coupling]:
    mapping = (
        TableMapping.objects.select_related(
            "connection__business_central", "connection__sales"
        )
        .filter(connection=error.connection_id, name=error.mapping_key)
        .first()
    )
    refusal = why_not(mapping)
    if mapping is None or refusal:
        raise Refused(refusal)
    if take not in takes_for(error):
        raise Refused(settled_words(error) or _(OVER))
    coupling = mapping.couplings.filter(
        bc_id=error.bc_id, sales_id=error.sales_id
    ).first()
    if coupling is None:
        raise Refused(_("The two records are not coupled any more."))
    return mapping, coupling


@contextmanager
def _readable() -> Iterator[None]:
    """What a system refuses meanwhile is a refusal of the plan."""
    try:
        yield
    except (RemoteError, Unusable) as refusal:
        reason = str(refusal)
        if isinstance(refusal, RemoteError):
            told = of_cause(cause_of(refusal.failure, None))
            reason = in_words(told.key, told.english)
        raise Refused(
            _("The records could not be read now: %(reason)s") % {"reason": reason}
        ) from refusal


def _read(work: Work, side: System, coupling: Coupling) -> Snapshot | None:
    key = couplings.held(coupling, side, "id")
    return work.read(side, [key]).get(key)


def _conflict(
    work: Work, error: SyncError, take: Take, pair: Pair, asked: Mapping[str, str]
) -> Plan:
    if pair.bc is None or pair.sales is None:
        raise Refused(
            _("One of the two records is not there any more. Retry to see what holds.")
        )
    bc, sales = (values_of(work, pair, side) for side in System)
    base = pair.coupling.values or {}
    table = replace(work.table, conflict=ConflictRule.NONE)
    if not decide(table, base, bc, sales).conflict:
        raise Refused(
            _("Nothing is in conflict any more. Retry, and the error is settled.")
        )
    open_fields = [name for name in table.two_way if bc[name] != sales[name]]
    chosen = _chosen(take, open_fields, base, bc, sales, asked)
    decision = decide(table, base, bc, sales, chosen)
    held = {System.BUSINESS_CENTRAL: bc, System.SALES: sales}
    after = {
        side: digest(_after(pair.record(side), held, decision, side)) for side in System
    }
    etags = {System.BUSINESS_CENTRAL: pair.bc.etag, System.SALES: pair.sales.etag}
    return Plan(
        take=take,
        error=error,
        coupling=pair.coupling,
        rows=[*_written_rows(work, held, base, decision, chosen)],
        answer=Answer(chosen=chosen, etags=etags, after=after),
        blocked=_unnamed(work, held, decision),
    )


def _chosen(
    take: Take,
    names: list[str],
    base: Mapping[str, Any],
    bc: Mapping[str, Any],
    sales: Mapping[str, Any],
    asked: Mapping[str, str],
) -> Winners:
    if take is not Take.FIELDS:
        return winners(ConflictRule(take.value), names, base, bc, sales) or {}
    found: dict[str, System] = {}
    for name in names:
        merged = winners(ConflictRule.MERGE, [name], base, bc, sales) or {}
        told = asked.get(name, "")
        first = merged.get(name, System.BUSINESS_CENTRAL)
        found[name] = System(told) if told in set(System) else first
    return found


def _after(
    record: Snapshot | None,
    held: Mapping[System, Mapping[str, Any]],
    decision: Decision,
    side: System,
) -> dict[str, Any]:
    """What a side holds once the plan is done."""
    way = way_from(side.other)
    written = {name: held[side.other][name] for name in decision.fields(way)}
    return {**(record.values if record else {}), **written}


def _written_rows(
    work: Work,
    held: Mapping[System, Mapping[str, Any]],
    base: Mapping[str, Any],
    decision: Decision,
    chosen: Winners,
) -> Iterator[PlanRow]:
    bc, sales = held[System.BUSINESS_CENTRAL], held[System.SALES]
    for mapped in work.table.values:
        name = mapped.bc
        way = next((w for w in Direction if name in decision.fields(w)), None)
        if way is None:
            continue
        yield PlanRow(
            name=name,
            label=label_of(name, get_language() or "en"),
            business_central=bc[name],
            sales=sales[name],
            last=base.get(name),
            becomes=held[way.source][name],
            written=way.destination,
            winner=way.source,
            is_open=name in chosen,
        )


def _unnamed(
    work: Work, held: Mapping[System, Mapping[str, Any]], decision: Decision
) -> str:
    """Why a value cannot be written: it names a record without partner."""
    for way in Direction:
        names = decision.fields(way)
        columns = update(work.table, way, held[way.source], names, work.references)
        if isinstance(columns, Missing):
            return _not_coupled(columns)
    return ""


def _not_coupled(missing: Missing) -> str:
    return _("%(field)s is %(value)s, which is not coupled yet.") % {
        "field": label_of(missing.field, get_language() or "en"),
        "value": missing.value,
    }


def _deletion(work: Work, error: SyncError, take: Take, pair: Pair) -> Plan:
    there = [(side, record) for side in System if (record := pair.record(side))]
    if len(there) == len(System):
        raise Refused(
            _("Both records are there again. Retry, and the error is settled.")
        )
    if not there:
        raise Refused(
            _("Both records are deleted by now. Retry, and the error is settled.")
        )
    [(left, survivor)] = there
    if take is Take.RESTORE:
        again = _entered_again(work, pair.coupling, left, survivor)
        if again:
            _refuse_several(left.other, again)
            both = {left: survivor, left.other: again[0]}
            return _meeting(work, error, pair.coupling, left, both)
    way = way_from(left)
    blocked = _not_restorable(work, way, survivor) if take is Take.RESTORE else ""
    names = [
        f.bc for f in work.table.values if take is not Take.RESTORE or way in f.ways
    ]
    return Plan(
        take=take,
        error=error,
        coupling=pair.coupling,
        rows=[*_deletion_rows(take, left, survivor, pair.coupling.values or {}, names)],
        answer=Answer(rule=_RULES[take], etags={left: survivor.etag}),
        left=left,
        blocked=blocked,
    )


def _entered_again(
    work: Work, coupling: Coupling, left: System, survivor: Snapshot
) -> list[Snapshot]:
    """Who has the number by now of what would be restored: a run couples that one."""
    number = own_number(coupling, left.other, survivor)
    found = newcomers(work, left.other, [number])
    return alike(work, survivor, found)


def _meeting(
    work: Work,
    error: SyncError,
    coupling: Coupling,
    left: System,
    both: Mapping[System, Snapshot],
) -> Plan:
    """Nothing is created: both meet like two that have never been in step."""
    held = {side: both[side].values for side in System}
    decision = decide(work.table, None, *held.values())
    answer = Answer(
        rule=DeletionRule.RESTORE,
        newcomer=both[left.other].id,
        etags={side: both[side].etag for side in System},
    )
    return Plan(
        take=Take.RESTORE,
        error=error,
        coupling=coupling,
        rows=[*_written_rows(work, held, coupling.values or {}, decision, {})],
        answer=answer,
        left=left,
        instead=both[left.other],
        blocked=_unnamed(work, held, decision),
    )


def _refuse_several(side: System, again: Sequence[Snapshot]) -> None:
    if len(again) > 1:
        raise Refused(
            _(
                "Several records in %(system)s have its number by now: %(names)s. "
                "Leave it to one of them first."
            )
            % {
                "system": SystemChoice(side).label,
                "names": ", ".join(sorted(each.name or each.id for each in again)),
            }
        )


def _deletion_rows(
    take: Take,
    left: System,
    survivor: Snapshot,
    base: Mapping[str, Any],
    names: Iterable[str],
) -> Iterator[PlanRow]:
    here = left is System.BUSINESS_CENTRAL
    for name in names:
        value = survivor.values.get(name, "")
        if value == "":
            continue
        made = take is Take.RESTORE
        yield PlanRow(
            name=name,
            label=label_of(name, get_language() or "en"),
            business_central=value if here else None,
            sales=None if here else value,
            last=base.get(name),
            becomes=value if made else None,
            written=left.other if made else None,
        )


def _not_restorable(work: Work, way: Direction, survivor: Snapshot) -> str:
    if way not in work.table.ways:
        return _("%(name)s creates nothing in that direction.") % {
            "name": work.mapping.name
        }
    if not survivor.passes:
        return _("The filter of the mapping leaves the record out that is left.")
    columns = creation(work.table, way, survivor.values, work.references)
    return _not_coupled(columns) if isinstance(columns, Missing) else ""


def _lacking(work: Work, sales: Sales, found: Plan) -> str:
    """The privilege in Sales that this would need and the user does not have.

    Business Central does not say what our user may write without writing.
    """
    verbs = []
    is_created = found.take is Take.RESTORE and not found.instead
    if is_created and found.left is System.BUSINESS_CENTRAL:
        verbs = ["Create"]
    elif found.take is Take.DELETE and found.left is System.SALES:
        verbs = ["Delete"]
    elif found.written(System.SALES) and not is_created:
        verbs = ["Write"]
    user_id = work.mapping.connection.sales.integration_user_id
    if not (verbs and user_id):
        return ""
    try:
        held = {name.casefold() for name in sales.privileges(user_id)}
    except RemoteError:
        return ""
    for verb in verbs:
        name = f"prv{verb}{logical_name(work.table.table).capitalize()}"
        if name.casefold() not in held:
            return _("The integration user lacks the privilege %(name)s in Sales.") % {
                "name": name
            }
    return ""


def _token(found: Plan, by: Actor) -> str:
    user = user_of(by)
    return signing.dumps(
        {
            "by": user.pk if user else str(by),
            "once": uuid4().hex,
            "error": found.error.pk,
            "take": found.take.value,
            "coupling": found.coupling.pk,
            "answer": found.answer.stored(),
            "fields": {
                side.value: [row.name for row in found.written(side)] for side in System
            },
        },
        salt=_SALT,
    )


def read_token(token: str, error: SyncError, by: Actor) -> Ticket:
    """The plan that was shown; raises ``Refused`` if it is not this one's."""
    try:
        said = signing.loads(token, salt=_SALT, max_age=settings.PREVIEW_TOKEN_SECONDS)
    except signing.SignatureExpired:
        raise Refused(
            _("This plan is older than an hour. Open it again to see what holds now.")
        ) from None
    except signing.BadSignature:
        raise Refused(_("This plan was changed on its way. Open it again.")) from None
    user = user_of(by)
    if said["by"] != (user.pk if user else str(by)) or said["error"] != error.pk:
        raise Refused(
            _("This plan was made for another user or another error. Open your own.")
        )
    return Ticket(
        once=said["once"],
        take=Take(said["take"]),
        coupling=said["coupling"],
        answer=said["answer"],
        fields=said["fields"],
    )
