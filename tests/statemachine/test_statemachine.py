"""Whatever happens, in any order: both systems end as the model says (promises 1–6)."""

import base64
import logging
import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration import clock
from integration.choices import JobKind, JobState
from integration.models import Job, TableMapping
from integration.services.execution import ending
from integration.services.mappings import create_standard_mappings
from integration.services.review import accept, review_mapping
from integration.services.runs import claim, start_run
from integration.services.sync import run_mapping
from integration.simulators.seed import seed_generated
from integration.simulators.store import Store
from tests.factories import make_connection
from tests.statemachine.driver import BY, SOON, Machine
from tests.statemachine.events import EVENTS, KINDS, Event, happen
from tests.statemachine.killing import Wire

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
STEPS = 30
SEQUENCES = 52
BASE = "http://127.0.0.1:8100"
FIXED = (1, 2, 3, 4, 5)

pytestmark = pytest.mark.statemachine


@dataclass
class Ground:
    """A connection whose currencies are in step, and both systems in a file."""

    path: Path
    mapping: TableMapping

    @contextmanager
    def machine(self) -> Iterator[Machine]:
        """As it was at the start, whatever sequence came before."""
        copy = self.path.with_suffix(".copy")
        shutil.copy(self.path, copy)
        with (
            closing(Store(copy)) as store,
            time_machine.travel(START, tick=False) as travel,
            transaction.atomic(),
        ):
            self.mapping.refresh_from_db()
            machine = Machine(travel, Wire(store), self.mapping)
            yield machine
            transaction.set_rollback(True)


@pytest.fixture
def ground(db: None, tmp_path: Path) -> Ground:
    path = tmp_path / "systems.sqlite3"
    with time_machine.travel(START, tick=False):
        store = Store(path)
        seed_generated(store, 0, 1)
        connection = make_connection()
        currency, customer = create_standard_mappings(connection, 30)
        for mapping in (currency, customer):
            run_once(mapping, Wire(store), JobKind.REVIEW)
            accept(mapping, BY)
        # By number and e-mail only: what has neither is found by its intent alone.
        customer.fields.filter(match_priority=2).update(match_priority=0)
        run_once(currency, Wire(store))
        # From now on they rest, so that each run is one of customers.
        currency.paused_at = clock.now()
        currency.save(update_fields=["paused_at"])
        store.close()
    return Ground(path, customer)


def run_once(mapping: TableMapping, wire: Wire, kind: str = JobKind.SYNC) -> None:
    run_id = start_run(mapping, kind)
    assert run_id
    run = claim(run_id, "worker")
    assert run
    with ending(run):
        carry_out = review_mapping if kind == JobKind.REVIEW else run_mapping
        carry_out(run, wire.bc(), wire.sales())
    assert not Job.objects.exclude(state=JobState.SUCCEEDED).exists()


STRIKES = ("killed before", "killed after", "failed before", "failed after")
"""What has really struck, beside what was prepared."""


def as_events(drawn: bytes) -> list[Event]:
    """Four bytes are an event; all zeros, towards which they shrink, is a calm run."""
    quadruples = zip(*[iter(drawn)] * 4, strict=True)
    return [(KINDS[k % len(KINDS)], a % 6, b % 5, c % 6) for k, a, b, c in quadruples]


# In one piece: of a list, most would be made by altering the one before a little.
SEQUENCE = st.binary(min_size=4 * STEPS, max_size=4 * STEPS).map(as_events)


FOUND = {
    "a conflict that an edit of the mapping ends, when the filter leaves it out": (
        "DQQCBRkAAQEUAAMCHwUDARYDBAUZBAMDFgIABAAFAQEFAwAEHwIEBQ0EAAUUAAEBEAAEBQoE"
        "AgAKAQIAEQIABBUEBAMAAwIDCAIDAggAAQEABQMFIQQBAAACBAAdAwABCgMCAAoAAAIfAwED"
        "FAUCAwUFAwAABQAA"
    ),
    "a second edit of what one write carried over, before the other is done": (
        "BQQEABsCAgMhAAICGAIEABECAQMFAAQAHwAAAhYBBAEkBQAADQMAAhADAgMZAgEDFQMABBkF"
        "BAMOAAIDIQADAgUDAgUeAwIBJAQBBCEEAQUFAwMEEwEDBCEBAAESAgADHwQEBQAFBAMOBQIC"
        "DQMEAx0FBAMTAQAA"
    ),
    "an answer that got lost, and then the filter leaves its record out": (
        "BQQEABsCAgMhAAICGAIEABECAQMFAAQAHwAAAhYBAQIkBQACAAAAAw4ABAMVAwMDIQACBQgD"
        "AAMhAwQAAAEBAgUEAQUeAwIBEgIBBCEAAwUFAwMEEwEDBCEBAAQKAgMEEwIDBQADAAUOBQIC"
        "DQMEAx0FBAMTAQAA"
    ),
    "a creation that was found again and coupled by a run that was killed then": (
        "AAEEAQwEAgIhAgMEGwUCAhgCAQEQAwQFJAEBARYCAwMNBQQBDQEAAB4CAAEFBQECAAABBQoC"
        "AAMbBAMBGwQBAg4ABAQZAwMDCgQBAhkAAAQVAAMBFgECAQgFAQIPAgQDDgUBBRYEAwIABQIB"
        "HgIDBQ4DAwQRAgMB"
    ),
    "an edit that rests out of sight, and then other values leave its partner": (
        "FgQDAR4BAgUNBQIDFgICBBADAgARAAQDFgAEBRkDBAAhBAMAEAACBAUFAwEVAwIDBQECBAoF"
        "AQQhAAQDAAECAw8EAgMVAQAAAAUBBBIFAgQfAAABBQACBBUDAgUAAgABCAUCARYEAQIPBAMB"
        "HgAABAAFAwUhAQIB"
    ),
    "a conflict that an edit makes of one write, when the other is done": (
        "EwMCAQADAQUeBAIEDwEDAAUBAAIFAgEEDAIEBREFBAEABQMAHQIEABAAAwIVAgABEgIAAB8A"
        "AwMRAgAFFAUBAhIFAQAKBAIDCgMDBBEAAQQNAwEFAAQAAhMCAwAFBAIEDgEABQwBAwMPBQAE"
        "BQMBARUEAQIKAQMB"
    ),
    "an edit beside a write that makes the other side win by a rule": (
        "3UdSYLPZ7i9dDSIuMUJFXmFkaaWxyN75SugGEBUcJDw+e4bhBjw80RcoPUJ4mRCyxeWdtKy5"
        "OlqQqszT9QVEZHaKoMPnClT8mxBfg7i1qEKO8DNKhJMXRuuo7jVGlNWMyr1yPrmufeIgc4nF"
        "Q5AYJeb+f2/yDKk5"
    ),
    "an edit that wins by a rule and got lost, and then its record leaves the filter": (
        "1f2ouXGlwMEOq9oa+1Dz+NhD65BhzqxO3lO3woGnO8JEulb4JF4MBIlzV/KbsfBWYd/RfOar"
        "NOVk0E4ZAyBV08u7h6DCJ4rhK5fPK0LNBE7yGocLvebY5fb9GTveLUFR+VtQDMUzSaIEF47A"
        "z5im/AbO5bEQM7lX"
    ),
    "a deletion that nobody could confirm before the filter leaves its partner out": (
        "t34fXhJ4Q+rqEabuJWv3MaB8dMuH0xiQ7m/25WT7xQwnu5AchcSVpU4pJFWtWktX4+KtzerS"
        "bD+zROGwEKDZl0nuWi7q+JuGALKXjz9/0VkZah28V/HFp2g5vddWcvg5rwglEkc4dCny4qHP"
        "KiLp4vbha4WJ5dy6"
    ),
}
"""Sequences that failed once under a seed of chance."""


@pytest.mark.parametrize("drawn", FOUND.values(), ids=FOUND)
def test_what_failed_once_ends_as_the_model_says(ground: Ground, drawn: str) -> None:
    play(ground, as_events(base64.b64decode(drawn)), Counter())


def test_both_systems_end_as_the_model_says(
    ground: Ground,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same seeds every time, so that a failure is a change's; and one more."""
    caplog.set_level(logging.WARNING)  # Else a line for every call is kept.
    counts: Counter[str] = Counter()

    for number in (*FIXED, secrets.randbelow(1_000_000)):
        with capsys.disabled():
            sys.stdout.write(f"\nseed {number}: {SEQUENCES} sequences of {STEPS} steps")
        run_seed(ground, number, counts)

    with capsys.disabled():
        for kind, number in sorted(counts.items()):
            sys.stdout.write(f"\n{number:6} {kind}")
    assert counts["sequence"] >= 300
    assert [kind for kind in (*EVENTS, *STRIKES) if counts[kind] < 100] == []


def run_seed(ground: Ground, number: int, counts: Counter[str]) -> None:
    @hypothesis.seed(number)
    @settings(
        max_examples=SEQUENCES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(events=SEQUENCE)
    def check(events: list[Event]) -> None:
        play(ground, events, counts)

    check()


def play(ground: Ground, events: list[Event], counts: Counter[str]) -> None:
    with ground.machine() as machine:
        for _ in range(2):
            machine.create("left")
        machine.create("right")
        machine.tick(SOON)
        for event in events:
            happen(machine, event)
        machine.come_to_rest()
        counts.update({**machine.counts, "sequence": 1})
        counts.update(machine.wire.fired)
