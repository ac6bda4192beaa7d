"""Giving an answer: an operation that holds it until a run has carried it out."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from integration.choices import OperationKind, OperationState
from integration.core.records import System
from integration.models import Coupling, Operation, SyncError
from integration.services.actors import Actor, Refused, require_operator
from integration.services.answer_plans import (
    OVER,
    Take,
    Ticket,
    read_token,
    takes_for,
    why_not,
)
from integration.services.answers import (
    answering_errors,
    end_answer,
    judge,
    settled_words,
    unfinished,
)
from integration.services.operations import find_operation, record_operation
from integration.services.runs import start_run
from integration.services.sentences import sentence

KIND_OF = {
    Take.BUSINESS_CENTRAL: OperationKind.SYNCHRONIZE,
    Take.SALES: OperationKind.SYNCHRONIZE,
    Take.FIELDS: OperationKind.SYNCHRONIZE,
    Take.RESTORE: OperationKind.RESTORE,
    Take.DELETE: OperationKind.DELETE_RECORD,
    Take.UNCOUPLE: OperationKind.DECOUPLE,
}
SHOWN = gettext_noop("As the plan showed it.")


def give_answer(
    token: str, error: SyncError, by: Actor, *, typed: str = "", reason: str = ""
) -> Operation:
    """Do what the plan showed, as an operation that a run of the engine carries out.

    A second click finds the same operation. ``run_of`` says what to announce to the
    workers. Deleting asks for the number or name of the record in ``typed``. Raises
    ``Refused``.
    """
    require_operator(by)
    ticket = read_token(token, error, by)
    known = find_operation(ticket.once)
    if known:
        return known
    coupling = (
        Coupling.objects.select_related("mapping__connection")
        .filter(pk=ticket.coupling)
        .first()
    )
    if coupling is None or ticket.take not in takes_for(error):
        raise Refused(settled_words(error) or _(OVER))
    refusal = why_not(coupling.mapping)
    if refusal:
        raise Refused(refusal)
    if error.pk in answering_errors():
        raise Refused(_("Another answer to this error is being carried out."))
    if ticket.take is Take.DELETE and typed.strip() != to_type(coupling):
        raise Refused(
            _("Type %(word)s to delete the record; nothing was deleted.")
            % {"word": to_type(coupling)}
        )
    operation = _record(ticket, error, coupling, by, reason)
    _start(operation)
    operation.refresh_from_db()
    return operation


def to_type(coupling: Coupling) -> str:
    """What a person types before a record is deleted."""
    return coupling.bc_number or coupling.bc_name or coupling.sales_name


def run_of(operation: Operation) -> UUID | None:
    """The run that carries it out; ``None`` while another run is in its way."""
    run = operation.result.get("run")
    return UUID(run) if run and operation.state == OperationState.RUNNING else None


def start_waiting_answers() -> list[UUID]:
    """Start what another run was in the way of; the runs to announce."""
    started = []
    for operation in unfinished().exclude(result__has_key="run"):
        run_id = _start(operation)
        if run_id:
            started.append(run_id)
    return started


def _record(
    ticket: Ticket, error: SyncError, coupling: Coupling, by: Actor, reason: str
) -> Operation:
    fields = ticket.fields
    return record_operation(
        KIND_OF[ticket.take],
        by=by,
        reason=reason or sentence(SHOWN),
        scope={
            "error": error.pk,
            "mapping": error.mapping_key,
            "record": str(coupling),
            "take": ticket.take.value,
            "to_business_central": fields[System.BUSINESS_CENTRAL],
            "to_sales": fields[System.SALES],
            "coupling": coupling.pk,
            "pair": [coupling.bc_id, coupling.sales_id],
            "answer": dict(ticket.answer),
        },
        state=OperationState.RUNNING,
        key=ticket.once,
        rows=1,
    )


@transaction.atomic
def _start(operation: Operation) -> UUID | None:
    scope = operation.scope
    coupling = Coupling.objects.filter(pk=scope["coupling"]).first()
    if coupling is None:
        end_answer(operation, judge(operation))
        return None
    both = list(zip(System, scope["pair"], strict=True))
    run_id = start_run(coupling.mapping, only=both)
    if run_id:
        operation.result = {**operation.result, "run": str(run_id)}
        operation.save(update_fields=["result"])
    return run_id
