"""Drives the product and both simulated systems, and holds them to the model."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import pytest

from integration.choices import Direction, JobState, OperationState
from integration.core.answers import ConflictRule
from integration.models import (
    Coupling,
    ErrorCell,
    Job,
    Operation,
    PendingRecord,
    SyncError,
    TableMapping,
)
from integration.services import cells
from integration.services.actors import Refused
from integration.services.cleanup import delete
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.dispatch import due_runs
from integration.services.execution import ending
from integration.services.mappings import change_mapping
from integration.services.runs import claim
from integration.services.sync import run_mapping
from integration.services.undo import undo
from integration.simulators.store import Row, Store, Table
from tests.statemachine import model
from tests.statemachine.killing import Wire
from tests.statemachine.model import (
    CONFLICT,
    FIELDS,
    GIVEN,
    LEFT_GONE,
    NUMBER,
    RIGHT_GONE,
    TOO_LONG,
    Line,
    Rules,
    Values,
)

LEFT = dict(zip(FIELDS, ("number", "displayName", "city", "phoneNumber"), strict=True))
RIGHT = dict(
    zip(FIELDS, ("accountnumber", "name", "address1_city", "telephone1"), strict=True)
)
BLANK = dict.fromkeys(
    (
        *("addressLine1", "addressLine2", "state", "country", "postalCode"),
        *("email", "website", "currencyCode", "phoneNumber", "city"),
    ),
    "",
) | {"blocked": " ", "type": "Company"}
ACTIVE = {"statecode": 0, "statuscode": 1, "customertypecode": 3}
SOON, LATE = timedelta(seconds=31), timedelta(hours=25)
BY = "command line"
ERRORS = {
    "conflict-both-changed": CONFLICT,
    "record-deleted-bc": LEFT_GONE,
    "record-deleted-sales": RIGHT_GONE,
    "bc-text-too-long": TOO_LONG,
}
WAYS = {
    CONFLICT: Direction.TO_SALES,
    RIGHT_GONE: Direction.TO_SALES,
    LEFT_GONE: Direction.TO_BUSINESS_CENTRAL,
    TOO_LONG: Direction.TO_BUSINESS_CENTRAL,
}
WINNERS = {
    model.NOBODY: ConflictRule.NONE,
    model.LEFT: ConflictRule.BUSINESS_CENTRAL,
    model.RIGHT: ConflictRule.SALES,
    model.MERGE: ConflictRule.MERGE,
}


class Clock(Protocol):
    def shift(self, delta: timedelta) -> None: ...


@dataclass
class Tracked:
    """A line with its name, the ids it ever had, and what may be true of it."""

    name: str
    worlds: set[Line]
    mail: str = ""
    left: str = ""
    right: str = ""
    lefts: set[str] = field(default_factory=set)
    rights: set[str] = field(default_factory=set)

    def all(self, holds: Callable[[Line], bool]) -> bool:
        return all(holds(line) for line in self.worlds)


class Held(NamedTuple):
    """What the database says of all lines, read once."""

    coupled: list[tuple[str, str]]
    errors: list[tuple[str, str, str]]
    pending: list[tuple[str, str, str, str]]

    @classmethod
    def read(cls) -> "Held":
        open_errors = SyncError.objects.filter(settled_at__isnull=True)
        return cls(
            list(Coupling.objects.values_list("bc_id", "sales_id")),
            list(
                open_errors.values_list("problem__article", "direction", "record_key")
            ),
            list(
                PendingRecord.objects.values_list(
                    "record_id", "side", "failure", "skip_reason"
                )
            ),
        )


@dataclass
class Machine:
    """One connection with one mapping of customers, and whoever edits its records."""

    clock: Clock
    wire: Wire
    mapping: TableMapping
    lines: list[Tracked] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    queue: list[UUID] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    meanwhile: tuple[Tracked, model.Edit] | None = None

    def __post_init__(self) -> None:
        self.bc, self.sales = self.wire.bc(), self.wire.sales()

    @property
    def store(self) -> Store:
        return self.wire.store

    @property
    def customers(self) -> Table:
        return self.store.table(f"bc:{self.bc.company_id}:customers")

    @property
    def accounts(self) -> Table:
        return self.store.table("sales:accounts")

    # What is there

    def look(self) -> None:
        """Find what the engine made, and what is gone; no record comes twice."""
        by_name = {line.name: line for line in self.lines}
        found: dict[tuple[str, str], list[str]] = {}
        for side, table, column in (
            ("left", self.customers, "displayName"),
            ("right", self.accounts, "name"),
        ):
            for row in table.rows():
                name = str(row.values[column]).partition(" ")[0]
                found.setdefault((side, name), []).append(row.id)
        assert {name for _, name in found} <= set(by_name), "a record of nobody"
        for line in self.lines:
            for side in ("left", "right"):
                ids = found.get((side, line.name), [])
                assert len(ids) <= 1, f"{line.name} is there {len(ids)} times: {side}"
                setattr(line, side, ids[0] if ids else "")
                getattr(line, f"{side}s").update(ids)

    def values(self, line: Tracked) -> tuple[Values | None, Values | None]:
        left = self._values(self.customers.get(line.left), LEFT)
        right = self._values(self.accounts.get(line.right), RIGHT)
        if right:
            known = right[NUMBER] and "another"
            if left and right[NUMBER] == left[NUMBER]:
                known = GIVEN
            right = (known, *right[1:])
        if left:
            left = (GIVEN, *left[1:])
        return left, right

    def _values(self, row: Row | None, columns: dict[str, str]) -> Values | None:
        if row is None:
            return None
        return tuple(str(row.values.get(columns[f]) or "") for f in FIELDS)

    # What people do

    def write(self, line: Tracked, side: str, **values: str) -> None:
        columns = LEFT if side == "left" else RIGHT
        table = self.customers if side == "left" else self.accounts
        named = {columns.get(name, name): value for name, value in values.items()}
        row = table.get(getattr(line, side))
        assert row
        table.update(row, named, "a person")

    @contextmanager
    def committing_late(self, seconds: float) -> Iterator[None]:
        """What is written was stamped so long ago: its transaction took as long."""
        offset = self.store.setting("clock.offset", 0)
        self.store.move_clock(offset - seconds)
        yield
        self.store.move_clock(offset)

    def note(self, line: Tracked, *, blocked: bool | None = None) -> None:
        left, right = self.values(line)
        line.worlds = model.edited(line.worlds, left, right, blocked)

    def create(self, side: str, like: Tracked | None = None, mail: str = "") -> Tracked:
        """A new record; those that are the same one have the same ``mail``."""
        line = like or Tracked(f"L{len(self.lines)}", {Line()}, mail)
        if not like:
            self.lines.append(line)
        named = {"name": f"{line.name} a"}
        if side == "left":
            named |= {"number": f"{line.name}-{len(line.lefts)}", "city": "Here"}
            key = self.customers.insert(_row(BLANK, LEFT, named, email=mail)).id
        else:
            named |= {"phone": "0"}
            key = self.accounts.insert(
                _row(ACTIVE, RIGHT, named, emailaddress1=mail)
            ).id
        setattr(line, side, key)
        getattr(line, f"{side}s").add(key)
        self.note(line)
        return line

    def delete(self, line: Tracked, side: str) -> None:
        table = self.customers if side == "left" else self.accounts
        table.delete(getattr(line, side), "a person")
        setattr(line, side, "")
        self.note(line, blocked=False if side == "left" else None)

    def change_rules(self, **changes: Any) -> None:
        if (
            changes.get("city_one_way", self.rules.city_one_way)
            != self.rules.city_one_way
        ):
            for line in self.lines:
                line.worlds = {replace(one, recast=True) for one in line.worlds}
        self.rules = replace(self.rules, **changes)
        way = Direction.TO_SALES if self.rules.city_one_way else Direction.BOTH
        unblocked = [{"field": "blocked", "op": "eq", "value": ""}]
        change_mapping(
            self.mapping,
            BY,
            "As the machine wants it.",
            fields={"city": way},
            only_coupled=self.rules.only_coupled,
            bc_filter=unblocked if self.rules.leaves_blocked else [],
            update_conflict=WINNERS[self.rules.winner],
        )

    # What the product does

    def tick(self, after: timedelta, *, lose_messages: bool = False) -> None:
        """Time passes, what is due is announced, and a worker does it."""
        self.clock.shift(after)
        self.queue += due_runs()
        if lose_messages:
            self.queue.clear()
        while self.queue:
            self._work(self.queue.pop(0), after)

    def _work(self, run_id: UUID, after: timedelta) -> None:
        fired = self.wire.fired.total()
        executed = False
        with self.wire.worker():
            run = claim(run_id, "worker")
            if run:
                executed = True
                with ending(run):
                    run_mapping(run, self.bc, self.sales)
        if not executed:
            return
        self._judge(run_id, after, is_torn=self.wire.fired.total() > fired)

    def _judge(self, run_id: UUID, after: timedelta, *, is_torn: bool) -> None:
        """After a run: both systems hold what the model allows."""
        if not is_torn:
            states = set(Job.objects.filter(run=run_id).values_list("state", "message"))
            assert states == {(JobState.SUCCEEDED, "")}, states
        self.look()
        step = model.tried_soon if after == SOON else model.tried_late
        if is_torn:
            step = model.tried_and_torn
        edited, self.meanwhile = self.meanwhile, None
        for line in self.lines:
            before = line.worlds
            after_it = step(before, self.rules)
            if edited and line is edited[0]:
                after_it = model.edited_meanwhile(before, edited[1], step, self.rules)
            here = self.values(line)
            line.worlds = {one for one in after_it if (one.left, one.right) == here}
            assert line.worlds, (
                f"{line.name} is {here}\nbefore: {before}\n"
                f"wanted: {after_it}\nrules: {self.rules}, torn: {is_torn}"
            )
        if not is_torn and after == LATE:
            self.audit()

    # What must be true in the database

    def audit(self) -> None:
        held = Held.read()
        for line in self.lines:
            facts = self.facts(line, held)
            line.worlds = {each for each in line.worlds if self.fits(each, facts, line)}
            assert line.worlds, f"{line.name}: {facts}"
        lost = self.mapping.couplings.exclude(bc_id__in=self._ids("lefts"))
        assert not lost.exists()
        self.check_counts()

    def _ids(self, side: str) -> set[str]:
        return {each for line in self.lines for each in getattr(line, side)}

    def facts(self, line: Tracked, held: Held) -> dict[str, Any]:
        keys = line.lefts | line.rights
        return {
            "worlds": line.worlds,
            "coupled": [
                pair
                for pair in held.coupled
                if pair[0] in line.lefts or pair[1] in line.rights
            ],
            "errors": [error for error in held.errors if error[-1] in keys],
            "pending": [row for row in held.pending if row[0] in keys],
        }

    def fits(self, each: Line, facts: dict[str, Any], line: Tracked) -> bool:
        if len(facts["coupled"]) != each.coupled:
            return False
        for bc_id, sales_id in facts["coupled"]:
            if line.left and bc_id != line.left:
                return False
            if line.right and sales_id != line.right:
                return False
        if each.resting:
            return True
        if not each.error:
            return not facts["errors"] and not facts["pending"]
        way = WAYS[each.error]
        key = line.left if way == Direction.TO_SALES else line.right
        told = [(ERRORS.get(a, a), w, k) for a, w, k in facts["errors"]]
        return told == [(each.error, way, key)] and [
            row[0] for row in facts["pending"]
        ] == [key]

    def check_counts(self) -> None:
        """What lists and chips show is what a live count says."""
        cuts = Operation.objects.cuts()
        live = cells.count_rows(SyncError.objects.visible(cuts))
        columns = ("day", *cells.TOTAL_KEYS, "n")
        rows = ErrorCell.objects.values_list(*columns)
        assert {tuple(row[:-1]): row[-1] for row in rows} == {
            tuple(cell): n for cell, n in live.items()
        }

    # What an administrator does to the list

    def clean_up(self, older_than: int | None, *, relevant: bool) -> bool:
        """Whether it took anything: one that would take nothing is refused."""
        request = CleanupRequest(older_than)
        shown = preview(request, BY)
        before = self._synced_state()
        visible = self._visible()
        inside = set(
            SyncError.objects.filter(last_seen__lte=shown.cutoff).values_list(
                "pk", flat=True
            )
        )
        wanted = shown.total if relevant else shown.settled
        with nullcontext() if wanted else pytest.raises(Refused):
            delete(
                shown.token,
                request,
                BY,
                include_relevant=relevant,
                typed=str(shown.relevant),
            )
        hidden = visible - self._visible()
        assert hidden <= inside
        assert shown.total == len(inside & visible)
        assert len(hidden) == wanted
        assert self._synced_state() == before
        return bool(wanted)

    def take_back(self, place: int) -> bool:
        in_force = list(
            Operation.objects.filter(state=OperationState.IN_FORCE).order_by("pk")
        )
        if not in_force:
            return False
        before = self._synced_state()
        undo(in_force[place % len(in_force)], BY)
        assert self._synced_state() == before
        self.check_counts()
        return True

    def _visible(self) -> set[int]:
        rows = SyncError.objects.visible(Operation.objects.cuts())
        return set(rows.values_list("pk", flat=True))

    def _synced_state(self) -> list[Any]:
        """All that the engine goes by."""
        rows: Iterable[Any] = (
            *Coupling.objects.order_by("pk").values_list(),
            *PendingRecord.objects.order_by("pk").values_list(),
            *TableMapping.objects.order_by("pk").values_list(),
            *SyncError.objects.order_by("pk").values_list("pk", "state", "settled_at"),
        )
        return list(rows)

    # The end

    def come_to_rest(self) -> None:
        """Nothing in the way any more: what must be is."""
        self.wire.troubles.clear()
        self.store.move_clock(0)
        self.change_rules(leaves_blocked=False)
        self.tick(LATE)
        for _ in range(2):
            written = self.wire.writes
            self.tick(LATE)
            if self.wire.writes == written:
                break
        self.audit()
        self._take_all_back()
        relevant = SyncError.objects.filter(settled_at__isnull=True)
        assert set(relevant.values_list("pk", flat=True)) <= self._visible()
        self.audit()

    def _take_all_back(self) -> None:
        """Below one that covers them all, from the oldest or from the youngest."""
        self.clean_up(None, relevant=True)
        while self.take_back(0 if len(self.lines) % 3 else -2):
            pass


def _row(
    rest: Mapping[str, Any], columns: dict[str, str], named: dict[str, str], **more: str
) -> dict[str, Any]:
    return {**rest, **{columns[name]: value for name, value in named.items()}, **more}
