"""Deciding about 2 × 100,000 coupled records, against dictionaries and diffsync.

    uv run --group dev --group bench python -m benchmarks.comparing [--records 100000]

The records are customers with the fields of the standard mapping; every hundredth was
changed in Business Central. To reach: 2 times a plain comparison of dictionaries, 50
times as quick as diffsync, 50 MB above the data. The best of three rounds counts.

Ours decides about the records as they were read. diffsync compares only its own models,
so from the same records to the same answer it has to build them first: its total
counts, and what it takes once they are loaded is printed beside.
"""

import argparse
import multiprocessing
import resource
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from integration import clock
from integration.core.decide import decide
from integration.core.mapping import FieldMap, TableMap
from integration.core.standard import CUSTOMER as STANDARD

ROUNDS = 3
CHANGED = 100
CUSTOMER = TableMap(
    name=STANDARD.name,
    entity=STANDARD.entity,
    table=STANDARD.table,
    ways=STANDARD.ways,
    fields=tuple(
        FieldMap(field.bc, field.sales, field.ways or STANDARD.ways)
        for field in STANDARD.fields
        if field.bc
    ),
)
Side = dict[str, dict[str, Any]]


def customers(count: int) -> Side:
    return {
        f"{number:08x}-0000-4000-8000-{number:012x}": {
            mapped.bc: f"{mapped.bc} {number}" for mapped in CUSTOMER.values
        }
        for number in range(count)
    }


def changed(side: Side) -> Side:
    """These, with another name for every hundredth."""
    for key in list(side)[::CHANGED]:
        side[key]["displayName"] = "Another name"
    return side


def ours(bc: Side, sales: Side, base: Side) -> int:
    found = 0
    for key, values in bc.items():
        decision = decide(CUSTOMER, base[key], values, sales[key])
        found += not decision.in_step
    return found


def plain(bc: Side, sales: Side, base: Side) -> int:
    """Which fields differ, and which side changed them."""
    found = 0
    for key, values in bc.items():
        other, last = sales[key], base[key]
        to_sales = {n: v for n, v in values.items() if v != other[n] and v != last[n]}
        found += bool(to_sales)
    return found


class Peer(NamedTuple):
    """What diffsync took, in seconds and in megabytes above the data."""

    loading: float
    comparing: float
    megabytes: float

    @property
    def total(self) -> float:
        return self.loading + self.comparing


def with_diffsync(count: int) -> Peer:
    """Both sides loaded into its models, compared and summarized.

    Its documentation names each compared field among a model's attributes. Only so can
    it tell which of them differ, as ours and the dictionaries do.
    """
    from diffsync import Adapter, DiffSyncModel

    fields = [mapped.bc for mapped in CUSTOMER.values]
    model: Any = type(
        "Customer",
        (DiffSyncModel,),
        {
            "_modelname": "customer",
            "_identifiers": ("key",),
            "_attributes": tuple(fields),
            "__annotations__": dict.fromkeys(["key", *fields], str),
        },
    )

    class Company(Adapter):
        customer = model
        top_level = ["customer"]

    bc, sales = changed(customers(count)), customers(count)
    here, there, alone = Company(), Company(), resident()
    start = clock.monotonic()
    for adapter, side in ((here, bc), (there, sales)):
        for key, values in side.items():
            adapter.add(model(key=key, **values))
    loaded = clock.monotonic()
    difference = here.diff_to(there)
    assert difference.summary()["update"] == -(-count // CHANGED)
    ended = clock.monotonic()
    return Peer(loaded - start, ended - loaded, resident() - alone)


def diffsync_alone(count: int) -> Peer:
    """In a process of its own: the memory it grows by is then diffsync's."""
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=alone) as pool:
        return pool.submit(with_diffsync, count).result()


def resident() -> float:
    """Megabytes this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def seconds(compare: Callable[..., int], *sides: Side) -> float:
    start = clock.monotonic()
    compare(*sides)
    return clock.monotonic() - start


def memory(compare: Callable[..., int], *sides: Side) -> float:
    """Megabytes above the data, at the most."""
    tracemalloc.start()
    compare(*sides)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    count = parser.parse_args().records
    # Read apart, from two systems and our own rows: equal texts are not one object.
    sides = changed(customers(count)), customers(count), customers(count)
    assert ours(*sides) == plain(*sides) == -(-count // CHANGED)
    best = min(seconds(ours, *sides) for _ in range(ROUNDS))
    floor = min(seconds(plain, *sides) for _ in range(ROUNDS))
    mine = memory(ours, *sides)
    del sides
    peer = min((diffsync_alone(count) for _ in range(ROUNDS)), key=lambda p: p.total)
    print(f"ours {best:.2f} s, {mine:.1f} MB above the data")
    print(f"plain dictionaries {floor:.2f} s")
    print(
        f"diffsync {peer.total:.1f} s ({peer.loading:.1f} to load its models, "
        f"{peer.comparing:.1f} to compare), {peer.megabytes:.0f} MB above the data"
    )
    print(f"comparing: {best / floor:.2f} × a comparison of dictionaries (≤ 2)")
    print(f"comparing: {peer.total / best:.0f} × as quick as diffsync (≥ 50)")
    print(f"           {peer.comparing / best:.0f} × once its models are loaded")


if __name__ == "__main__":
    main()
