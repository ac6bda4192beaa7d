"""Recording behind: what was written is recorded while the next call is on its way."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from itertools import islice
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

_T = TypeVar("_T")


def begin(call: Callable[[], _T]) -> "Future[_T]":
    """The answer to come. Whoever is stopped meanwhile does not wait for the thread:
    its call is then one whose answer was lost."""
    coming: Future[_T] = Future()
    context = copy_context()  # what the log says of the run

    def answer() -> None:
        try:
            coming.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001  # raised by who waits for it
            coming.set_exception(error)

    Thread(target=answer, name="call", daemon=True).start()
    return coming


class Behind:
    """What a run has still to record, at most one chunk, and what it could do early.

    When its ``with`` block ends, also by an error, everything has been recorded; a run
    that is killed finds the rest done when it is repeated, as if it had been killed
    before it recorded anything.
    """

    def __init__(self) -> None:
        self._unrecorded: Callable[[], None] | None = None
        self._make_next: Callable[[], None] | None = None
        self._stopped_by: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, Exception):
            self.catch_up()

    def record(self, task: Callable[[], None], *, may_wait: bool) -> None:
        """Do it during the next call, or now. Raises what stops the run."""
        self._record()
        self._unrecorded = task
        if self._stopped_by or not may_wait:
            self.catch_up()

    def meanwhile(self, call: Callable[[], _T]) -> _T:
        """The answer of the call, which a thread makes where there is something to do.

        What stops the run meanwhile is raised once the answer is recorded, or before
        the next call.
        """
        if self._stopped_by:
            self.catch_up()
        if not (self._unrecorded or self._make_next):
            return call()
        coming = begin(call)
        self._record()
        if self._make_next and not self._stopped_by:
            self._make_next()
        return coming.result()

    def ahead(self, items: Iterator[_T]) -> Iterator[_T]:
        """The same items; one is made while a call for the one before is on its way.

        One that cannot be made is an error only when its turn has come.
        """
        made: deque[Future[_T]] = deque()

        def make() -> None:
            self._make_next = None
            try:
                made.extend(map(_done, islice(items, 1)))
            except Exception as error:  # noqa: BLE001  # raised when its turn comes
                made.append(_failed(error))

        try:
            while True:
                if not made:
                    make()
                if not made:
                    break
                item = made.popleft().result()
                self._make_next = make
                yield item
        finally:
            self._make_next = None
        self.catch_up()

    def catch_up(self) -> None:
        """Record everything now. Raises what stops the run."""
        self._record()
        error, self._stopped_by = self._stopped_by, None
        if error:
            raise error

    def _record(self) -> None:
        task, self._unrecorded = self._unrecorded, None
        if task:
            try:
                task()
            except Exception as error:  # noqa: BLE001  # raised when all is recorded
                self._stopped_by = self._stopped_by or error


def _done(value: _T) -> "Future[_T]":
    done: Future[_T] = Future()
    done.set_result(value)
    return done


def _failed(error: Exception) -> "Future[Any]":
    failed: Future[Any] = Future()
    failed.set_exception(error)
    return failed
