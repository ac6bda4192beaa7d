"""Reading ahead: one page early, in the same order, and never beyond a stop."""

import threading
from collections.abc import Iterator

import pytest

from integration.services.read_ahead import read_ahead

WAIT = 10.0


class Source:
    """Pages that tell when each was asked for; the last may be a refusal.

    Whoever reads ``stop`` fails there.
    """

    def __init__(
        self, count: int, refusal: Exception | None = None, stop: int | None = None
    ) -> None:
        self.asked = [threading.Event() for _ in range(count)]
        self.refusal = refusal
        self.stop = stop

    def pages(self) -> Iterator[int]:
        for number, event in enumerate(self.asked):
            event.set()
            if self.refusal and event is self.asked[-1]:
                raise self.refusal
            yield number

    def count(self) -> int:
        return sum(event.is_set() for event in self.asked)


def read(source: Source, seen: list[int]) -> None:
    with read_ahead(source.pages()) as pages:
        for number in pages:
            seen.append(number)
            if number == source.stop:
                raise KeyError(number)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_page_comes_once_and_in_order(count: int) -> None:
    seen: list[int] = []

    read(Source(count), seen)

    assert seen == list(range(count))


def test_the_next_page_is_asked_for_while_one_is_dealt_with() -> None:
    source = Source(3)

    with read_ahead(source.pages()) as pages:
        for number in pages:
            if number < 2:
                assert source.asked[number + 1].wait(WAIT)
            assert source.count() <= number + 2


def test_the_first_page_can_be_asked_for_before_anybody_reads() -> None:
    source = Source(3)

    with read_ahead(source.pages()) as pages:
        pages.begin()
        assert source.asked[0].wait(WAIT)
        pages.begin()
        assert source.count() == 1
        assert list(pages) == [0, 1, 2]


def test_a_refusal_comes_after_the_pages_before_it() -> None:
    seen: list[int] = []

    with pytest.raises(ConnectionError, match="gone"):
        read(Source(3, refusal=ConnectionError("gone")), seen)

    assert seen == [0, 1]


def test_whoever_stops_has_no_more_asked_for() -> None:
    source = Source(9, stop=0)

    with pytest.raises(KeyError):
        read(source, [])

    assert source.count() <= 2
    assert not [one for one in threading.enumerate() if "read-ahead" in one.name]
