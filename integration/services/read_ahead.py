"""Reading ahead: a page is on its way while the one before it is dealt with."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from itertools import islice
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Ahead(Generic[_T]):
    """Pages, each of which ``thread`` asks for one early."""

    def __init__(self, pages: Iterator[_T], thread: ThreadPoolExecutor) -> None:
        self._pages = pages
        self._thread = thread
        self._context = copy_context()  # what the log says of the run
        self._coming: Future[list[_T]] | None = None

    def begin(self) -> None:
        """Have the first asked for, unless it has been: somebody will want it."""
        if self._coming is None:
            self._coming = self._thread.submit(self._following)

    def __iter__(self) -> Iterator[_T]:
        self.begin()
        while self._coming and (found := self._coming.result()):
            self._coming = self._thread.submit(self._following)
            yield from found

    def _following(self) -> list[_T]:
        return self._context.run(list, islice(self._pages, 1))


@contextmanager
def read_ahead(pages: Iterator[_T]) -> Iterator[Ahead[_T]]:
    """The same pages in the same order, each asked for one early, by one thread.

    Whoever stops early waits for the one that is on its way; none is asked for after.
    """
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        yield Ahead(pages, thread)
