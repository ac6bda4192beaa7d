from collections.abc import Callable, Sequence
from typing import Any

import pytest

from integration.connectors.base import Update, WriteResult, Written
from integration.connectors.batch import (
    Part,
    PartResult,
    results_of,
    send_splitting,
    update_known,
    with_request_id,
    write_in_chunks,
)
from integration.connectors.calls import Answer, Call
from integration.connectors.errors import RemoteError, Throttled, remote_error
from integration.connectors.odata import RecordShape
from integration.core.failures import Failure, FailureKind
from integration.core.records import Record, System
from tests.connectors.wire import guid

BATCH = Call(System.SALES, "update accounts", "POST", "https://org.example/$batch")
SHAPE = RecordShape("accountid", "modifiedon")
OK = Answer(204, {})


def error(kind: FailureKind, status: int = 0, code: str = "code") -> RemoteError:
    return remote_error(Failure(System.SALES, kind, code, "words", status=status))


def part(number: int) -> Part:
    return Part("PATCH", f"accounts({number})", {}, record_id=guid(number))


class Remote:
    """Answers batches; ``trouble`` says which error a batch of these parts meets."""

    def __init__(self, trouble: Callable[[list[int]], RemoteError | None]) -> None:
        self.trouble = trouble
        self.sizes: list[int] = []

    def __call__(self, parts: Sequence[Part]) -> list[Answer | None]:
        numbers = [int(part.record_id[-12:]) for part in parts]
        self.sizes.append(len(parts))
        found = self.trouble(numbers)
        if found:
            raise found
        return [OK] * len(parts)


def run(
    count: int, remote: Remote, *, repeatable: bool = True
) -> list[PartResult | None]:
    parts = [part(number) for number in range(count)]
    return send_splitting(parts, remote, repeatable=repeatable)


def guilty(*bad: int, kind: FailureKind, status: int) -> Remote:
    wrong = error(kind, status)
    return Remote(lambda numbers: wrong if set(bad) & set(numbers) else None)


@pytest.mark.parametrize("status", [400, 413, 500])
def test_the_guilty_stand_alone(status: int) -> None:
    kind = FailureKind.TRANSIENT if status == 500 else FailureKind.REFUSED
    remote = guilty(3, 700, kind=kind, status=status)

    results = run(1000, remote)

    failed = [place for place, r in enumerate(results) if isinstance(r, Failure)]
    assert failed == [3, 700]
    assert len(remote.sizes) <= 41


def test_a_part_that_makes_the_system_silent_stands_alone() -> None:
    remote = guilty(77, kind=FailureKind.LOST_ANSWER, status=0)

    results = run(100, remote)

    assert [r is OK for r in results].count(False) == 1


def test_a_silent_system_is_not_asked_for_ever() -> None:
    silent = error(FailureKind.LOST_ANSWER)
    remote = Remote(lambda _: silent)

    results = run(1000, remote)

    assert remote.sizes == [1000, 500, 500]
    assert results == [silent.failure] * 1000


def test_a_system_that_only_fails_is_not_asked_for_ever() -> None:
    broken = error(FailureKind.TRANSIENT, 500)
    remote = Remote(lambda _: broken)

    run(1000, remote)

    assert len(remote.sizes) == 20


@pytest.mark.parametrize("status", [0, 500, 504])
def test_what_must_not_be_repeated_is_lost(status: int) -> None:
    kind = FailureKind.TRANSIENT if status else FailureKind.LOST_ANSWER
    remote = guilty(1, kind=kind, status=status)

    results = run(4, remote, repeatable=False)

    assert remote.sizes == [4]
    kinds = {r.kind for r in results if isinstance(r, Failure)}
    assert kinds == {FailureKind.LOST_ANSWER}


def test_a_refused_envelope_did_nothing_and_is_split() -> None:
    remote = guilty(1, kind=FailureKind.REFUSED, status=413)

    results = run(4, remote, repeatable=False)

    assert [isinstance(r, Failure) for r in results] == [False, True, False, False]


@pytest.mark.parametrize(
    "trouble",
    [
        error(FailureKind.CONNECTION, 401),
        error(FailureKind.THROTTLED, 429),
        error(FailureKind.TRANSIENT, 0, "net-connect-timeout"),
    ],
)
def test_what_concerns_everybody_is_raised_while_nothing_is_done(
    trouble: RemoteError,
) -> None:
    with pytest.raises(type(trouble)):
        run(4, Remote(lambda _: trouble))


def test_what_is_done_survives_what_concerns_everybody() -> None:
    throttled = error(FailureKind.THROTTLED, 429)
    too_large = error(FailureKind.REFUSED, 413)
    troubles = {4: too_large, 2: None, 1: throttled}
    remote = Remote(lambda n: throttled if n == [2, 3] else troubles[len(n)])

    results = run(4, remote)

    assert results == [OK, OK, throttled.failure, throttled.failure]


def test_chunks_are_written_one_after_the_other() -> None:
    done: list[int] = []

    def write(chunk: Sequence[int]) -> list[WriteResult]:
        done.append(len(chunk))
        return [Written(Record(str(n), "", None, {})) for n in chunk]

    results = write_in_chunks(range(25), 10, write)

    assert done == [10, 10, 5]
    assert [r.record.id for r in results if isinstance(r, Written)] == [
        str(n) for n in range(25)
    ]


def written(chunk: Sequence[int]) -> list[WriteResult]:
    return [Written(Record(str(n), "", None, {})) for n in chunk]


def failing_from(place: int, trouble: RemoteError) -> Callable[..., list[WriteResult]]:
    def write(chunk: Sequence[int]) -> list[WriteResult]:
        if chunk[0] >= place:
            raise trouble
        return written(chunk)

    return write


def test_written_chunks_are_not_lost_to_throttling() -> None:
    throttled = error(FailureKind.THROTTLED, 429)

    results = write_in_chunks(range(6), 2, failing_from(2, throttled))

    assert [isinstance(r, Written) for r in results] == [True] * 2 + [False] * 4
    assert results[5] is throttled.failure


def test_throttling_before_the_first_chunk_is_raised() -> None:
    with pytest.raises(Throttled):
        write_in_chunks(range(6), 2, failing_from(0, error(FailureKind.THROTTLED, 429)))


def test_a_system_out_of_reach_fails_every_request_at_once() -> None:
    away = error(FailureKind.TRANSIENT, 503)

    results = write_in_chunks(range(6), 2, failing_from(0, away))

    assert results == [away.failure] * 6


@pytest.mark.parametrize(("status", "chunks"), [(0, 1), (500, 3)])
def test_a_silent_system_gets_no_further_chunk(status: int, chunks: int) -> None:
    lost = error(FailureKind.LOST_ANSWER, status).failure
    calls: list[int] = []

    def write(chunk: Sequence[int]) -> list[WriteResult]:
        calls.append(len(chunk))
        return [lost] * len(chunk)

    results = write_in_chunks(range(6), 2, write)

    assert len(calls) == chunks
    kinds = [r.kind for r in results if isinstance(r, Failure)]
    assert kinds.count(FailureKind.TRANSIENT) == 6 - 2 * chunks


def body(text: bytes, **headers: str) -> Answer:
    return Answer(200, headers, text)


@pytest.mark.parametrize(
    ("answer", "record"),
    [
        (
            body(b'{"accountid":"%s","@odata.etag":"W/1"}' % guid(1).encode()),
            Record(guid(1), "W/1", None, {"accountid": guid(1)}),
        ),
        (OK, Record(guid(1), "", None, {})),
        (
            Answer(204, {"odata-entityid": f"https://x/accounts({guid(9).upper()})"}),
            Record(guid(9), "", None, {}),
        ),
        (
            Answer(204, {"location": f"https://x/accounts({guid(9)})"}),
            Record(guid(9), "", None, {}),
        ),
    ],
)
def test_a_part_that_was_done_gives_its_record(answer: Answer, record: Record) -> None:
    (result,) = results_of([part(1)], [answer], SHAPE, BATCH)

    assert result == Written(record)


@pytest.mark.parametrize("answer", [None, Answer(204, {}), body(b"[]")])
def test_a_create_without_its_record_is_a_lost_answer(answer: Any) -> None:
    create = Part("POST", "accounts", {"name": "A"})

    (result,) = results_of([create], [answer], SHAPE, BATCH)

    assert isinstance(result, Failure)
    assert result.kind is FailureKind.LOST_ANSWER
    assert '{"name":"A"}' in result.request


@pytest.mark.parametrize("answer", [OK, Answer(200, {}, b"{}"), Answer(200, {}, b"<")])
def test_a_record_that_was_asked_for_is_not_read_as_blank(answer: Answer) -> None:
    asked = Part("GET", "accounts(1)", None, record_id=guid(1))

    (result,) = results_of([asked], [answer], SHAPE, BATCH)

    assert isinstance(result, Failure)
    assert result.kind is FailureKind.LOST_ANSWER


def test_a_refused_part_shows_its_own_request_and_answer() -> None:
    text = b'{"error":{"code":"0x80060882","message":"version"}}'

    (result,) = results_of([part(1)], [Answer(412, {}, text)], SHAPE, BATCH)

    assert isinstance(result, Failure)
    assert result.kind is FailureKind.STALE
    assert result.operation == "update accounts"
    assert result.request.startswith("PATCH accounts(1)")
    assert "0x80060882" in result.response


def test_a_failure_of_the_whole_batch_stays_as_it_is() -> None:
    failure = error(FailureKind.REFUSED).failure

    assert results_of([part(1)], [failure], SHAPE, BATCH) == [failure]


def test_refused_parts_inherit_the_request_id_of_their_batch() -> None:
    bare, own = Answer(400, {}), Answer(400, {"x-ms-service-request-id": "own"})
    batch = Answer(200, {"request-id": "outer"})

    found = with_request_id([bare, own, OK, None], batch)

    ids = [answer and answer.request_id for answer in found]
    assert ids == ["outer", "own", "", None]
    assert with_request_id([bare], OK) == [bare]


def test_an_update_without_an_etag_is_stale_without_a_call() -> None:
    updates = [Update(guid(1), {}, ""), Update(guid(2), {}, "W/2")]
    sent: list[Update] = []

    def write(known: Sequence[Update]) -> list[WriteResult]:
        sent.extend(known)
        return written([2])

    stale, done = update_known(updates, BATCH, write)

    assert sent == updates[1:]
    assert isinstance(stale, Failure)
    assert stale.kind is FailureKind.STALE
    assert isinstance(done, Written)
