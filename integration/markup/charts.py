"""The small drawings of a line: how much is in step, how the last day or week went."""

from collections.abc import Sequence
from dataclasses import dataclass

from integration.services.overview import Hour
from integration.services.trends import Trend

WIDTH = 96
"""Of a whole meter."""
STEP = 6
TOP, BOTTOM = 4, 20
_DAY = 14
LEAST = 2
"""A single failure among thousands of runs is seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle; ``css`` is ok, ko, or nil where nothing ran."""

    css: str
    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The bars of a day, and in how many of its hours something failed."""

    bars: tuple[Bar, ...]
    troubled: int


@dataclass(frozen=True, slots=True)
class Columns:
    """The bars of some days, and what they stand for in figures."""

    bars: tuple[Bar, ...]
    figures: Trend


def meter(part: int, whole: int) -> int:
    """The width of the part; an empty whole has none."""
    return WIDTH * part // whole if whole else 0


def strip(hours: Sequence[Hour]) -> Strip:
    """Each hour as a bar; the share of its troubled runs stands at its foot."""
    found: list[Bar] = []
    for place, hour in enumerate(hours):
        found += _bars(place * STEP, hour)
    return Strip(tuple(found), sum(hour.troubled > 0 for hour in hours))


def columns(trend: Trend) -> Columns:
    """Each day as a bar, the highest as high as there is room."""
    highest = max(*trend, 1)
    bars = []
    for place, failed in enumerate(trend):
        height = max(BOTTOM * failed // highest, 1 + (failed > 0))
        bars.append(Bar("", place * _DAY, BOTTOM - height, height))
    return Columns(tuple(bars), trend)


def _bars(x: int, hour: Hour) -> list[Bar]:
    if not hour.runs:
        return [Bar("nil", x, BOTTOM - 3, 3)]
    full = BOTTOM - TOP
    share = full * hour.troubled // hour.runs
    bad = max(share, LEAST) if hour.troubled else 0
    bars = [Bar("ok", x, TOP, full - bad)] if bad < full else []
    return [*bars, Bar("ko", x, BOTTOM - bad, bad)] if bad else bars
