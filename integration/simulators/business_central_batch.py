"""``$batch`` of Business Central: JSON only (protocols §2.5)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from integration.simulators.business_central_call import (
    Answer,
    Call,
    part_of,
    refusal,
)
from integration.simulators.http import SimulatorError, preferences
from integration.simulators.store import Store

LIMIT = 100
Run = Callable[[Call], Answer]


class _TakenBackError(Exception):
    """Leaves the transaction of a snapshot batch, so that nothing stays."""


def run(
    store: Store, call: Call, prepare: Callable[[Call], None], answer: Run
) -> Answer:
    """Parts in order, each a transaction of its own, up to the first failure.

    ``Isolation: snapshot`` makes them one transaction: a failing part takes all back,
    although the parts before it still report that they worked.
    """
    requests = _requests(call)
    calls = [(part.get("id"), part_of(call, part)) for part in requests]
    proceed = "odata.continue-on-error" in preferences(call.headers)
    if call.headers.get("Isolation", "").lower() == "snapshot":
        for _, each in calls:
            prepare(each)
        responses = _snapshot(store, call, calls, answer)
    else:

        def run_one(each: Call) -> Answer:
            prepare(each)
            return answer(each)

        responses = list(_responses(call, calls, run_one, proceed=proceed))
    call.notes.entity = "$batch"
    return Answer(200, {"responses": responses})


def _requests(call: Call) -> list[Mapping[str, Any]]:
    if call.method != "POST":
        raise SimulatorError(
            405, "BadRequest_MethodNotAllowed", "$batch is called with POST."
        )
    if "json" not in call.headers.get("Content-Type", ""):
        raise SimulatorError(415, "BadRequest", "The batch must be application/json.")
    requests = call.json().get("requests")
    if not isinstance(requests, list) or not all(isinstance(r, dict) for r in requests):
        raise SimulatorError(400, "BadRequest", "The batch holds no requests.")
    if len(requests) > LIMIT:
        raise SimulatorError(
            500,
            "Internal_ServerError",
            f"The batch has more than the maximum number of '{LIMIT}' query operations"
            " and change sets allowed in a batch.",
        )
    return requests


def _responses(
    call: Call, calls: list[tuple[Any, Call]], run_one: Run, *, proceed: bool
) -> Iterator[dict[str, Any]]:
    language = call.headers.get("Accept-Language", "en-US")
    for key, each in calls:
        try:
            answer = run_one(each)
        except SimulatorError as error:
            answer = refusal(error, language)
        _note(call, each, answer)
        yield _response(key, answer)
        if answer.status >= 400 and not proceed:
            return


def _snapshot(
    store: Store, call: Call, calls: list[tuple[Any, Call]], run_one: Run
) -> list[dict[str, Any]]:
    """One answer when the first part fails, all when a later one does (measured)."""
    responses: list[dict[str, Any]] = []
    with suppress(_TakenBackError), store.transaction():
        for response in _responses(call, calls, run_one, proceed=True):
            responses.append(response)
            if response["status"] >= 400 and len(responses) == 1:
                break
        _stay_if_all_worked(responses)
    return responses


def _stay_if_all_worked(responses: list[dict[str, Any]]) -> None:
    if any(response["status"] >= 400 for response in responses):
        raise _TakenBackError


def _response(id: Any, answer: Answer) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "OData-Version": "4.0"}
    response = {
        "id": id,
        "status": answer.status,
        "headers": {**headers, **answer.headers},
    }
    if answer.body is not None:
        response["body"] = answer.body
    return response


def _note(call: Call, part: Call, answer: Answer) -> None:
    query = "&".join(f"{name}={value}" for name, value in part.options.items())
    path = f"{part.path}?{query}" if query else part.path
    entry = {"method": part.method, "path": path, "status": answer.status}
    call.notes.parts.append({**entry, "records": part.notes.records})
    call.notes.records += part.notes.records
