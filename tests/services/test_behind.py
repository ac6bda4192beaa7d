"""Recording behind: everything once, in order, and before whatever stops the run."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import pytest

from integration.connectors.transport import ANSWERED, MADE_UP
from integration.services.behind import Behind, Coming, begin

WAIT = 10.0
_T = TypeVar("_T")


@pytest.fixture
def done() -> list[str]:
    return []


def noting(done: list[str], what: str) -> Callable[[], None]:
    return lambda: done.append(what)


def on_its_way(answer: Callable[[], _T]) -> _T:
    """A call that has been made up, and now waits for its answer."""
    MADE_UP.get()()
    return answer()


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_what_may_wait_is_recorded_while_the_next_call_is_on_its_way() -> None:
    behind, recorded = Behind(), threading.Event()
    behind.record(recorded.set, may_wait=True)
    assert not recorded.is_set()

    assert behind.meanwhile(lambda: on_its_way(lambda: recorded.wait(WAIT)))


def test_nothing_is_recorded_while_the_next_call_is_made_up() -> None:
    behind, recorded = Behind(), threading.Event()
    behind.record(recorded.set, may_wait=True)

    def call() -> tuple[bool, bool]:
        before = recorded.wait(0.05)
        return before, on_its_way(lambda: recorded.wait(WAIT))

    assert behind.meanwhile(call) == (False, True)


def test_what_may_not_wait_comes_after_what_did(done: list[str]) -> None:
    behind = Behind()
    behind.record(noting(done, "first"), may_wait=True)
    behind.record(noting(done, "second"), may_wait=False)
    assert done == ["first", "second"]


def test_a_call_with_nothing_beside_it_needs_no_thread() -> None:
    here = threading.get_ident()
    assert Behind().meanwhile(threading.get_ident) == here


def test_what_stops_the_run_meanwhile_waits_until_the_answer_is_recorded(
    done: list[str],
) -> None:
    behind = Behind()
    behind.record(failing(KeyError("lost")), may_wait=True)

    assert behind.meanwhile(lambda: "answer") == "answer"
    with pytest.raises(KeyError):
        behind.record(noting(done, "second"), may_wait=True)

    assert done == ["second"]
    behind.catch_up()


def test_nothing_is_sent_once_the_run_is_stopped(done: list[str]) -> None:
    behind = Behind()
    behind.record(failing(KeyError("lost")), may_wait=True)
    behind.meanwhile(int)

    with pytest.raises(KeyError):
        behind.meanwhile(noting(done, "sent"))

    assert done == []


def test_a_chunk_that_is_not_recorded_after_another_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One of them ends the run; the other is not hidden."""
    behind = Behind()
    behind.record(failing(KeyError("first")), may_wait=True)

    with pytest.raises(KeyError, match="first"):
        behind.record(failing(ValueError("second")), may_wait=True)

    assert "second" in caplog.text


def test_no_more_than_one_chunk_is_unrecorded_where_nothing_is_sent(
    done: list[str],
) -> None:
    """A first meeting of what agrees sends nothing, however much it is."""
    behind = Behind()
    for number in range(4):
        behind.record(noting(done, str(number)), may_wait=True)
        assert len(done) == number


def recording_then(behind: Behind, done: list[str], end: Callable[[], None]) -> None:
    with behind.all_recorded():
        behind.record(noting(done, "first"), may_wait=True)
        end()


def test_an_error_of_the_call_leaves_nothing_unrecorded(done: list[str]) -> None:
    behind = Behind()
    no_answer = failing(ValueError("no answer"))
    with pytest.raises(ValueError, match="no answer"):
        recording_then(behind, done, lambda: behind.meanwhile(no_answer))
    assert done == ["first"]


def test_an_error_between_two_calls_leaves_nothing_unrecorded(done: list[str]) -> None:
    with pytest.raises(ValueError, match="in between"):
        recording_then(Behind(), done, failing(ValueError("in between")))
    assert done == ["first"]


def test_the_end_leaves_nothing_unrecorded(done: list[str]) -> None:
    behind = Behind()
    with behind.all_recorded():
        behind.record(noting(done, "first"), may_wait=True)
    assert done == ["first"]


def test_whoever_is_killed_records_nothing_more(done: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        recording_then(Behind(), done, failing(KeyboardInterrupt()))
    assert done == []


def test_whoever_is_stopped_does_not_wait_for_the_answer() -> None:
    behind, may_answer, has_answered = Behind(), threading.Event(), threading.Event()

    def call() -> None:
        on_its_way(lambda: may_answer.wait(WAIT))
        has_answered.set()

    behind.record(failing(KeyboardInterrupt()), may_wait=True)
    with pytest.raises(KeyboardInterrupt):
        behind.meanwhile(call)

    assert not has_answered.is_set()
    may_answer.set()
    assert has_answered.wait(WAIT)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("calls", [0, 1, 3])
def test_every_item_comes_once_and_in_order(count: int, calls: int) -> None:
    behind = Behind()
    seen = []
    for item in behind.ahead(iter(range(count))):
        seen.append(item)
        for _ in range(calls):
            behind.meanwhile(int)
    assert seen == list(range(count))


def test_the_next_item_is_made_while_a_call_for_one_is_on_its_way() -> None:
    behind, made = Behind(), [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in behind.ahead(items()):
        assert sum(event.is_set() for event in made) == number + 1
        following = made[number + 1 :][:1]
        assert behind.meanwhile(partial(on_its_way, partial(_all_come, following)))


def _all_come(events: Sequence[threading.Event]) -> bool:
    return all(event.wait(WAIT) for event in events)


def go_on(behind: Behind, items: Iterator[str], done: list[str]) -> None:
    """As a run does with each of them."""
    with behind.all_recorded():
        for item in behind.ahead(items):
            done.append(f"wrote {item}")
            behind.meanwhile(int)
            behind.record(noting(done, f"recorded {item}"), may_wait=True)


def test_an_item_that_cannot_be_made_stops_the_run_after_the_one_before(
    done: list[str],
) -> None:
    def items() -> Iterator[str]:
        yield "first"
        raise KeyError("second")

    with pytest.raises(KeyError):
        go_on(Behind(), items(), done)

    assert done == ["wrote first", "recorded first"]


def test_what_is_made_early_is_not_written_once_the_run_is_stopped(
    done: list[str],
) -> None:
    behind = Behind()

    def items() -> Iterator[str]:
        yield "first"
        done.append("made second")
        yield "second"

    behind.record(failing(KeyError("lost")), may_wait=True)
    with pytest.raises(KeyError):
        go_on(behind, items(), done)

    assert done == ["wrote first", "made second", "recorded first"]


class Chunk:
    """One of two: its call, and what is recorded of it."""

    def __init__(
        self, name: str, done: list[str], end: BaseException | None = None
    ) -> None:
        self.name, self.done, self.end = name, done, end
        self.may_answer, self.is_sent = threading.Event(), threading.Event()

    def call(self) -> str:
        MADE_UP.get()()
        self.is_sent.set()
        assert self.may_answer.wait(WAIT)
        if self.end:
            raise self.end
        ANSWERED.get()()
        return self.name

    def record(self, answer: str) -> None:
        self.done.append(f"recorded {answer}")


def two(
    behind: Behind,
    chunks: tuple[Chunk, Chunk],
    refuse: Callable[[], None],
    between: Callable[[], None],
) -> None:
    """As a run does with two chunks, of which the second is made up early."""
    first, second = chunks
    made: list[Coming[str]] = []

    def items() -> Iterator[Chunk]:
        yield first
        made.append(behind.make_up(second.call, refuse, second.record))
        assert not second.is_sent.is_set()
        first.may_answer.set()
        yield second

    with behind.all_recorded():
        for chunk in behind.ahead(items()):
            if chunk is first:
                answer = behind.meanwhile(chunk.call)
            else:
                answer = behind.finish(made[0])
            behind.record(partial(chunk.record, answer), may_wait=True)
            between()


def nothing() -> None:
    """Nothing stops the run."""


def once_sent(chunk: Chunk, then: Callable[[], None]) -> Callable[[], None]:
    def wait() -> None:
        assert chunk.is_sent.wait(WAIT)
        then()

    return wait


def test_what_was_made_up_goes_once_the_call_before_it_is_answered(
    done: list[str],
) -> None:
    first, second = Chunk("first", done), Chunk("second", done)
    read = threading.Event()

    def call() -> str:
        answer = Chunk.call(first)
        assert second.is_sent.wait(WAIT)  # while this answer is still being read
        read.set()
        return answer

    first.call = call  # type: ignore[method-assign]
    second.may_answer.set()
    two(Behind(), (first, second), nothing, nothing)

    assert read.is_set()
    assert done == ["recorded first", "recorded second"]


class Answer:
    """Something large."""


def test_an_answer_goes_with_whoever_asked_for_it() -> None:
    """Neither its thread keeps it, nor the next call, which has looked at it."""
    gone = threading.Event()
    gc.disable()  # What only Python's look for cycles would find is not gone.
    try:
        first = begin(partial(on_its_way, Answer))
        second = Coming(partial(on_its_way, Answer))
        second.make_up()
        second.follow(first.is_answered)
        weakref.finalize(first.result(), gone.set)
        second.result()
        del first
        assert gone.wait(WAIT)
    finally:
        gc.enable()


def test_nothing_follows_a_refusal(done: list[str]) -> None:
    first, second = Chunk("first", done, ValueError("no")), Chunk("second", done)
    with pytest.raises(ValueError, match="no"):
        two(Behind(), (first, second), nothing, nothing)
    assert not second.is_sent.wait(0.05)
    assert done == []


def test_nothing_follows_where_the_run_is_to_stop(done: list[str]) -> None:
    first, second = Chunk("first", done), Chunk("second", done)
    paused = failing(KeyError("paused"))
    with pytest.raises(KeyError):
        two(Behind(), (first, second), paused, paused)
    assert not second.is_sent.wait(0.05)
    assert done == ["recorded first"]


def test_what_is_dropped_does_not_follow(done: list[str]) -> None:
    chunk, before = Chunk("second", done), threading.Event()
    coming = Coming(chunk.call)
    coming.make_up()
    coming.follow(lambda: before.wait(WAIT))

    coming.drop()
    before.set()

    assert coming.is_answered() is False
    assert not chunk.is_sent.is_set()
    assert not coming.has_gone


def test_what_has_gone_cannot_be_dropped(done: list[str]) -> None:
    chunk = Chunk("second", done)
    coming = Coming(chunk.call)
    coming.make_up()
    coming.follow(lambda: True)
    assert chunk.is_sent.wait(WAIT)

    coming.drop()
    chunk.may_answer.set()

    assert coming.has_gone
    assert coming.result() == "second"


def test_what_may_not_follow_goes_in_its_turn(done: list[str]) -> None:
    chunk, asked = Chunk("second", done), threading.Event()
    coming = Coming(chunk.call)

    def never() -> bool:
        asked.set()
        return False

    coming.make_up()
    coming.follow(never)
    assert asked.wait(WAIT)
    assert not chunk.is_sent.is_set()

    coming.go()
    chunk.may_answer.set()

    assert coming.result() == "second"


def test_what_refuses_the_next_call_stops_the_run(done: list[str]) -> None:
    """Nobody may ask again: a task's time is over once."""
    first, second = Chunk("first", done), Chunk("second", done)
    with pytest.raises(KeyError, match="time is over"):
        two(Behind(), (first, second), failing(KeyError("time is over")), nothing)
    assert not second.is_sent.wait(0.05)
    assert done == ["recorded first"]


def test_what_has_gone_is_recorded_although_the_run_stops(done: list[str]) -> None:
    first, second = Chunk("first", done), Chunk("second", done)
    second.may_answer.set()
    paused = failing(KeyError("paused"))
    with pytest.raises(KeyError):
        two(Behind(), (first, second), nothing, once_sent(second, paused))
    assert done == ["recorded first", "recorded second"]


def test_of_what_has_gone_and_was_refused_nothing_is_recorded(done: list[str]) -> None:
    first, second = Chunk("first", done), Chunk("second", done, ValueError("no"))
    second.may_answer.set()
    paused = failing(KeyError("paused"))
    with pytest.raises(KeyError):
        two(Behind(), (first, second), nothing, once_sent(second, paused))
    assert done == ["recorded first"]


def test_whoever_is_killed_sends_nothing_that_was_made_up(done: list[str]) -> None:
    first, second = Chunk("first", done, KeyboardInterrupt()), Chunk("second", done)
    with pytest.raises(KeyboardInterrupt):
        two(Behind(), (first, second), nothing, nothing)
    assert not second.is_sent.wait(0.05)
    assert done == []
    for each in threading.enumerate():
        if each.name == "call":
            each.join(WAIT)
            assert not each.is_alive()


def test_what_has_gone_and_cannot_be_recorded_is_told_in_the_log(
    done: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Chunk("first", done), Chunk("second", done)
    second.may_answer.set()
    second.record = lambda answer: failing(OSError("disk full"))()  # type: ignore[method-assign]
    paused = failing(KeyError("paused"))
    with pytest.raises(KeyError):
        two(Behind(), (first, second), nothing, once_sent(second, paused))
    assert "disk full" in caplog.text
