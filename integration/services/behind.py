"""Recording behind: what was written is recorded while the next call is on its way."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

from integration.connectors.transport import ANSWERED, MADE_UP

CHUNKS = 500, 1_000
"""Records in the first chunk of a run, for which the other system waits, and in each of
the others: what goes next is made up, and what was answered is recorded, while one is
on its way. To Sales a chunk is one call, to Business Central one for each hundred."""

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


class _Dropped(Exception):  # noqa: N818  (no error: nobody wants it any more)
    """The call was made up, and is not made."""


class Coming(Generic[_T]):
    """The answer to come of a call that a thread makes.

    Whoever is stopped meanwhile does not wait for the thread: its call is then one
    whose answer was lost. ``has_gone``: it is sent, and cannot be dropped any more.
    """

    def __init__(self, call: Callable[[], _T]) -> None:
        self.has_gone = False
        self._call = call
        self._future: Future[_T] = Future()
        self._made_up, self._turn, self._said = Event(), Event(), Event()
        self._may_follow: Callable[[], bool] | None = None
        self._is_wanted, self._is_dropped = Event(), False
        self._deciding = Lock()

    def make_up(self) -> None:
        """Have everything done but sending it. Two threads that compute only hinder
        each other, so this one waits."""
        context = copy_context()  # what the log says of the run
        Thread(target=self.run, args=[context], name="call", daemon=True).start()
        self._made_up.wait()

    def follow(self, may_follow: Callable[[], bool]) -> None:
        """It may be sent as soon as this says so, which may wait; else in its turn."""
        self._may_follow = may_follow
        self._is_wanted.set()

    def go(self) -> None:
        """Now it may be sent."""
        self._turn.set()
        self._is_wanted.set()

    def drop(self) -> None:
        """It will not be sent, unless it has gone."""
        with self._deciding:
            self._is_dropped = not self.has_gone
        self.go()  # so that its thread hears of it

    def is_answered(self) -> bool:
        """Waits for the answer; whether it was no refusal. It is still to be read."""
        self._said.wait()
        return not (self._future.done() and self._future.exception())

    def result(self) -> _T:
        return self._future.result()

    def run(self, context: Context) -> None:
        # Not held: it holds this, and whatever is answered would stay as long.
        context.run(MADE_UP.set, self._wait_for_turn)
        context.run(ANSWERED.set, self._said.set)
        try:
            self._future.set_result(context.run(self._call))
        except BaseException as error:  # noqa: BLE001  # or whoever waits would for ever
            self._future.set_exception(error)
        finally:
            self._made_up.set()
            self._said.set()

    def _wait_for_turn(self) -> None:
        self._made_up.set()
        self._is_wanted.wait()
        # Nor is the call before it, once it has been looked at.
        may_follow, self._may_follow = self._may_follow, None
        if not (may_follow and may_follow()):
            self._turn.wait()
        with self._deciding:
            if self._is_dropped:
                raise _Dropped
            self.has_gone = True


def begin(call: Callable[[], _T]) -> Coming[_T]:
    """The answer to come, once the call has been made up and sent."""
    coming = Coming(call)
    coming.make_up()
    coming.go()
    return coming


@dataclass(slots=True)
class _Early:
    """A call that goes as soon as ``may_follow`` says so of the one on its way, unless
    ``refuse`` raises. What was done by it is recorded by ``record`` if the run ends
    before its turn."""

    coming: Coming[Any]
    refuse: Callable[[], None]
    record: Callable[[Any], None]
    may_follow: Callable[[Coming[Any]], bool]


class Behind:
    """What a run has still to record, at most one chunk, and what it could do early.

    ``is_beside_a_call``: what is done now is done early, while a call is on its way.

    A run that is killed finds the rest done when it is repeated, as if it had been
    killed before it recorded anything.
    """

    def __init__(self) -> None:
        self.is_beside_a_call = False
        self._early: _Early | None = None
        self._unrecorded: Callable[[], None] | None = None
        self._make_next: Callable[[], None] | None = None
        self._stopped_by: BaseException | None = None

    @contextmanager
    def all_recorded(self) -> Iterator[None]:
        """Whatever ends the block, but a kill: everything has been recorded then."""
        try:
            yield
        except Exception:  # Whatever it is goes on its way once all is recorded.
            try:
                self.catch_up()
            finally:
                self._end_early()
            raise
        except BaseException:
            self._drop_early()
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
        return self._beside(begin(call))

    def make_up(
        self,
        call: Callable[[], _T],
        refuse: Callable[[], None],
        record: Callable[[_T], None],
        may_follow: Callable[[Coming[Any]], bool] = Coming.is_answered,
    ) -> Coming[_T]:
        """Make this call up beside another one, which it follows by itself.

        ``refuse`` raises if nothing more must be sent; ``may_follow`` waits for the
        other one, and says whether it came to what this one may follow. ``finish``
        wants it when its turn has come; ``record`` is told what came of it where that
        never comes.
        """
        coming = Coming(call)
        coming.make_up()
        self._early = _Early(coming, refuse, record, may_follow)
        return coming

    def finish(self, coming: Coming[_T]) -> _T:
        """As ``meanwhile``, of a call that was made up."""
        if self._stopped_by:
            self.catch_up()
        self._early = None
        coming.go()
        return self._beside(coming)

    def _beside(self, coming: Coming[_T]) -> _T:
        # First what goes next: the system need not wait until all is recorded.
        if self._make_next and not self._stopped_by:
            self.is_beside_a_call = True
            try:
                self._make_next()
            finally:
                self.is_beside_a_call = False
            if self._early:
                self._let_follow(self._early, coming)
        self._record()
        if self._stopped_by:
            self._drop_early()
        return coming.result()

    def _let_follow(self, early: _Early, coming: Coming[Any]) -> None:
        """What refuses it now stops the run once the answer is recorded."""
        error = answered(early.refuse).exception()
        self._stopped_by = self._stopped_by or error
        if error is None:
            early.coming.follow(partial(early.may_follow, coming))

    def _drop_early(self) -> None:
        if self._early:
            self._early.coming.drop()

    def _end_early(self) -> None:
        """The run ends before the turn of what was made up."""
        self._drop_early()
        early, self._early = self._early, None
        if early is None or not early.coming.has_gone:
            return
        found = answered(early.coming.result)
        if found.exception():
            return  # Refused: nothing was done.
        error = answered(lambda: early.record(found.result())).exception()
        if error:
            logger.error("chunk_not_recorded", exc_info=error)

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
