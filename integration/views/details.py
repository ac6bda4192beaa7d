"""What one error's page says: both records, history, technical details."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from integration.choices import (
    Direction,
    OperationKind,
    OperationState,
    Presence,
    SettledReason,
)
from integration.core import records
from integration.markup.parts import exact, number
from integration.models import (
    Coupling,
    Operation,
    OperationItem,
    SyncError,
    TableMapping,
)
from integration.services import couplings
from integration.services.answer_plans import Take, takes_for, why_not
from integration.services.answers import KINDS as ANSWER_KINDS
from integration.services.answers import settled_words
from integration.services.articles import keys_of, label_of
from integration.services.impersonal import SIDES
from integration.services.overview import job_at
from integration.services.problem_history import history_of
from integration.services.sentences import in_words

OPERATIONS_SHOWN = 20
COMMENT = OperationKind.COMMENT
BOTH = ("business_central", "sales")
ACT_ICONS: dict[str, str] = {
    OperationKind.RETRY: "rotate-cw",
    OperationKind.IGNORE: "circle-pause",
    OperationKind.REOPEN: "undo-2",
    OperationKind.RESOLVE: "circle-check",
    OperationKind.SYNCHRONIZE: "arrow-left-right",
    OperationKind.RESTORE: "undo-2",
    OperationKind.DELETE_RECORD: "trash-2",
    OperationKind.DECOUPLE: "unlink",
}


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of both records; ``is_cause`` marks the offending one.

    ``field`` is its name in the mapping. None stands for a blank value. ``has_met``:
    both agreed on a value once, if only on a blank. Where one record is deleted, what
    is left of the pair is compared with that.
    """

    field: str
    label: str
    business_central: Any
    sales: Any
    last: Any
    is_cause: bool
    has_met: bool
    differs: bool

    @property
    def values(self) -> tuple[Any, Any, Any]:
        """Business Central's, Sales', and what both last agreed on."""
        return (self.business_central, self.sales, self.last)


def field_rows(
    error: SyncError, mapping: TableMapping | None, language: str
) -> list[FieldRow]:
    """Both records' mapped values at the last attempt: cause, differing, equal.

    A record that is not created yet shows what it will be created with. What both were
    last in step with is, of an error that is settled, what they have been since.
    """
    values: Mapping[str, Any] = error.values or {}
    sides = {name: dict(values.get(name) or {}) for name in SIDES}
    if error.settled_at and (pair := pair_of(error, mapping)):
        sides["last"] = dict(pair.values or {})
    culprits = culprits_of(error)
    new = new_side(error)
    if new and not sides[new]:
        sides[new] = planned(error, mapping, sides, culprits)
    names = dict.fromkeys(name for side in sides.values() for name in side)
    if names and mapping:
        # What is missing may be the cause: a rate that nobody has entered.
        mapped = (field.bc_field for field in mapping.fields.all())
        names |= {name: None for name in mapped if keys_of(name) in culprits}
    compared = compared_sides(error, sides)
    unread = dict.fromkeys(BOTH, _("not read")) if is_unread(sides) else {}
    rows = []
    for name in names:
        held = {side: none_if_blank(sides[side].get(name)) for side in SIDES} | unread
        one, other = (held[side] for side in compared)
        rows.append(
            FieldRow(
                field=name,
                label=label_of(name, language),
                **held,
                is_cause=keys_of(name) in culprits,
                has_met=name in sides["last"],
                differs=one != other,
            )
        )
    return sorted(rows, key=lambda row: (not row.is_cause, not row.differs))


def pair_of(error: SyncError, mapping: TableMapping | None) -> Coupling | None:
    """What its record is coupled with now."""
    if mapping is None or not error.record_key:
        return None
    source = records.Direction(error.direction).source
    found = couplings.by_record(mapping, source, [error.record_key])
    return found.get(error.record_key)


def compared_sides(
    error: SyncError, sides: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str]:
    """Both systems; the one that is left and what both had where one is deleted."""
    gone = deleted_side(error)
    if not gone or sides[gone] or is_unread(sides):
        return BOTH
    return next(side for side in BOTH if side != gone), "last"


def is_unread(sides: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether all that is known is what both once had in common."""
    return not any(sides[side] for side in BOTH)


def is_compared_with_last(error: SyncError) -> bool:
    """Whether the fields that are equal are so to what both last had in common."""
    values: Mapping[str, Any] = error.values or {}
    known = [side for side in BOTH if values.get(side)]
    return not known or deleted_side(error) not in {"", *known}


def deleted_side(error: SyncError) -> str:
    """The side whose record was deleted; "" where none was, or both."""
    there = zip(BOTH, (error.bc_presence, error.sales_presence), strict=True)
    deleted = [side for side, presence in there if presence == Presence.DELETED]
    return deleted[0] if len(deleted) == 1 else ""


def culprits_of(error: SyncError) -> set[str]:
    """The keys of the fields that the refusal, or the title of its cause, names."""
    params = error.problem.params
    named = (error.field, params.get("field", ""), params.get("fields", ""))
    return {key for one in named if one for key in keys_of(one).split(",")}


def new_side(error: SyncError) -> str:
    """The side whose record was to be created when it failed; "" when there is none.

    What is settled has it by now: only one record had values then.
    """
    if error.sales_presence == Presence.NOT_CREATED:
        return "sales"
    if error.bc_presence == Presence.NOT_CREATED:
        return "business_central"
    values = error.values or {}
    held = [side for side in BOTH if values.get(side)]
    if error.settled_at and "last" not in values and len(held) == 1:
        return "sales" if held == ["business_central"] else "business_central"
    return ""


def planned(
    error: SyncError,
    mapping: TableMapping | None,
    sides: Mapping[str, Mapping[str, Any]],
    culprits: Collection[str],
) -> dict[str, Any]:
    """What travels to the new record; in place of the cause, why it is not there."""
    source = sides["business_central"] or sides["sales"]
    staying = {
        field.bc_field
        for field in (mapping.fields.all() if mapping else ())
        if field.direction not in (error.direction, Direction.BOTH)
    }
    told = {name: value for name, value in source.items() if name not in staying}
    return {
        name: instead(error) if value and keys_of(name) in culprits else value
        for name, value in told.items()
    }


def instead(error: SyncError) -> str:
    if error.waits_for:
        return _("no partner for %(what)s") % {"what": error.waits_for}
    return _("refused")


def none_if_blank(value: Any) -> Any:
    return None if value == "" else value


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history; ``why`` it ended so, ``quote``: why it was done."""

    icon: str
    text: str
    at: datetime | None
    who: str = ""
    why: str = ""
    quote: str = ""
    operation: int | None = None
    job: int | None = None
    tone: str = ""


def history(error: SyncError, mapping: TableMapping | None) -> list[Event]:
    """Attempts, what people did and said, and how it ended; newest first."""
    events = [*endings(error), *acts(error), *on_its_cause(error), *attempts(error)]
    events.append(first_seen(error, mapping))
    # Of one moment, what came later stands first already.
    return sorted(events, key=lambda event: event.at or error.first_seen, reverse=True)


def endings(error: SyncError) -> list[Event]:
    """That it was settled, or came back."""
    events = []
    if error.settled_at:
        text = _("Settled: %(reason)s") % {"reason": ended(error.settled_reason)}
        events.append(Event("circle-check", text, error.settled_at))
    if error.reopened_at:
        events.append(Event("undo-2", _("Came back"), error.reopened_at))
    return events


def ended(reason: str) -> str:
    """Why one error is settled: resolved, replaced."""
    words: dict[str, str] = {
        SettledReason.RESOLVED: pgettext("state of an error", "resolved"),
        SettledReason.REPLACED: pgettext("state of an error", "replaced"),
    }
    return words.get(reason) or str(SettledReason(reason).label)


def became(error: SyncError, mapping: TableMapping | None) -> str:
    """What became of an error that is settled, in a sentence."""
    by_a_person = settled_words(error)
    if by_a_person and error.settled_reason == SettledReason.RESOLVED:
        return by_a_person
    if error.settled_reason == SettledReason.REPLACED:
        return _("The record failed for another cause after that.")
    if error.settled_reason == SettledReason.BOTH_DELETED:
        return _("Both records are deleted: nothing is left to keep in step.")
    if not error.record_key:
        return _("It was looked for again and is no longer there.")
    if pair_of(error, mapping):
        return _("A later attempt succeeded: both records were in step then.")
    return _(
        "The two records are not coupled any more: nothing is left to keep in step."
    )


def first_seen(error: SyncError, mapping: TableMapping | None) -> Event:
    """With its job, as long as that is kept."""
    job = error.job_id if error.occurrences == 1 else None
    if mapping and job is None:
        job = job_at(error.first_seen, mapping, error.direction)
    text = _("First seen: attempt 1 failed") if mapping else _("First seen")
    return Event("circle-alert", text, error.first_seen, job=job)


def attempts(error: SyncError) -> list[Event]:
    """What followed the first: only the latest keeps its moment and its job."""
    n = error.occurrences
    found = []
    if n > 1:
        text = _("Attempt %(n)s failed, same cause") % {"n": number(n)}
        latest = Event("circle-x", text, error.last_seen, job=error.job_id, tone="bad")
        found.append(latest)
    if n == 3:
        found.append(Event("circle-x", _("Attempt 2 failed, same cause"), None))
    elif n > 3:
        text = _("Attempts 2 to %(n)s failed, same cause") % {"n": number(n - 1)}
        found.append(Event("circle-x", text, None))
    return found


def acts(error: SyncError) -> list[Event]:
    """What people did to it, and what came of it."""
    items = (
        OperationItem.objects.filter(error=error)
        .exclude(operation__state=OperationState.PREPARED)
        .select_related("operation")
        .order_by("-operation")[:OPERATIONS_SHOWN]
    )
    found = [(item.operation, item.get_outcome_display()) for item in items]
    by_hand = error.handled_by
    if by_hand:
        found.append((by_hand, standing(error, by_hand)))
    given = Operation.objects.filter(kind__in=ANSWER_KINDS, scope__error=error.pk)
    found += [(row, row.get_state_display()) for row in given]
    return [act(row, ended) for row, ended in found]


def on_its_cause(error: SyncError) -> list[Event]:
    """Who took the cause over, and what was said about it."""
    rows = history_of(error.problem).filter(kind__in=(COMMENT, OperationKind.ASSIGN))
    return [
        Event(
            "message-square" if row.kind == COMMENT else "user",
            "" if row.kind == COMMENT else in_words(row.scope.get("why"), row.reason),
            row.created_at,
            who=row.by_name,
            quote=row.reason if row.kind == COMMENT else "",
        )
        for row in rows[:OPERATIONS_SHOWN]
    ]


def standing(error: SyncError, by_hand: Operation) -> str:
    """How long an entry is ignored; how else its handling stands."""
    if by_hand.kind != OperationKind.IGNORE:
        return str(by_hand.get_state_display())
    if error.ignored_until is None:
        return _("until its cause grows")
    return _("until %(until)s") % {"until": exact(error.ignored_until, "DATE_FORMAT")}


def act(row: Operation, ended: str) -> Event:
    """What was refused says why; a reason of ours, *as planned*, would deny it."""
    ours = row.scope.get("why")
    refused = in_words(row.result.get("told"), row.result.get("sentence", ""))
    return Event(
        ACT_ICONS[row.kind],
        f"{row.get_kind_display()} ({ended})",
        row.created_at,
        who=row.by_name,
        why=refused,
        quote="" if ours and refused else in_words(ours, row.reason),
        operation=row.pk,
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer that an error's page offers."""

    take: Take
    label: str
    icon: str


LABELS: dict[Take, tuple[Callable[[], str], str]] = {
    Take.BUSINESS_CENTRAL: (
        lambda: _("Take Business Central's values…"),
        "arrow-right",
    ),
    Take.SALES: (lambda: _("Take Sales' values…"), "arrow-left"),
    Take.FIELDS: (lambda: _("Choose field by field…"), "arrow-left-right"),
    Take.RESTORE: (lambda: _("Restore…"), "undo-2"),
    Take.UNCOUPLE: (lambda: _("Remove coupling…"), "unlink"),
    Take.DELETE: (lambda: _("Delete the other one, too…"), "trash-2"),
}


def choices_for(error: SyncError, mapping: TableMapping | None) -> dict[str, Any]:
    """What an error's page offers, or why nothing can be answered now."""
    takes = takes_for(error)
    offered = [Choice(take, LABELS[take][0](), LABELS[take][1]) for take in takes]
    return {"answers": offered, "why_no_answer": why_not(mapping) if takes else ""}
