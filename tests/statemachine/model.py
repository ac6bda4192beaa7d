"""What must become of a record and its partner: a second opinion on the engine.

Written from the design alone and importing nothing of the product. A *line* is a record
of Business Central (left) and its partner in Sales (right). A run that went well takes
a line to one state; after a run that a kill or a fault tore, several are possible, and
what both systems hold tells which. ``None`` in a base: never in step.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

FIELDS = ("number", "name", "city", "phone")
ALL = range(len(FIELDS))
NUMBER, NAME, CITY, PHONE = ALL
GIVEN = "#"
"""The number of the record in Business Central, whatever it is."""
LONGEST_NAME = 100
"""So long may a name be in Business Central; Sales holds longer ones."""

Values = tuple[str, ...]
Base = tuple[str | None, ...]
NEVER: Base = (None,) * len(FIELDS)

CONFLICT, TOO_LONG, LEFT_GONE, RIGHT_GONE = "conflict", "long", "no left", "no right"
LEFT, RIGHT, MERGE, NOBODY = "left", "right", "merge", ""


@dataclass(frozen=True)
class Rules:
    """The mapping as it is: what a person can edit of it; who wins a conflict."""

    city_one_way: bool = False
    only_coupled: bool = False
    leaves_blocked: bool = True
    winner: str = NOBODY

    def is_two_way(self, field: int) -> bool:
        return field in (NAME, PHONE) or (field == CITY and not self.city_one_way)


@dataclass(frozen=True)
class Line:
    """``error`` is what is open about it, and pending as long as it is.

    ``resting``: a torn run may have left it for later, with a passing error.
    ``recast``: other values leave its right record since, which makes that news.
    """

    left: Values | None = None
    right: Values | None = None
    base: Base = NEVER
    coupled: bool = False
    blocked: bool = False
    error: str = ""
    resting: bool = False
    recast: bool = False

    @property
    def both(self) -> tuple[Values, Values]:
        assert self.left is not None
        assert self.right is not None
        return self.left, self.right

    def in_sight(self, rules: Rules) -> bool:
        """Whether the filter of the mapping lets its left record through."""
        return self.left is None or not (self.blocked and rules.leaves_blocked)


Step = Callable[[Iterable[Line], Rules], set[Line]]


@dataclass(frozen=True)
class Carried:
    """Fields that go over to the right, to the left, or nothing: both changed."""

    to_right: tuple[int, ...] = ()
    to_left: tuple[int, ...] = ()
    conflict: bool = False


def carried(left: Values, right: Values, base: Base, rules: Rules) -> Carried:
    """The decision of the design, field by field."""
    both = [f for f in ALL if rules.is_two_way(f)]
    met = [f for f in both if base[f] is not None]
    changed = (any(side[f] != base[f] for f in met) for side in (left, right))
    rule = rules.winner if all(changed) else MERGE
    won = {f: _won(left[f], right[f], base[f], rule) for f in both}
    # What only goes one way follows its source, once that has a value.
    won |= {f: LEFT for f in ALL if f not in both and left[f] != (base[f] or "")}
    to = {f: side for f, side in won.items() if left[f] != right[f]}
    if NOBODY in to.values():
        return Carried(conflict=True)
    ways = [tuple(f for f in to if to[f] == side) for side in (LEFT, RIGHT)]
    return Carried(ways[0], ways[1])


def _won(left: str, right: str, base: str | None, rule: str) -> str:
    """Whose value both get where they differ."""
    if base is None and rule == MERGE:
        return LEFT if left else RIGHT
    return {left: RIGHT, right: LEFT}.get(base or "", NOBODY) if rule == MERGE else rule


def synced(line: Line, rules: Rules) -> Line:
    """After a run that met no fault and tried everything."""
    line = _coupled(line, rules)
    if line.left is None and line.right is None:
        return Line()
    if not line.coupled:
        return _created(line, rules)
    if line.left is None or line.right is None:
        gone = LEFT_GONE if line.left is None else RIGHT_GONE
        return replace(line, error=gone, resting=False)
    if _has_news(line, rules):
        return _settled(line, rules)
    at_rest = replace(line, error="", resting=False, recast=False)
    return at_rest if line.in_sight(rules) else line


def ends(line: Line, rules: Rules) -> set[Line]:
    """Where a run that tried it may end: only out of sight are there several.

    There a change on the right goes over, with what changed on the left or alone; what
    a torn run left for later waits for one that goes to the left.
    """
    states, is_pair = {synced(line, rules)}, line.coupled and line.right is not None
    if is_pair and not line.in_sight(rules) and (line.recast or _has_news(line, rules)):
        states |= {_settled(line, rules, to_right=way) for way in (False, True)}
        to = carried(*line.both, line.base, rules)
        goes_left = _has_news_there(line, rules) and (to.to_left or to.conflict)
        if line.resting and not goes_left:
            states.add(line)
    return states


def torn(line: Line, rules: Rules) -> set[Line]:
    """All that may have become of it when the run was torn at any moment.

    Each write done or not, what was done recorded or not; what failed rests.
    """
    states = {line, _coupled(line, rules)}
    if not line.coupled and (line.left or line.right):
        states |= set(_half_created(line, rules))
    for one in list(states):
        if one.coupled and one.left is not None and one.right is not None:
            states |= set(_half_settled(one, rules))
    return {replace(one, resting=True) for one in states | ends(line, rules)}


def tried_soon(lines: Iterable[Line], rules: Rules) -> set[Line]:
    """After a run that met no fault while some of it may still have rested."""
    return {line for line in lines if line.resting} | tried_late(lines, rules)


def tried_late(lines: Iterable[Line], rules: Rules) -> set[Line]:
    """After a run for which everything was due."""
    return {after for line in lines for after in ends(line, rules)}


def tried_and_torn(lines: Iterable[Line], rules: Rules) -> set[Line]:
    return {after for line in lines for after in torn(line, rules)}


def edited(
    lines: Iterable[Line],
    left: Values | None,
    right: Values | None,
    blocked: bool | None = None,
) -> set[Line]:
    """After people did something: both records as they are now."""
    known: dict[str, Any] = {} if blocked is None else {"blocked": blocked}
    return {replace(line, left=left, right=right, **known) for line in lines}


@dataclass(frozen=True)
class Edit:
    """What a person writes into one field of one side."""

    side: str
    field: int
    value: str

    def of(self, line: Line) -> Line:
        values = list(getattr(line, self.side))
        values[self.field] = self.value
        changed: dict[str, Any] = {self.side: tuple(values)}
        return replace(line, **changed)


def edited_meanwhile(
    lines: Iterable[Line], edit: Edit, step: Step, rules: Rules
) -> set[Line]:
    """Edited while a run has read: as if before it, after it or between its writes."""
    after = {edit.of(line) for line in step(lines, rules)}
    halves = (_settled(line, rules, to_left=False) for line in lines)
    return after | step([edit.of(line) for line in (*lines, *halves)], rules)


def _has_news(line: Line, rules: Rules) -> bool:
    """They have not agreed; a conflict is tried again, whatever the filter says now."""
    new = None in line.base or line.error == CONFLICT or _has_news_there(line, rules)
    return new or (line.in_sight(rules) and line.both[0] != line.base)


def _has_news_there(line: Line, rules: Rules) -> bool:
    known = [f for f in ALL if rules.is_two_way(f) and line.base[f] is not None]
    return any(line.both[1][f] != line.base[f] for f in known)


def _coupled(line: Line, rules: Rules) -> Line:
    """Two records that were made apart, or by a torn run, find each other."""
    if line.coupled or None in (line.left, line.right) or not line.in_sight(rules):
        return line
    return replace(line, coupled=True, base=NEVER)


def _created(line: Line, rules: Rules) -> Line:
    """What has no partner gets one, unless the mapping makes none."""
    if rules.only_coupled or not line.in_sight(rules):
        return line
    done = replace(line, coupled=True, error="", resting=False)
    if line.left is not None:
        return replace(done, right=line.left, base=line.left)
    assert line.right is not None
    if len(line.right[NAME]) > LONGEST_NAME:
        return replace(line, error=TOO_LONG, resting=False)
    right = (GIVEN, *line.right[1:])
    city = "" if rules.city_one_way else right[CITY]
    left = (GIVEN, right[NAME], city, right[PHONE])
    return replace(done, left=left, right=right, base=left)


def _half_created(line: Line, rules: Rules) -> Iterator[Line]:
    """Made but not coupled; coupled, but nothing recorded, or its number not sent."""
    done = _created(line, rules)
    if not done.coupled or done.left is None or done.right is None:
        return
    if line.left is not None:
        yield replace(done, coupled=False, base=NEVER)
        return
    made = replace(done, right=line.right)
    yield replace(made, coupled=False, base=NEVER)
    yield replace(made, base=NEVER)
    yield replace(made, base=(None, *done.left[1:]))


def _settled(
    line: Line, rules: Rules, *, to_right: bool = True, to_left: bool = True
) -> Line:
    """Both are there: each gets what changed on the other."""
    decision = carried(*line.both, line.base, rules)
    if decision.conflict:
        return replace(line, error=CONFLICT, resting=False)
    refused = _is_refused(line, decision)
    to_left = to_left and not refused
    base = _agreed(line, decision, to_right=to_right, to_left=to_left)
    after = _written(line, decision, to_right=to_right, to_left=to_left)
    return replace(after, base=base, error=TOO_LONG if refused else "", resting=False)


def _is_refused(line: Line, decision: Carried) -> bool:
    return NAME in decision.to_left and len(line.both[1][NAME]) > LONGEST_NAME


def _half_settled(line: Line, rules: Rules) -> Iterator[Line]:
    """Each of the two writes done or not; and of what was done, recorded or not."""
    decision = carried(*line.both, line.base, rules)
    if decision.conflict or not _has_news(line, rules):
        return
    lefts = {False, not _is_refused(line, decision)}
    for to_right, to_left in product({False, True}, lefts):
        written = _written(line, decision, to_right=to_right, to_left=to_left)
        yield written
        for right, left in product({False, to_right}, {False, to_left}):
            base = _agreed(line, decision, to_right=right, to_left=left)
            yield replace(written, base=base)


def _written(line: Line, decision: Carried, *, to_right: bool, to_left: bool) -> Line:
    left, right = map(list, line.both)
    for f in decision.to_right if to_right else ():
        right[f] = line.both[0][f]
    for f in decision.to_left if to_left else ():
        left[f] = line.both[1][f]
    return replace(line, left=tuple(left), right=tuple(right), recast=False)


def _agreed(line: Line, decision: Carried, *, to_right: bool, to_left: bool) -> Base:
    """The base afterwards: what both hold, and of one-way values that of the source."""
    (left, right), base = line.both, list(line.base)
    for f in ALL:
        if f in decision.to_right:
            base[f] = left[f] if to_right else base[f]
        elif f in decision.to_left:
            base[f] = right[f] if to_left else base[f]
        else:
            base[f] = left[f]
    return tuple(base)
