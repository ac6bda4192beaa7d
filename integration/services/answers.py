"""Answers that people gave to conflicts and deletions, as a run carries them out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import (
    JobState,
    OperationKind,
    OperationState,
    SettledReason,
)
from integration.core.answers import DeletionRule, Winners
from integration.core.records import System
from integration.core.snapshots import Snapshot
from integration.core.values import digest
from integration.models import Coupling, Job, Operation, SyncError
from integration.models.operations import OperationQuerySet
from integration.services.sentences import Told, of_problem, sentence

KINDS = (
    OperationKind.SYNCHRONIZE,
    OperationKind.RESTORE,
    OperationKind.DELETE_RECORD,
    OperationKind.DECOUPLE,
)
CHANGED = gettext_noop(
    "A record has changed since the plan was shown, so it was not overwritten. Make a "
    "new plan."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person decided about one coupling, for the versions that were shown.

    ``chosen`` names the winner of every differing field, ``rule`` what follows a
    deletion, ``newcomer`` who is coupled in place of the record that is gone. ``pair``
    are the ids of both records, ``etags`` the versions shown; ``after`` the digests of
    what each side holds once the answer is written: a run that was torn finds its own
    work by it.
    """

    operation: int = 0
    chosen: Winners | None = None
    rule: DeletionRule = DeletionRule.NONE
    newcomer: str = ""
    pair: tuple[str, ...] = ()
    etags: Mapping[System, str] = field(default_factory=dict)
    after: Mapping[System, str] = field(default_factory=dict)

    def fits(self, side: System, record: Snapshot) -> bool:
        """Whether this is the version that was shown, or what the answer made of it."""
        if record.etag == self.etags.get(side):
            return True
        return digest(record.values) == self.after.get(side)

    def stored(self) -> dict[str, Any]:
        """As ``Operation.scope`` keeps it."""
        return {
            "chosen": dict(self.chosen) if self.chosen is not None else None,
            "rule": self.rule.value,
            "newcomer": self.newcomer,
            "etags": dict(self.etags),
            "after": dict(self.after),
        }


def unfinished(run_id: UUID | None = None) -> OperationQuerySet:
    """Answers that are still to be carried out; those of one run, or all."""
    rows = Operation.objects.filter(kind__in=KINDS, state=OperationState.RUNNING)
    return rows if run_id is None else rows.filter(result__run=str(run_id))


def answering_errors() -> set[int]:
    """The errors that an unfinished answer holds."""
    scopes = unfinished().values_list("scope", flat=True)
    return {int(scope["error"]) for scope in scopes}


def answers_of(run_id: UUID) -> dict[int, Answer]:
    """What this run was started for, by coupling."""
    return {
        int(operation.scope["coupling"]): _read(operation)
        for operation in unfinished(run_id)
    }


def parted(answers: Mapping[int, Answer]) -> set[str]:
    """Both records of pairs that an earlier attempt has parted already.

    They are not to be looked at again: the one that is left would be created anew.
    """
    known = Coupling.objects.filter(pk__in=answers)
    there = set(known.values_list("pk", flat=True))
    return {
        key
        for coupling, answer in answers.items()
        if coupling not in there and answer.rule is not DeletionRule.RESTORE
        for key in answer.pair
    }


def note(answer: Answer, said: Told) -> None:
    """Why it was not done; shown when its run has ended, unless the error has too."""
    operation = Operation.objects.get(pk=answer.operation)
    operation.result = {
        **operation.result,
        "sentence": said.english,
        "told": said.key,
    }
    operation.save(update_fields=["result"])


def note_changed(answer: Answer) -> None:
    """A record is not the one that was shown."""
    note(answer, sentence(CHANGED))


def finish_answers(run_id: UUID) -> None:
    """End every answer that this run was started for."""
    for operation in unfinished(run_id):
        could_not_run = Job.objects.filter(run=run_id, state=JobState.FAILED).first()
        if could_not_run:
            end_answer(
                operation,
                {
                    "outcome": "not_tried",
                    "sentence": could_not_run.message,
                    "told": could_not_run.told,
                },
            )
        else:
            end_answer(operation, judge(operation))


def judge(operation: Operation) -> dict[str, Any]:
    """``healed``, ``failed`` with the reason, or ``gone`` with its row."""
    rows = SyncError.objects.select_related("problem")
    error = rows.filter(pk=operation.scope["error"]).first()
    if error is None:
        return {"outcome": "gone"}
    if error.settled_at and error.settled_reason != SettledReason.REPLACED:
        return {"outcome": "healed", "sentence": "", "told": None}
    if operation.result.get("sentence"):
        return {"outcome": "failed"}
    now = rows.filter(
        connection=error.connection_id,
        mapping_key=error.mapping_key,
        direction=error.direction,
        record_key=error.record_key,
        settled_at=None,
    ).first()
    told = of_problem((now or error).problem)
    return {"outcome": "failed", "sentence": told.english, "told": told.key}


def end_answer(operation: Operation, outcome: Mapping[str, Any]) -> None:
    """Write the result; an operation that has ended already stays as it is."""
    healed = outcome["outcome"] in {"healed", "gone"}
    Operation.objects.filter(pk=operation.pk, state=OperationState.RUNNING).update(
        state=OperationState.DONE if healed else OperationState.FAILED,
        result={**operation.result, **outcome},
        finished_at=clock.now(),
    )


def _read(operation: Operation) -> Answer:
    stored = operation.scope["answer"]
    chosen = stored["chosen"]
    return Answer(
        operation=operation.pk,
        chosen=None
        if chosen is None
        else {name: System(side) for name, side in chosen.items()},
        rule=DeletionRule(stored["rule"]),
        newcomer=stored.get("newcomer", ""),  # An older version named none.
        pair=tuple(operation.scope["pair"]),
        etags={System(side): etag for side, etag in stored["etags"].items()},
        after={System(side): made for side, made in stored["after"].items()},
    )


def settled_words(error: SyncError) -> str:
    """Who has settled it, and when; "" where nobody did."""
    done = settled_by(error)
    if error.settled_at is None or done is None:
        return ""
    moment = localize(timezone.localtime(error.settled_at))
    said = _("%(name)s answered this on %(moment)s: nothing is left to try.")
    if error.handled_by:
        said = _("%(name)s resolved this on %(moment)s: nothing is left to try.")
    return said % {"name": done.by_name, "moment": moment}


def settled_by(error: SyncError) -> Operation | None:
    """What a person did that settled it: by hand, or by an answer that a run gave."""
    return error.handled_by or _latest_answer(error)


def _latest_answer(error: SyncError) -> Operation | None:
    """The one that was carried out since it came back, if it ever did."""
    done = Operation.objects.filter(
        kind__in=KINDS, scope__error=error.pk, state=OperationState.DONE
    )
    if error.reopened_at:
        done = done.filter(created_at__gt=error.reopened_at)
    return done.order_by("-pk").first()
