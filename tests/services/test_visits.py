"""When somebody was last here, and what has happened since."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from time_machine import Traveller, travel

from integration.choices import OperationKind, Role
from integration.models import Operation, User
from integration.services.error_list import read_page
from integration.services.operations import by_colleagues, record_operation
from integration.services.visits import (
    PAUSE,
    PRECISION,
    catch_up,
    news_filters,
    note_visit,
    read_news,
)
from tests.factories import make_error, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def time() -> Iterator[Traveller]:
    with travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def anna(time: Traveller) -> User:
    return make_user(Role.OPERATOR, username="anna")


def come(user: User, time: Traveller, moment: datetime) -> User:
    """Another request: the person as the database has them."""
    time.move_to(moment)
    found = User.objects.get(pk=user.pk)
    note_visit(found)
    return found


def test_at_the_first_visit_there_is_no_news(anna: User, time: Traveller) -> None:
    make_error(first_seen=NOON - MINUTE, last_seen=NOON)

    assert read_news(come(anna, time, NOON)) is None
    assert read_news(come(anna, time, NOON + 10 * MINUTE)) is None


def test_a_pause_ends_a_visit(anna: User, time: Traveller) -> None:
    come(anna, time, NOON)
    come(anna, time, NOON + 20 * MINUTE)

    back = come(anna, time, NOON + 20 * MINUTE + PAUSE)

    assert back.away_since == NOON + 20 * MINUTE - PRECISION


def test_a_second_tab_and_more_pages_leave_the_news(
    anna: User, time: Traveller
) -> None:
    come(anna, time, NOON)
    back = NOON + timedelta(hours=16)
    first, second = (User.objects.get(pk=anna.pk) for _tab in range(2))
    time.move_to(back)

    note_visit(first)
    note_visit(second)
    later = come(anna, time, back + 25 * MINUTE)

    expected = NOON - PRECISION
    assert first.away_since == second.away_since == later.away_since == expected


def test_presence_is_written_at_most_once_a_minute(
    anna: User, time: Traveller, django_assert_num_queries: object
) -> None:
    present = come(anna, time, NOON)
    time.move_to(NOON + timedelta(seconds=59))

    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's
        note_visit(present)

    assert come(anna, time, NOON + MINUTE).seen_at == NOON + MINUTE


def test_a_clock_that_was_set_back_does_not_end_a_visit(
    anna: User, time: Traveller
) -> None:
    come(anna, time, NOON)

    back = come(anna, time, NOON - timedelta(hours=3))

    assert (back.seen_at, back.away_since) == (NOON - timedelta(hours=3), None)


def test_the_news_are_counted_and_listed_alike(anna: User, time: Traveller) -> None:
    come(anna, time, NOON)
    old, since = NOON - timedelta(days=3), NOON + timedelta(hours=1)
    by_hand = record_operation(
        OperationKind.RESOLVE, by=make_user(username="carl"), reason="Done"
    )
    seen = {"first_seen": old, "last_seen": since}
    settled = {**seen, "state": "resolved", "settled_at": since}
    new = make_error(first_seen=since, last_seen=since)
    came_back = make_error(**seen, reopened_at=since)
    healed = make_error(**settled)
    make_error(**settled, handled_by=by_hand)
    make_error(**{**settled, "settled_reason": "replaced"})
    make_error(**{**settled, "settled_at": old, "last_seen": old})
    make_error(**seen)
    make_error(**seen, reopened_at=old)

    back = come(anna, time, NOON + timedelta(hours=16))
    news = read_news(back)

    assert news
    assert (news.new, news.healed, news.came_back) == (1, 1, 1)
    lists = [
        [row["id"] for row in read_page(filters).rows]
        for filters in news_filters(news.since)
    ]
    assert lists == [[new.pk], [healed.pk], [came_back.pk]]


def test_what_others_did_is_news_and_what_i_did_is_not(
    anna: User, time: Traveller
) -> None:
    carl = make_user(username="carl")
    record_operation(OperationKind.CHECK, by=carl, reason="Before")
    come(anna, time, NOON + 2 * MINUTE)
    time.move_to(NOON + timedelta(hours=2))
    told = record_operation(OperationKind.DELETE, by=carl, reason="Old ones")
    for by, state in (
        (anna, "done"),
        ("Sync Errors", "done"),
        (carl, "prepared"),
    ):
        record_operation(OperationKind.RETRY, by=by, reason="Why", state=state)

    back = come(anna, time, NOON + timedelta(hours=16))
    news = read_news(back)

    assert news
    assert news.changes == 1
    assert list(by_colleagues(back, news.since)) == [told]
    assert Operation.objects.count() == 5


def test_what_was_read_is_no_news_any_more(anna: User, time: Traveller) -> None:
    come(anna, time, NOON)
    back = come(anna, time, NOON + timedelta(hours=16))
    make_error(first_seen=NOON + MINUTE, last_seen=NOON + MINUTE)

    catch_up(back)
    news = read_news(back)

    assert news
    assert not news.is_any
