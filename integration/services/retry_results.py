"""What became of the retries a finished run carried out."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from integration import clock
from integration.choices import (
    ErrorState,
    JobState,
    OperationKind,
    OperationState,
    SettledReason,
)
from integration.models import Job, Operation, Problem, SyncError
from integration.services.sentences import of_problem


def retrying_errors(ids: Collection[int] | None = None) -> set[int]:
    """Errors that an unfinished retry holds, among ``ids`` (``None`` = all)."""
    open_retries = Operation.objects.filter(
        kind=OperationKind.RETRY, state=OperationState.RUNNING
    )
    held = {
        int(scope["error"]) for scope in open_retries.values_list("scope", flat=True)
    }
    return held if ids is None else held.intersection(ids)


def finish_retries(run_id: UUID) -> None:
    """End every retry that this run was started for; one query when there is none."""
    waiting = Operation.objects.filter(
        kind=OperationKind.RETRY,
        state=OperationState.RUNNING,
        result__run=str(run_id),
    )
    for operation in waiting:
        could_not_run = Job.objects.filter(run=run_id, state=JobState.FAILED).first()
        if could_not_run:
            outcome = {
                "outcome": "not_tried",
                "sentence": could_not_run.message,
                "told": could_not_run.told,
            }
        else:
            outcome = judge(int(operation.scope["error"]))
        end_retry(operation, outcome)


def judge(error_id: int) -> dict[str, Any]:
    """``healed``, ``failed`` with the cause now, or ``gone`` with its row."""
    error = SyncError.objects.select_related("problem").filter(pk=error_id).first()
    if error is None:
        return {"outcome": "gone"}
    failing_now = _replacement(error)
    if failing_now:
        return {**_failed(failing_now.problem), "error": str(failing_now.pk)}
    if error.state == ErrorState.RESOLVED:
        return {"outcome": "healed"}
    return _failed(error.problem)


def _failed(problem: Problem) -> dict[str, Any]:
    told = of_problem(problem)
    return {"outcome": "failed", "sentence": told.english, "told": told.key}


def _replacement(error: SyncError) -> SyncError | None:
    """The open error of the same record, where it fails for another cause now."""
    if error.settled_reason != SettledReason.REPLACED:
        return None
    return (
        SyncError.objects.select_related("problem")
        .filter(
            connection=error.connection_id,
            mapping_key=error.mapping_key,
            direction=error.direction,
            record_key=error.record_key,
            settled_at=None,
        )
        .first()
    )


def end_retry(operation: Operation, outcome: dict[str, Any]) -> None:
    """Write the result; an operation that has ended already stays as it is."""
    healed = outcome["outcome"] in {"healed", "gone"}
    Operation.objects.filter(pk=operation.pk, state=OperationState.RUNNING).update(
        state=OperationState.DONE if healed else OperationState.FAILED,
        result={**operation.result, **outcome},
        finished_at=clock.now(),
    )
