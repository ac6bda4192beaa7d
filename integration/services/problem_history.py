"""What people did about a cause as a whole: who has it, comments, and the history."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from integration.choices import OperationKind
from integration.models import Operation, Problem, User
from integration.services.operations import recent_operations, record_operation
from integration.services.sentences import sentence


@transaction.atomic
def assign(problem: Problem, to: User | None, by: User) -> Operation | None:
    """Give the cause to a person, or to nobody; ``None`` when it is so already."""
    locked = Problem.objects.select_for_update(no_key=True).get(pk=problem.pk)
    if locked.assignee_id == (to.pk if to else None):
        return None
    locked.assignee = to
    locked.save(update_fields=["assignee"])
    told = (
        sentence(gettext_noop("Assigned to {name}."), name=str(to))
        if to
        else sentence(gettext_noop("Assigned to nobody any more."))
    )
    return record_operation(OperationKind.ASSIGN, by=by, reason=told, problem=locked)


@transaction.atomic
def comment(problem: Problem, text: str, by: User) -> Operation:
    """Keep what somebody says about the cause; a second click says it once."""
    Problem.objects.select_for_update(no_key=True).get(pk=problem.pk)
    latest = history_of(problem).filter(kind=OperationKind.COMMENT).first()
    if latest and (latest.by, latest.reason) == (by, text):
        return latest
    return record_operation(OperationKind.COMMENT, by=by, reason=text, problem=problem)


def history_of(problem: Problem) -> QuerySet[Operation]:
    """What was done about this cause as a whole, newest first."""
    return recent_operations().filter(problem=problem)
