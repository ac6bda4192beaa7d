"""Recording behind: what was written is recorded while the next call is on its way."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from itertools import islice
from threading import Event, Thread
from typing import TypeVar

from integration.connectors.transport import MADE_UP

logger = logging.getLogger(__name__)
_T = TypeVar("_T")


def answered(call: Callable[[], _T]) -> "Future[_T]":
    """What came of it; an error is raised by whoever asks for the answer."""
    future: Future[_T] = Future()
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001  # none is hidden: it is the answer
        future.set_exception(error)
    return future


def begin(call: Callable[[], _T]) -> "Future[_T]":
    """The answer to come, once the call has been made up: two threads that compute
    only hinder each other. Whoever is stopped meanwhile does not wait for the thread:
    its call is then one whose answer was lost."""
    coming: Future[_T] = Future()
    made_up = Event()
    context = copy_context()  # what the log says of the run
    context.run(MADE_UP.set, made_up.set)

    def answer() -> None:
        try:
            coming.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001  # or whoever waits would for ever
            coming.set_exception(error)
        finally:
            made_up.set()

    Thread(target=answer, name="call", daemon=True).start()
    made_up.wait()
    return coming


class Behind:
    """What a run has still to record, at most one chunk, and what it could do early.

    A run that is killed finds the rest done when it is repeated, as if it had been
    killed before it recorded anything.
    """

    def __init__(self) -> None:
        self._unrecorded: Callable[[], None] | None = None
        self._make_next: Callable[[], None] | None = None
        self._stopped_by: BaseException | None = None

    @contextmanager
    def all_recorded(self) -> Iterator[None]:
        """Whatever ends the block, but a kill: everything has been recorded then."""
        try:
            yield
        except Exception:  # Whatever it is goes on its way once all is recorded.
            self.catch_up()
            raise
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
        made: list[Future[list[_T]]] = []

        def make() -> None:
            self._make_next = None
            made.append(answered(lambda: list(islice(items, 1))))

        try:
            while True:
                if not made:
                    make()
                found = made.pop().result()
                if not found:
                    break
                self._make_next = make
                yield found[0]
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
            error = answered(task).exception()
            if error and self._stopped_by:
                # The first one ends the run; its repetition records this chunk.
                logger.error("chunk_not_recorded", exc_info=error)
            self._stopped_by = self._stopped_by or error
