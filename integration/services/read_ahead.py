"""Reading ahead: a page is on its way while the one before it is dealt with."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")


@contextmanager
def read_ahead(pages: Iterator[_T]) -> Iterator[Iterator[_T]]:
    """The same pages in the same order, each asked for one early, by one thread.

    Whoever stops early waits for the one that is on its way; none is asked for after.
    """
    context = copy_context()  # what the log says of the run

    def following() -> list[_T]:
        return context.run(list, islice(pages, 1))

    with ThreadPoolExecutor(1, "read-ahead") as thread:

        def ahead() -> Iterator[_T]:
            coming = thread.submit(following)
            while found := coming.result():
                coming = thread.submit(following)
                yield from found

        yield ahead()
