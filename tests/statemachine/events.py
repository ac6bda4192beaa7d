"""What may happen in a sequence: each event is a kind and three small numbers."""

from collections.abc import Callable

from tests.statemachine.driver import LATE, SOON, Machine, Tracked
from tests.statemachine.killing import (
    CALL,
    COMMIT,
    CREATION,
    UPDATE,
    WRITE,
    Trouble,
)
from tests.statemachine.model import (
    CITY,
    FIELDS,
    LEFT,
    LONGEST_NAME,
    MERGE,
    NOBODY,
    PHONE,
    RIGHT,
    Edit,
    Line,
)

Event = tuple[str, int, int, int]
_VALUES = ("", "Here", "There")
_OTHER = {"name": "city", "city": "phone", "phone": "city"}
_EDITED = ("city", "phone", "name")


def _chosen(
    machine: Machine, place: int, holds: Callable[[Line], bool]
) -> Tracked | None:
    """One of the lines of which this is certain."""
    found = [line for line in machine.lines if line.all(holds)]
    return found[place % len(found)] if found else None


def _has(*sides: str) -> Callable[[Line], bool]:
    return lambda line: all(getattr(line, side) is not None for side in sides)


def _may_be_renamed(line: Line) -> bool:
    """Two records find each other by name; nobody renames them before they do."""
    return line.coupled or line.left is None or line.right is None


def _edit(machine: Machine, line: Tracked, side: str, field: str, what: int) -> None:
    if field == "name" and not line.all(_may_be_renamed):
        field = "city"
    value = _VALUES[what % 3]
    if field == "name":
        value = f"{line.name} {'ab'[what % 2]}"
        if side == "right" and what >= 3:
            value = value.ljust(LONGEST_NAME + 5, "x")
    machine.write(line, side, **{field: value})
    machine.note(line)


def _awake(machine: Machine, *sides: str) -> Callable[[Line], bool]:
    has = _has(*sides)
    return lambda line: has(line) and line.in_sight(machine.rules)


def edit_left(machine: Machine, a: int, b: int, c: int) -> bool:
    line = _chosen(machine, a, _awake(machine, "left"))
    if line:
        with machine.committing_late(100.0 * (b % 2)):
            _edit(machine, line, "left", _EDITED[c % 3], b)
    return bool(line)


def edit_right(machine: Machine, a: int, b: int, c: int) -> bool:
    line = _chosen(machine, a, _awake(machine, "right"))
    if line:
        _edit(machine, line, "right", _EDITED[c % 3], b)
    return bool(line)


def edit_both_same_field(machine: Machine, a: int, b: int, c: int) -> bool:
    line = _chosen(machine, a, _awake(machine, "left", "right"))
    if line:
        _edit(machine, line, "left", _EDITED[c % 3], b)
        _edit(machine, line, "right", _EDITED[c % 3], b + a % 2)
    return bool(line)


def edit_both_other_field(machine: Machine, a: int, b: int, c: int) -> bool:
    line = _chosen(machine, a, _awake(machine, "left", "right"))
    if line:
        _edit(machine, line, "left", _EDITED[c % 3], b)
        _edit(machine, line, "right", _OTHER[_EDITED[c % 3]], b)
    return bool(line)


def _mail(machine: Machine, a: int) -> str:
    """Half of all have an address, so that their partner can be made later."""
    return f"{len(machine.lines)}@example.com" if a % 2 else ""


def create_left(machine: Machine, a: int, b: int, c: int) -> bool:
    machine.create("left", mail=_mail(machine, a))
    return True


def create_right(machine: Machine, a: int, b: int, c: int) -> bool:
    machine.create("right", mail=_mail(machine, a))
    return True


def create_both(machine: Machine, a: int, b: int, c: int) -> bool:
    """The same one on both sides; or the partner of one that is still alone."""

    def is_alone(line: Line) -> bool:
        one = (line.left is None) != (line.right is None)
        return one and not line.coupled and line.in_sight(machine.rules)

    lines = [line for line in machine.lines if line.mail and line.all(is_alone)]
    line = lines[a % len(lines)] if lines and b % 2 else None
    if line is None:
        line = machine.create("left", mail=f"{len(machine.lines)}@example.com")
    machine.create("right" if line.left else "left", line, line.mail)
    return True


def _unheld(machine: Machine, line: Tracked, field: int) -> str:
    """What neither side holds: if it is lost, that shows."""
    held = [values[field] for values in machine.values(line) if values]
    return next(each for each in _VALUES if each not in held)


def edit_meanwhile(machine: Machine, a: int, b: int, c: int) -> bool:
    """Between what a run reads and what it writes, most often where it writes.

    It counts when it happens: no run may write before something is in its way.
    """
    side, other = (("left", "right"), ("right", "left"))[b % 2]
    field, is_aimed = (CITY, PHONE)[c % 2], bool(a % 3)

    def awake(line: Line) -> bool:
        return line.coupled and _awake(machine, "left", "right")(line)

    def edit() -> None:
        if not line or not line.all(awake):
            return
        value = _VALUES[c % 3]
        if is_aimed:
            value = _unheld(machine, line, field)
        machine.write(line, side, **{FIELDS[field]: value})
        machine.meanwhile = (line, Edit(side, field, value))
        machine.counts["edit meanwhile"] += 1

    line = _chosen(machine, a, awake)
    if line and is_aimed:
        _edit(machine, line, other, FIELDS[field], b)
    machine.wire.meanwhile = edit
    return False


def _delete(machine: Machine, place: int, *sides: str) -> bool:
    line = _chosen(machine, place, _has(*sides))
    if line:
        for side in sides:
            machine.delete(line, side)
    return bool(line)


def delete_left(machine: Machine, a: int, b: int, c: int) -> bool:
    return _delete(machine, a, "left")


def delete_right(machine: Machine, a: int, b: int, c: int) -> bool:
    return _delete(machine, a, "right")


def delete_both(machine: Machine, a: int, b: int, c: int) -> bool:
    return _delete(machine, a, "left", "right")


def block(machine: Machine, a: int, b: int, c: int) -> bool:
    """Blocked customers are what the filter leaves out."""
    line = _chosen(machine, a, lambda each: each.coupled and each.left is not None)
    if line:
        blocked = not next(iter(line.worlds)).blocked
        machine.write(line, "left", blocked="All" if blocked else " ")
        machine.note(line, blocked=blocked)
    return bool(line)


def _fault(when: str) -> Callable[[Machine, int, int, int], bool]:
    def arm(machine: Machine, a: int, b: int, c: int) -> bool:
        if c % 3 == 2 and _edit_in_step(machine, a, ("left", "right")[b % 2]):
            # It is sent again at once, also in halves, and that is lost, too.
            trouble = Trouble("lose", UPDATE, when, 1, times=4)
        elif c % 3 == 1 or when == "after":
            trouble = Trouble("lose", WRITE, when, 1 + b % 2)
        else:
            trouble = Trouble("busy", (WRITE, CALL)[b % 2], when, 1 + b, times=3)
        machine.wire.troubles.append(trouble)
        return True

    return arm


def _edit_in_step(machine: Machine, place: int, side: str) -> bool:
    """What the next run writes to the other side."""

    def in_step(line: Line) -> bool:
        is_pair = line.coupled and _awake(machine, "left", "right")(line)
        return is_pair and not line.error

    line = _chosen(machine, place, in_step)
    if line:
        machine.write(line, side, phone=_unheld(machine, line, PHONE))
        machine.note(line)
    return bool(line)


def _kill(when: str) -> Callable[[Machine, int, int, int], bool]:
    def arm(machine: Machine, a: int, b: int, c: int) -> bool:
        point, countdown = (CREATION, COMMIT, WRITE, COMMIT, UPDATE, CALL)[c], 1 + b
        if point == CREATION:
            # Without an address: only what was noted before tells that it was made.
            machine.create("right")
            countdown = 1
        elif point == UPDATE and _edit_in_step(machine, a, ("left", "right")[b % 2]):
            countdown = 1
        machine.wire.troubles.append(Trouble("kill", point, when, countdown))
        return True

    return arm


def skew(machine: Machine, a: int, b: int, c: int) -> bool:
    machine.store.move_clock((-90, 90, 0)[a % 3])
    return True


def lose_broker(machine: Machine, a: int, b: int, c: int) -> bool:
    machine.tick(SOON, lose_messages=True)
    return True


def edit_mapping(machine: Machine, a: int, b: int, c: int) -> bool:
    name = ("city_one_way", "only_coupled", "leaves_blocked")[a % 3]
    machine.change_rules(**{name: not getattr(machine.rules, name)})
    return True


def edit_rule(machine: Machine, a: int, b: int, c: int) -> bool:
    """Who wins a conflict from now on, most often somebody."""
    machine.change_rules(winner=(MERGE, LEFT, RIGHT, NOBODY, MERGE, LEFT)[a])
    return True


def clean_up(machine: Machine, a: int, b: int, c: int) -> bool:
    """Of what is drawn; of everything, where that would take nothing."""
    return machine.clean_up(
        (None, None, 1)[a % 3], relevant=bool(b % 2)
    ) or machine.clean_up(None, relevant=True)


def take_back(machine: Machine, a: int, b: int, c: int) -> bool:
    """One that is in force; else one of everything, made for it."""
    return machine.take_back(a) or (
        machine.clean_up(None, relevant=True) and machine.take_back(0)
    )


def sync_soon(machine: Machine, a: int, b: int, c: int) -> bool:
    machine.tick(SOON)
    return True


def sync_late(machine: Machine, a: int, b: int, c: int) -> bool:
    machine.tick(LATE)
    return True


EVENTS: dict[str, Callable[[Machine, int, int, int], bool]] = {
    "sync soon": sync_soon,
    "sync late": sync_late,
    "edit left": edit_left,
    "edit right": edit_right,
    "edit both, same field": edit_both_same_field,
    "edit both, other field": edit_both_other_field,
    "edit meanwhile": edit_meanwhile,
    "create left": create_left,
    "create right": create_right,
    "create both": create_both,
    "delete left": delete_left,
    "delete right": delete_right,
    "delete both": delete_both,
    "block": block,
    "fault before": _fault("before"),
    "fault after": _fault("after"),
    "kill before": _kill("before"),
    "kill after": _kill("after"),
    "skew": skew,
    "broker loss": lose_broker,
    "mapping edit": edit_mapping,
    "rule edit": edit_rule,
    "clean-up": clean_up,
    "undo": take_back,
}
OFTEN = {
    "sync soon": 5,
    "sync late": 3,
    "edit left": 2,
    "edit right": 2,
    "fault before": 2,
    "kill before": 2,
    "kill after": 2,
    "clean-up": 3,
    "undo": 2,
}
KINDS = [kind for kind in EVENTS for _ in range(OFTEN.get(kind, 1))]


def happen(machine: Machine, event: Event) -> None:
    kind, *numbers = event
    if EVENTS[kind](machine, *numbers):
        machine.counts[kind] += 1
