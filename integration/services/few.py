"""Few: a run's records, as its spool keeps no more than a page of each side.

Most runs are like that: what changed since the last one. A file costs each record more
than everything that is decided about it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

from integration.core.records import Record, System
from integration.core.snapshots import Snapshot

_OVER = ("done", "dropped")


@dataclass(slots=True)
class Kept:
    """A record with its place in the order of adding, and what is known of it.

    ``held`` is what was read, until its snapshot is asked for. ``coupling`` is ``None``
    without a partner; nothing is decided about an ``is_extra`` one. ``state`` is ""
    before its turn, then "done" or "dropped".
    """

    place: int
    side: System
    held: Snapshot | Record
    coupling: int | None
    is_extra: bool
    state: str = ""

    @property
    def is_free(self) -> bool:
        return self.coupling is None and self.state == ""


Maker = Callable[[Sequence[Record]], Sequence[Snapshot]]


class Few:
    """What a spool holds, as long as it is this little."""

    def __init__(self) -> None:
        self._kept: dict[tuple[System, str], Kept] = {}
        self._makers: dict[System, Maker] = {}
        self._places = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        """In the order of adding."""
        return iter(self._kept.values())

    def add(
        self,
        side: System,
        records: Iterable[tuple[Snapshot | Record, int | None]],
        *,
        extra: bool,
    ) -> None:
        """One that is here already loses its place."""
        for record, coupling in records:
            key = side, record.id
            self._kept.pop(key, None)
            self._places += 1
            self._kept[key] = Kept(self._places, side, record, coupling, extra)

    def add_read(self, side: System, records: Sequence[Record], make: Maker) -> None:
        """Those without partner, as they were read."""
        self._makers[side] = make
        self.add(side, ((record, None) for record in records), extra=False)

    def snapshots(self, found: Sequence[Kept]) -> Sequence[Snapshot]:
        """Of these; made now of what is as it was read."""
        for side, make in self._makers.items():
            read = [
                one for one in found if one.side is side and type(one.held) is Record
            ]
            made = make([cast("Record", one.held) for one in read])
            for one, record in zip(read, made, strict=True):
                one.held = record
        return [cast("Snapshot", one.held) for one in found]

    def forget(self, side: System, ids: Iterable[str]) -> None:
        for record_id in ids:
            self._kept.pop((side, record_id), None)

    def versions(self, side: System, ids: Iterable[str]) -> dict[str, str]:
        found = (self._kept.get((side, record_id)) for record_id in ids)
        return {one.held.id: one.held.etag for one in found if one}

    def drop(self, side: System, ids: Iterable[str]) -> None:
        for record_id in ids:
            if one := self._kept.get((side, record_id)):
                one.state = "dropped"

    def couple(self, side: System, id: str, coupling: int) -> None:
        if one := self._kept.get((side, id)):
            one.coupling, one.state = coupling, ""

    def finish(self, couplings: Iterable[int]) -> None:
        ended = set(couplings)
        for one in self if ended else ():
            if one.coupling in ended:
                one.state = "done"

    def free(self, side: System, after: int, size: int) -> list[Kept]:
        """The first of one side after a place that have no partner."""
        return self._first(lambda one: one.is_free, side, after, size)

    def open(self, side: System, coupled: bool, after: int, size: int) -> list[Kept]:
        """The first of one side after a place that are not known to be done."""

        def is_open(one: Kept) -> bool:
            is_meant = one.coupling is not None or not coupled
            return is_meant and not one.is_extra and one.state not in _OVER

        return self._first(is_open, side, after, size)

    def couplings(self, after: int, size: int) -> Sequence[int]:
        """The first after this one that are not done."""
        undone = {
            one.coupling
            for one in self
            if one.coupling is not None and one.coupling > after and one.state != "done"
        }
        return sorted(undone)[:size]

    def between(self, first: int, last: int) -> Iterator[tuple[int, System, Snapshot]]:
        """Records of these couplings that are not done."""
        found = [
            (one.coupling, one)
            for one in self
            if one.coupling is not None and one.state != "done"
            if first <= one.coupling <= last
        ]
        records = self.snapshots([one for _, one in found])
        for (coupling, one), record in zip(found, records, strict=True):
            yield coupling, one.side, record

    def _first(
        self, chosen: Callable[[Kept], bool], side: System, after: int, size: int
    ) -> list[Kept]:
        mine = (one for one in self if one.side is side and one.place > after)
        return list(islice(filter(chosen, mine), size))
