"""Many writes in few calls: parts, their answers, and what happens when a batch fails.

A batch that fails as a whole is split in halves until the guilty part stands alone
(design §6, promise 3), unless repeating could do something twice: then its parts are
lost answers, and the engine looks for what was done.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard, TypeVar

from integration.connectors.base import Update, WriteResult, Written
from integration.connectors.calls import Answer, Call
from integration.connectors.errors import (
    ConnectionRefused,
    LostAnswer,
    RemoteError,
    Throttled,
    Transient,
)
from integration.connectors.odata import RecordShape, dump_json
from integration.connectors.refusals import failure_of_answer
from integration.core.failures import Failure, FailureKind
from integration.core.records import Record

_GUID_IN_ADDRESS = re.compile(r"\(([0-9a-f-]{36})\)\s*$", re.I)
_LOST_IN_A_ROW = 3
_FAILED_IN_A_ROW = 20
"""Splitting ends after so many failures without a success: the system is down."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch; ``path`` is relative to the root of the API.

    A deletion has no ``body``.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    record_id: str = ""

    @property
    def content(self) -> bytes:
        return b"" if self.body is None else dump_json(self.body)

    def alone(self, batch: Call) -> Call:
        """The part as if it were sent alone: what its failure shows."""
        return replace(
            batch,
            method=self.method,
            url=self.path,
            headers=self.headers,
            content=self.content,
            record_id=self.record_id,
        )


PartResult = Answer | Failure
Send = Callable[[Sequence[Part]], Sequence[Answer | None]]
"""Sends one batch; ``None`` stands for a part without an answer."""


def results_of(
    parts: Sequence[Part],
    results: Sequence[PartResult | None],
    shape: RecordShape,
    batch: Call,
) -> list[WriteResult]:
    """What became of each part; ``batch`` gives system and operation."""
    return [
        _result_of(part, result, shape, batch)
        for part, result in zip(parts, results, strict=True)
    ]


def with_request_id(
    answers: Sequence[Answer | None], batch: Answer
) -> list[Answer | None]:
    """Refused parts without a request id of their own get that of their batch."""
    outer = {"x-ms-service-request-id": batch.request_id} if batch.request_id else {}
    return [
        answer
        if answer is None or answer.is_success
        else replace(answer, headers={**outer, **answer.headers})
        for answer in answers
    ]


def update_known(
    updates: Sequence[Update],
    call: Call,
    write: Callable[[Sequence[Update]], list[WriteResult]],
) -> list[WriteResult]:
    """Write the updates that have an etag; the others are stale without a call."""
    written = iter(write([update for update in updates if update.etag]))
    return [
        next(written) if update.etag else _without_etag(update, call)
        for update in updates
    ]


def _without_etag(update: Update, call: Call) -> Failure:
    message = "The version of the record is not known; it must be read first"
    blank = replace(call, method="PATCH", record_id=update.id)
    return blank.failure(FailureKind.STALE, "etag-unknown", message)


def missing_answer(call: Call) -> Failure:
    """For a part the batch did not answer: it may or may not have been done."""
    message = "The batch came back without an answer for this part"
    return call.failure(FailureKind.LOST_ANSWER, "batch-answer-missing", message)


def write_in_chunks(
    items: Sequence[Item],
    size: int,
    write: Callable[[Sequence[Item]], Sequence[WriteResult]],
) -> list[WriteResult]:
    """Write chunk after chunk; what is done is never lost to what fails later.

    Raises ``ConnectionRefused`` and ``Throttled`` only before anything was done.
    """
    results: list[WriteResult] = []
    while len(results) < len(items):
        chunk = items[len(results) : len(results) + size]
        try:
            written = write(chunk)
        except Transient as error:
            return _filled(results, error.failure, len(items))
        except (ConnectionRefused, Throttled) as error:
            if not results:
                raise
            return _filled(results, error.failure, len(items))
        results += written
        lost = _all_lost(written)
        if lost is not None:
            # What follows was never sent; a system that answers nothing gets no more.
            unsent = replace(lost, kind=FailureKind.TRANSIENT)
            return _filled(results, unsent, len(items))
    return results


def send_splitting(
    parts: Sequence[Part], send: Send, *, repeatable: bool
) -> list[PartResult | None]:
    """One result per part. ``repeatable``: sending a part twice does no harm.

    Raises what concerns everybody (refused, throttled, not reached) only while no part
    has been answered.
    """
    return _Splitting(parts, send, repeatable).run()


class _Splitting:
    def __init__(self, parts: Sequence[Part], send: Send, repeatable: bool) -> None:
        self._parts = parts
        self._send = send
        self._repeatable = repeatable
        self._results: list[PartResult | None] = [None] * len(parts)
        self._open = deque([range(len(parts))])
        self._failed = 0
        self._lost = 0
        self._answered = False

    def run(self) -> list[PartResult | None]:
        while self._open:
            span = self._open.popleft()
            try:
                answers = self._send([self._parts[place] for place in span])
            except RemoteError as error:
                self._fail(span, error)
            else:
                self._failed = self._lost = 0
                self._answered = True
                for place, answer in zip(span, answers, strict=True):
                    self._results[place] = answer
        return self._results

    def _fail(self, span: range, error: RemoteError) -> None:
        if error.concerns_everybody:
            if not self._answered:
                raise error
            self._give_up(span, error.failure)
        elif not (self._repeatable or error.nothing_done):
            self._fill(span, replace(error.failure, kind=FailureKind.LOST_ANSWER))
        elif len(span) == 1:
            self._count(error)
            self._fill(span, error.failure)
        else:
            self._count(error)
            middle = span.start + len(span) // 2
            self._open += range(span.start, middle), range(middle, span.stop)
        if self._lost >= _LOST_IN_A_ROW or self._failed >= _FAILED_IN_A_ROW:
            self._give_up(range(0), error.failure)

    def _count(self, error: RemoteError) -> None:
        self._failed += 1
        self._lost += isinstance(error, LostAnswer)

    def _give_up(self, span: range, failure: Failure) -> None:
        """``failure`` for this span and for all that still waits."""
        for waiting in (span, *self._open):
            self._fill(waiting, failure)
        self._open.clear()

    def _fill(self, span: range, failure: Failure) -> None:
        for place in span:
            self._results[place] = failure


def _filled(
    results: list[WriteResult], failure: Failure, count: int
) -> list[WriteResult]:
    return results + [failure] * (count - len(results))


def _all_lost(results: Sequence[WriteResult]) -> Failure | None:
    """The failure of a chunk of which nothing came back, or ``None``."""
    failures = [result for result in results if _is_lost(result)]
    return failures[0] if len(failures) == len(results) else None


def _is_lost(result: WriteResult) -> TypeGuard[Failure]:
    # With a status something came back, if only a 5xx: the next chunk may pass.
    return (
        isinstance(result, Failure)
        and result.kind is FailureKind.LOST_ANSWER
        and result.status == 0
    )


def _result_of(
    part: Part, result: PartResult | None, shape: RecordShape, batch: Call
) -> WriteResult:
    if isinstance(result, Failure):
        return result
    if result is None:
        return missing_answer(part.alone(batch))
    if not result.is_success:
        return failure_of_answer(part.alone(batch), result)
    record = _record_of(part, result, shape)
    if record is None:
        return missing_answer(part.alone(batch))
    return Written(record)


def _record_of(part: Part, answer: Answer, shape: RecordShape) -> Record | None:
    """The record as answered; only its id when the system sent no body for a write."""
    wanted = part.record_id or str((part.body or {}).get(shape.key) or "").lower()
    try:
        record = shape.record(answer.json())
    except (ValueError, TypeError, KeyError):
        if part.method == "GET":
            return None
        place = answer.headers.get("odata-entityid") or answer.headers.get("location")
        found = _GUID_IN_ADDRESS.search(place or "")
        known = found[1].lower() if found else part.record_id
        return Record(known, "", None, {}) if known else None
    # Of another one than was asked for nobody can tell what became of ours.
    return record if wanted in {"", record.id} else None
