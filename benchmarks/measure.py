"""Times taken in turns, so that what else the machine does hits all of them alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from statistics import quantiles

from integration import clock


@dataclass(frozen=True, slots=True)
class Times:
    """How long one thing took, in milliseconds."""

    p50: float
    p75: float
    p95: float
    longest: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Times":
        """Of no time at all nothing is known: not a number."""
        taken = [1000 * one for one in seconds] or [nan]
        # A single one is all of its quantiles.
        cuts = quantiles(
            taken * 2 if len(taken) == 1 else taken, n=20, method="inclusive"
        )
        return cls(cuts[9], cuts[14], cuts[18], max(taken))


def take_turns(
    calls: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, Times]:
    """Call each one ``rounds`` times, one after the other; the first two do not count.

    What takes over two seconds is called three times only.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 2):
        for name, call in calls.items():
            if turn > 2 and taken[name][-1] > 2:
                continue
            taken[name].append(timed(call))
    return {
        name: Times.of(seconds[2:] if len(seconds) > 3 else seconds)
        for name, seconds in taken.items()
    }


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = clock.monotonic()
    call()
    return clock.monotonic() - start
