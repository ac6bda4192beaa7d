"""Moments in words, which are kept as long as they are right."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from integration import clock
from integration.markup.parts import Moments, day_of, short_day
from integration.markup.records import reason

NOW = datetime(2026, 11, 28, 21, 4, 5, tzinfo=UTC)
AGES = st.integers(-90, 90).map(lambda n: timedelta(seconds=n)) | st.timedeltas(
    timedelta(days=-3), timedelta(days=40)
)


@given(age=AGES, later=st.lists(AGES, max_size=6))
def test_what_is_kept_is_what_would_be_said_now(
    age: timedelta, later: list[timedelta]
) -> None:
    moment = NOW - age
    with pytest.MonkeyPatch.context() as patch:
        for now in (NOW, *(NOW + after for after in later)):
            patch.setattr(clock, "now", lambda now=now: now)
            moments = Moments()
            said = moments.ago(moment)
            assert said.endswith(f">{moments.relative(moment)}</time>")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "just now"), (59, "just now"), (60, "1 min ago"), (3_599, "59 min ago")),
        *((3_600, "1 h ago"), (86_399, "23 h ago"), (86_400, "1 day ago")),
        *((31 * 86_400 - 1, "30 days ago"), (31 * 86_400, "28 Oct 2026")),
    ],
)
def test_a_unit_begins_when_it_is_full(
    monkeypatch: pytest.MonkeyPatch, seconds: int, words: str
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)

    assert Moments().relative(NOW - timedelta(seconds=seconds)) == words


def test_each_language_and_zone_has_its_own_words() -> None:
    moment = clock.now() - timedelta(minutes=5)
    found = set()
    for language in ("en", "fr-ch"):
        for zone in ("Europe/Zurich", "Asia/Tokyo"):
            with translation.override(language), timezone.override(ZoneInfo(zone)):
                found.add(Moments().ago(moment))

    assert len(found) == 4


@pytest.mark.parametrize(
    ("day", "language", "words"),
    [
        (datetime(2026, 1, 1, 0, 30, tzinfo=UTC), "en", "1 Jan"),
        (datetime(2025, 12, 31, 23, 30, tzinfo=UTC), "en", "1 Jan"),
        (datetime(2025, 12, 31, 22, 30, tzinfo=UTC), "en", "31 Dec 2025"),
        (datetime(2025, 11, 14, 12, tzinfo=UTC), "fr-ch", "14.11.2025"),
    ],
)
def test_a_day_of_another_year_is_told_with_it(
    monkeypatch: pytest.MonkeyPatch, day: datetime, language: str, words: str
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    with translation.override(language), timezone.override("Europe/Zurich"):
        assert short_day(day) == words
        assert reason("deleted", day).endswith(words)
        assert day_of(day).endswith(f">{words}</time>")
