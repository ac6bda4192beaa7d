"""The same number of changes among ten times as many records.

    uv run --group dev python -m benchmarks.incremental
        [--changes 1000] [--few 10000] [--many 100000] [--rounds 3]

Both companies are brought in step first, which takes its time. Then so many customers
change in Business Central, and a run carries them over: to reach among many records 1.3
times the seconds it takes among few, in the best of the rounds.
"""

import argparse

from benchmarks.scene import CUSTOMERS, ask, carry_over, in_step, product, systems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    best = []
    with systems(chosen.few) as few, systems(chosen.many) as many, product():
        for described, name in ((few, "Few"), (many, "Many")):
            mapping = in_step(described, name)
            ids = list(mapping.couplings.values_list("bc_id", flat=True))
            changed = ids[:: len(ids) // chosen.changes][: chosen.changes]
            seconds = []
            for number in range(chosen.rounds):
                rows = [{"id": key, "city": f"Round {number}"} for key in changed]
                ask(described, "records", {**CUSTOMERS, "records": rows})
                seconds.append(carry_over(mapping))
            best.append(min(seconds))
    print(f"{chosen.changes:,} changes among {chosen.few:,}: {best[0]:.2f} s", end=", ")
    print(f"among {chosen.many:,}: {best[1]:.2f} s")
    print(f"incremental: {best[1] / best[0]:.2f} × (≤ 1.3)")


if __name__ == "__main__":
    main()
