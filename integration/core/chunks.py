"""Long sequences, a part at a time: no statement or address may grow without end."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def chunks(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """At most ``size`` of them each; none of nothing."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
