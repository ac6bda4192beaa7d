"""What a job notes of one record; plain updates are only counted (design §5)."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import Category, EntryKind
from integration.core.outcomes import Note, Outcome, OutcomeKind
from integration.models import Job, JobEntry
from integration.models.bulk import Columns, insert
from integration.services.articles import Causes
from integration.services.sentences import Told, of_cause, sentence

_NOTED = {
    OutcomeKind.INSERTED: EntryKind.CREATED,
    OutcomeKind.DELETED: EntryKind.DELETED,
    OutcomeKind.COUPLED: EntryKind.COUPLED,
    OutcomeKind.UNCOUPLED: EntryKind.UNCOUPLED,
    OutcomeKind.FAILED: EntryKind.FAILED,
    OutcomeKind.SKIPPED: EntryKind.SKIPPED,
}

_NOTES = {
    Note.BUSINESS_CENTRAL_WON: gettext_noop(
        "Both sides had changed; by the mapping's rule Business Central's values won."
    ),
    Note.SALES_WON: gettext_noop(
        "Both sides had changed; by the mapping's rule Sales' values won."
    ),
    Note.MERGED: gettext_noop(
        "Both sides had changed, each other fields; by the mapping's rule each field "
        "was taken from the side that changed it."
    ),
    Note.ANSWERED: gettext_noop("Both sides had changed; a person decided."),
    Note.RESTORED: gettext_noop("Its partner had been deleted and was created again."),
    Note.UNCOUPLED: gettext_noop(
        "Its partner had been deleted, and the coupling was removed."
    ),
    Note.DELETED: gettext_noop(
        "Its partner had been deleted; a person had it deleted, too."
    ),
}


def note(job: Job, outcomes: Iterable[Outcome]) -> None:
    """The entries of a chunk, in the caller's transaction."""
    now, causes, job_id = clock.now(), Causes(), job.pk
    kinds = ((outcome, _kind(outcome, causes)) for outcome in outcomes)
    noted = [(outcome, kind.value) for outcome, kind in kinds if kind]
    columns: Columns = {
        "job_id": [job_id] * len(noted),
        "kind": [kind for _, kind in noted],
        "bc_id": [outcome.bc.id for outcome, _ in noted],
        "sales_id": [outcome.sales.id for outcome, _ in noted],
        "label": [_label(outcome)[:250] for outcome, _ in noted],
        "message": [_message(outcome)[:500] for outcome, _ in noted],
        "detail": [_cause(outcome, causes) for outcome, _ in noted],
        "created_at": [now] * len(noted),
    }
    insert(JobEntry, columns)


def _kind(outcome: Outcome, causes: Causes) -> EntryKind | None:
    """``None`` for what is only counted."""
    if _is_as_before(outcome):
        return None
    kind = _NOTED.get(outcome.kind)
    if kind is None and outcome.note:
        return EntryKind.ANSWERED
    if kind is EntryKind.FAILED and _is_conflict(outcome, causes):
        return EntryKind.CONFLICT
    return kind


def _is_as_before(outcome: Outcome) -> bool:
    """Left alone with nothing new to tell: read again and again before its next try."""
    if outcome.kind is not OutcomeKind.SKIPPED:
        return False
    return not (outcome.failure or (outcome.finding and outcome.finding.article))


def _is_conflict(outcome: Outcome, causes: Causes) -> bool:
    cause = causes(outcome.failure, outcome.finding)
    return cause.category == Category.CONFLICT


def _label(outcome: Outcome) -> str:
    return outcome.bc.label or outcome.sales.label or outcome.record_key


def _cause(outcome: Outcome, causes: Causes) -> dict[str, Any] | None:
    """What a page says of it in the reader's language."""
    if outcome.note:
        return {"told": _told(outcome.note).key}
    if outcome.failure or (outcome.finding and outcome.finding.article):
        cause = causes(outcome.failure, outcome.finding)
        return {"told": of_cause(cause).key} if cause.article else None
    return None


def _told(note: Note) -> Told:
    return sentence(_NOTES[note])


def _message(outcome: Outcome) -> str:
    if outcome.note:
        return _told(outcome.note).english
    said = outcome.failure or outcome.finding
    return (said.message if said else "").replace("\0", "")
