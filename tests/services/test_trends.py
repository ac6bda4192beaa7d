"""A cause tells how many records failed for it on each of the last days."""

from datetime import UTC, datetime, timedelta

import pytest

from integration import clock
from integration.markup.charts import columns
from integration.models import Problem, ProblemDay
from integration.services import moment
from integration.services.cleanup import delete_selected
from integration.services.trends import DAYS, read_trends
from tests.factories import make_user
from tests.services.engine import Engine

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Time:
    """The clock of this machine and of the database, set by hand."""

    now = NOON


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(clock, "now", lambda: time.now)
    monkeypatch.setattr(moment, "read_clock", lambda: time.now)
    return time


def trend(article: str) -> tuple[int, ...]:
    problem = Problem.objects.get(article=article)
    return read_trends([problem.pk])[problem.pk]


def fail_again(engine: Engine) -> None:
    engine.make_due()
    engine.sync("CUSTOMER")


@pytest.fixture
def failing(engine: Engine) -> Engine:
    """Two customers whose text has no room in Sales."""
    for number in ("100001", "100002"):
        engine.change(engine.customer(number), website="x" * 210)
    engine.sync("CUSTOMER")
    return engine


def test_records_count_on_the_day_they_failed(failing: Engine) -> None:
    article = failing.articles()[0]

    assert trend(article) == (0, 0, 0, 0, 0, 0, 2)


def test_a_record_that_fails_several_times_a_day_counts_once(failing: Engine) -> None:
    article = failing.articles()[0]
    fail_again(failing)

    assert {error.occurrences for error in failing.errors()} == {2}
    assert trend(article) == (0, 0, 0, 0, 0, 0, 2)


def test_it_counts_again_on_another_day_and_leaves_after_a_week(
    failing: Engine, time: Time
) -> None:
    article = failing.articles()[0]
    time.now = NOON + timedelta(days=1)
    fail_again(failing)
    assert trend(article) == (0, 0, 0, 0, 0, 2, 2)

    time.now = NOON + timedelta(days=DAYS)
    assert trend(article) == (2, 0, 0, 0, 0, 0, 0)
    time.now = NOON + timedelta(days=DAYS + 1)
    assert trend(article) == (0,) * DAYS


def test_a_clean_up_changes_nothing_that_happened(failing: Engine) -> None:
    article = failing.articles()[0]
    delete_selected([error.pk for error in failing.errors()], make_user())

    assert trend(article)[-1] == 2
    fail_again(failing)
    assert trend(article)[-1] == 2
    assert ProblemDay.objects.count() == 1


def test_the_highest_day_fills_the_drawing_and_a_single_failure_is_seen() -> None:
    drawn = columns((0, 1, 1_000, 500, 0, 0, 0))

    assert [bar.height for bar in drawn.bars] == [1, 2, 20, 10, 1, 1, 1]
    assert [bar.x for bar in drawn.bars] == [0, 14, 28, 42, 56, 70, 84]
    assert all(bar.y + bar.height == 20 for bar in drawn.bars)
