"""Two workers against one, when both systems answer 50 ms late.

    uv run --group dev python -m benchmarks.workers [--records 800] [--rounds 3]

A mapping runs once at a time, so the work is that of two connections, each with systems
of its own. In each round everything changes in Business Central, and one worker carries
it over; then two. To reach: 1.7 times as quick, in the middle of the rounds. All rounds
together stay below the 6,000 requests that a system takes within five minutes.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from statistics import median
from subprocess import DEVNULL
from typing import Any

from benchmarks.scene import ROOT, ask, change_all, in_step, product, systems
from integration import clock

REACH = 1.7
LOOK_AGAIN_SECONDS = 0.02
LONG = timedelta(days=1)
WORKER = (sys.executable, "-m", "celery", "-A", "syncerrors", "worker", "-c", "1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with systems(chosen.records) as one, systems(chosen.records) as other, product():
        both = (one, other)
        mappings = [in_step(each, name) for each, name in zip(both, "AB", strict=True)]
        for each in both:
            ask(each, "faults", {"latency_ms": 50})
        _put_off()
        ratios = []
        for number in range(chosen.rounds):
            seconds = []
            for count in (1, 2):
                for each in both:
                    change_all(each, city=f"Round {number}.{count}")
                seconds.append(_carry_over(mappings, count))
            ratios.append(seconds[0] / seconds[1])
            print(f"one {seconds[0]:.2f} s, two {seconds[1]:.2f} s: {ratios[-1]:.2f}")
    print(f"two workers against one: {median(ratios):.2f} (≥ {REACH})")
    return 0 if median(ratios) >= REACH else 1


def _put_off() -> None:
    """No mapping is due by itself: each run would start those that are as it ends."""
    from integration.models import TableMapping

    TableMapping.objects.update(
        next_run_at=clock.now() + LONG, interval_seconds=2 * LONG.total_seconds()
    )


def _carry_over(mappings: Sequence[Any], count: int) -> float:
    with _workers(count):
        _run(mappings, only=[])  # so that each worker has begun
        return _run(mappings)


def _run(mappings: Sequence[Any], **options: Any) -> float:
    """Seconds until all of them have run."""
    from integration.models import Job
    from integration.services.runs import start_run
    from integration.tasks import announce_runs

    started = clock.monotonic()
    runs = [run for one in mappings if (run := start_run(one, **options))]
    assert len(runs) == len(mappings), "a mapping is running already"
    announce_runs(runs)
    jobs = Job.objects.filter(run__in=runs)
    while jobs.filter(finished_at=None).exists():
        assert not jobs.exclude(parked_until=None).exists(), "it waits for the limits"
        clock.sleep(LOOK_AGAIN_SECONDS)
    assert not jobs.exclude(state="succeeded").exists(), jobs.values("message")
    return clock.monotonic() - started


@contextmanager
def _workers(count: int) -> Iterator[None]:
    from celery import current_app

    names = [f"worker-{number}" for number in range(count)]
    processes = [
        subprocess.Popen(  # noqa: S603  (our own command)
            [*WORKER, "-n", name], cwd=ROOT, stdout=DEVNULL, stderr=DEVNULL
        )
        for name in names
    ]
    try:
        while len(current_app.control.ping(timeout=0.5) or ()) < count:
            assert not any(process.poll() for process in processes)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
