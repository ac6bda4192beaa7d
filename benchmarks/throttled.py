"""How long 20,000 changes take when both systems limit us as the real ones do.

    uv run --group dev python -m benchmarks.throttled [--records 20000] [--rate 60]

Systems and engine share one clock, ``--rate`` times as quick as this machine's. Each
part of a batch is a request, 6,000 pass in five minutes. To reach: 1.2 times the
windows that takes, all of them changed in Sales, and no error. On a busy machine the
work itself fills the windows: a smaller rate shows the waiting alone.
"""

import argparse
import sys
from math import ceil
from typing import Any

from benchmarks.scene import ask, change_all, in_step, product, systems
from integration import clock

REQUESTS = 6_000
WINDOW_SECONDS = 300.0
REACH = 1.2
TICK_SECONDS = 10.0
CITY = "Nowhere"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=60.0)
    chosen = parser.parse_args()
    clock.run_at(chosen.rate)
    with systems(chosen.records) as described, product():
        mapping = in_step(described)
        _synchronize(mapping)  # our own first writes come back, once
        mark = len(ask(described, "requests")["requests"])
        change_all(described, city=CITY)
        ask(described, "faults", {"limits": {}})
        seconds, put_off = _synchronize(mapping)
        asked = ask(described, f"requests?since={mark}")["requests"]
        accounts = ask(described, "records")["sales"]["accounts"]
        arrived = sum(one.get("address1_city") == CITY for one in accounts)
        print(f"{arrived:,} of {chosen.records:,} records have arrived")
        is_in_time = _tell(asked, seconds, put_off)
        return 0 if is_in_time and arrived == chosen.records else 1


def _synchronize(mapping: Any) -> tuple[float, int]:
    """As dispatch and one worker do; seconds of the shared clock, and pauses."""
    from integration.models import Job
    from integration.services.dispatch import due_runs
    from integration.services.execution import execute
    from integration.services.runs import active_run, start_run

    started, put_off = clock.now(), set()
    first = start_run(mapping)
    assert first
    while Job.objects.filter(run=first, finished_at=None).exists():
        for run in due_runs():
            execute(run, "benchmark")
        job = active_run(mapping)
        put_off |= {job.parked_until} if job and job.parked_until else set()
        clock.sleep(TICK_SECONDS if job else 0)
    return (clock.now() - started).total_seconds(), len(put_off)


def _tell(asked: list[dict[str, Any]], seconds: float, put_off: int) -> bool:
    """Print it; whether it took no longer than it may, and without an error."""
    from integration.models import SyncError

    side = {"business_central": 0, "sales": 0}
    for request in asked:
        if request["target"] in side and request["status"] != 429:
            is_batch = request["path"].endswith("$batch")
            side[request["target"]] += len(request["parts"]) if is_batch else 1
    windows = ceil(max(side.values()) / REQUESTS) * WINDOW_SECONDS
    refused = sum(request["status"] == 429 for request in asked)
    errors = SyncError.objects.count()
    ratio = seconds / windows
    print(f"{errors} errors; requests: {side}")
    print(f"put off {put_off} times, {refused} requests refused")
    print(
        f"{seconds / 60:.1f} min, windows of {windows / 60:.0f} min: "
        f"{ratio:.2f} (≤ {REACH})"
    )
    return ratio <= REACH and not errors


if __name__ == "__main__":
    sys.exit(main())
