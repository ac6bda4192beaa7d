"""What pages say about what was looked at, and how they renew themselves."""

import re
from datetime import timedelta
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integration import clock
from integration.choices import OperationKind
from integration.core.outcomes import Outcome, OutcomeKind, Presence, RecordRef
from integration.core.records import Direction
from integration.models import (
    Look,
    OperationItem,
    SyncError,
    TableMapping,
)
from integration.services.cells import rebuild
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.error_filters import ErrorFilter
from integration.services.errors import record_outcomes
from integration.services.operations import record_operation
from integration.services.undo import undo
from tests.factories import SOME_TIME, make_error, make_job, make_mapping, make_problem
from tests.sessions import while_written

pytestmark = pytest.mark.django_db
CHANGE = {
    "side": "business_central",
    "fields": ["city"],
    "at": "2026-11-26T09:42:00+00:00",
}
HERE = {"bc_presence": "exists", "sales_presence": "exists"}


@pytest.fixture
def error() -> SyncError:
    mapping = make_mapping()
    problem = make_problem(mapping.connection)
    found = make_error(problem=problem, bc_id="b1", sales_id="s1", **HERE)
    rebuild()
    return found


def look_at(error: SyncError, **values: Any) -> Look:
    ago = clock.now() - timedelta(minutes=2, seconds=5)
    known = {"looked_at": ago, "found": "same", **values}
    return Look.objects.create(error=error, **known)


def settle(error: SyncError) -> None:
    SyncError.objects.filter(pk=error.pk).update(
        state="resolved", settled_at=clock.now(), settled_reason="resolved"
    )
    rebuild()


def try_again(error: SyncError) -> None:
    """A retry holds it."""
    retry = record_operation(OperationKind.RETRY, by="anna", reason="mended")
    OperationItem.objects.create(operation=retry, error=error, outcome="pending")


def html(client: Client, path: str, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def text(page: str) -> str:
    return " ".join(page.replace("</time>", "").split())


def test_opening_a_record_has_its_error_watched_for_half_an_hour(
    operator: Client, error: SyncError
) -> None:
    response = operator.post(f"/errors/{error.pk}/watch/")

    assert response.status_code == 200
    look = Look.objects.get(error=error)
    assert look.watched_until is not None
    assert look.watched_until > clock.now() + timedelta(minutes=29)
    assert look.next_at is not None
    assert look.next_at <= clock.now()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_is_removed_just_when_a_record_is_opened_is_not_watched(
    error: SyncError, operator: Client
) -> None:
    """The others of its cause are."""
    cause = error.problem_id
    stays, goes = (make_error(problem=error.problem, record_key=key) for key in "ab")
    removal = "DELETE FROM integration_syncerror WHERE id = %s"

    for gone, page in (
        (error, f"/errors/{error.pk}/watch/"),
        (goes, f"/problems/{cause}/watch/"),
    ):
        answer = while_written(removal, [gone.pk], partial(operator.post, page))
        assert answer.status_code == 200

    assert Look.objects.get().error == stays


def test_opening_the_page_of_an_error_does_so_without_a_script(
    operator: Client, error: SyncError
) -> None:
    operator.head(f"/errors/{error.pk}/")
    assert not Look.objects.exists()

    operator.get(f"/errors/{error.pk}/")
    assert Look.objects.get().watched_until is not None


def test_nothing_a_viewer_opens_is_tried_again(
    viewer: Client, error: SyncError
) -> None:
    viewer.get(f"/errors/{error.pk}/")
    viewer.post(f"/errors/{error.pk}/watch/")
    viewer.post(f"/problems/{error.problem_id}/watch/")

    assert not Look.objects.exists()


def test_asking_for_news_does_not_go_on_watching(
    viewer: Client, error: SyncError
) -> None:
    html(viewer, f"/errors/{error.pk}/live/")
    html(viewer, f"/errors/live/?entry={error.pk}")

    assert not Look.objects.exists()


def test_watching_needs_its_token(error: SyncError, viewer: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = viewer.cookies

    assert strict.post(f"/errors/{error.pk}/watch/").status_code == 403


def test_the_cure_of_a_cause_has_its_errors_watched(
    operator: Client, error: SyncError
) -> None:
    operator.post(f"/problems/{error.problem_id}/watch/")

    assert Look.objects.get().error == error


def test_what_is_settled_is_not_watched(operator: Client, error: SyncError) -> None:
    settle(error)

    operator.get(f"/errors/{error.pk}/")

    assert not Look.objects.exists()


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "looked at"), ("fr", "vérifié")],
)
def test_a_row_says_whether_it_is_still_so(
    viewer: Client, error: SyncError, language: str, words: str
) -> None:
    look_at(error)
    headers = {"accept-language": language}

    page = text(html(viewer, "/errors/", **headers))

    assert words in page
    still = {"en": "2 min ago: still so", "fr": "il y a 2 min\xa0: toujours le cas"}
    assert " ".join(still[language].split()) in page


def test_a_look_older_than_the_latest_failure_says_nothing(
    viewer: Client, error: SyncError
) -> None:
    look_at(error)
    SyncError.objects.update(last_seen=clock.now())

    for path in ("/errors/", f"/errors/{error.pk}/", f"/problems/{error.problem_id}/"):
        assert "still so" not in html(viewer, path)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_look_that_did_not_reach_it_says_nothing(
    viewer: Client, error: SyncError, language: str
) -> None:
    look_at(error, found="", watched_until=clock.now() + timedelta(minutes=9))

    page = html(viewer, "/errors/", **{"accept-language": language})

    assert '<span class="cut look"></span>' in page


def test_a_link_that_leads_nowhere_says_so_before_the_click(
    viewer: Client, error: SyncError
) -> None:
    look_at(error, found="gone", sales_presence="deleted", bc_presence="exists")

    for path in ("/errors/", f"/errors/{error.pk}/"):
        page = html(viewer, path).partition("What to do</h2>")[0]
        assert "pagetype=entityrecord" not in page
        assert "deleted" in page
        assert "page=21" in page


def test_a_healed_row_is_struck_through_where_it_stands(
    viewer: Client, error: SyncError
) -> None:
    look_at(error, change=CHANGE, watched_until=clock.now() + timedelta(minutes=9))
    assert 'data-live="5"' in html(viewer, "/errors/")
    settle(error)

    page = text(html(viewer, f"/errors/live/?entry={error.pk}"))

    assert f'<span class="sub" id="look-{error.pk}" hx-swap-oob' in page
    assert '<span class="cut look healed">' in page
    assert "fixed by the change of City at" in page
    assert 'id="chips"' in page
    assert 'id="open"' in page
    assert "<tr" not in page


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "fixed by the arrival of THB at"), ("fr", "corrigée par l'arrivée de THB")],
)
def test_what_waited_says_that_what_it_waited_for_arrived(
    viewer: Client, error: SyncError, language: str, words: str
) -> None:
    look_at(error, change={**CHANGE, "fields": [], "of": "THB"})
    settle(error)

    page = html(viewer, f"/errors/{error.pk}/", **{"accept-language": language})

    assert words in unescape(page)


@pytest.fixture
def waiting() -> SyncError:
    """A customer that waits for its currency, and is not created in Sales yet."""
    mapping = make_mapping()
    problem = make_problem(mapping.connection)
    columns = {"bc_id": "b1", "bc_presence": "exists", "sales_presence": "not_created"}
    found = make_error(problem=problem, record_key="b1", waits_for="GBP", **columns)
    rebuild()
    return found


def heal(error: SyncError) -> None:
    """The record is created in Sales, which settles its error."""
    mapping = TableMapping.objects.get(connection=error.connection_id)
    there = RecordRef("b1", "10001", "Hôtel du Léman", Presence.EXISTS)
    made = RecordRef("s1", "", "Hôtel du Léman", Presence.EXISTS)
    created = Outcome(OutcomeKind.INSERTED, Direction.TO_SALES, "b1", there, made)
    with transaction.atomic():
        record_outcomes(make_job(mapping), [created])


def test_a_healed_row_says_only_that_and_has_the_links_that_hold_now(
    viewer: Client, waiting: SyncError
) -> None:
    page = html(viewer, "/errors/?state=relevant")
    assert "waiting for GBP" in page
    assert "not created yet" in page
    heal(waiting)

    live = html(viewer, live_of(page))

    assert "waiting for" not in live
    assert "not created yet" not in live
    assert f'id="to-{waiting.pk}" hx-swap-oob="true"' in live
    assert "Hôtel du Léman</a>" in live
    assert "id=s1" in live


@pytest.mark.parametrize("path", ["/errors/?state=resolved", "/errors/{}/"])
def test_what_is_in_order_has_the_links_that_hold_now(
    viewer: Client, waiting: SyncError, path: str
) -> None:
    heal(waiting)

    page = html(viewer, path.format(waiting.pk))

    assert "not created yet" not in page
    assert "Hôtel du Léman<" in page


def test_a_state_in_a_row_is_renewed_with_its_look(
    operator: Client, error: SyncError
) -> None:
    page = html(operator, "/errors/")
    try_again(error)
    tried = html(operator, live_of(page))
    OperationItem.objects.update(outcome="failed")

    assert "retrying" in tried
    assert "retrying" not in html(operator, live_of(page))


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("2 min ago", "8 times")), ("fr", ("il y a 2 min", "8 fois"))],
)
def test_a_row_that_fails_again_tells_when_and_how_often(
    viewer: Client, error: SyncError, language: str, words: tuple[str, str]
) -> None:
    page = html(viewer, "/errors/")
    ago = clock.now() - timedelta(minutes=2, seconds=5)
    SyncError.objects.update(last_seen=ago, occurrences=8)

    live = text(html(viewer, live_of(page), **{"accept-language": language}))

    assert f'id="seen-{error.pk}" hx-swap-oob="true"><time' in live
    assert f'id="times-{error.pk}" hx-swap-oob="true">{words[1]}</span>' in live
    assert words[0] in live


def test_a_list_of_what_is_resolved_is_never_struck_through(
    viewer: Client, error: SyncError
) -> None:
    settle(error)

    live = html(viewer, live_of(html(viewer, "/errors/?state=resolved")))

    assert 'class="cut look fixed"' in live
    assert "healed" not in live


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("en", ("2 entries", "1–2 of 2"), ("1 entry", "1–1 of 1")),
        ("fr", ("2 entrées", "1–2 sur 2"), ("1 entrée", "1–1 sur 1")),
    ],
)
def test_the_summary_of_a_list_is_renewed_with_the_rest(
    viewer: Client,
    error: SyncError,
    language: str,
    before: tuple[str, str],
    after: tuple[str, str],
) -> None:
    make_error(problem=error.problem)
    rebuild()
    headers = {"accept-language": language}
    address = f"/errors/?problem={error.problem_id}&state=relevant"
    page = html(viewer, address, **headers)
    assert all(words in page for words in before)
    settle(error)

    live = html(viewer, live_of(page), **headers)

    assert all(f"{words}</span>" in live for words in after)
    assert all(words in html(viewer, live_of(live), **headers) for words in after)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "deleted from the list"), ("fr", "supprimée de la liste")],
)
def test_a_row_that_somebody_deletes_says_so_and_is_not_counted(
    viewer: Client, error: SyncError, language: str, words: str
) -> None:
    make_error(problem=error.problem)
    rebuild()
    headers = {"accept-language": language}
    page = html(viewer, "/errors/", **headers)
    deletion = delete_selected([error.pk], "anna", "a test entry")

    live = html(viewer, live_of(page), **headers)

    said = f'<a class="in-text" href="/operations/{deletion.pk}/">{words}</a>'
    assert f'<span class="cut look deleted">{said}</span>' in live
    assert f'id="seen-{error.pk}"' not in live
    assert ">1–1 " in live

    undo(deletion, "anna", "")
    back = html(viewer, live_of(live), **headers)
    assert words not in back
    assert ">1–2 " in back


def test_a_row_that_a_clean_up_hides_says_so(viewer: Client, error: SyncError) -> None:
    page = html(viewer, "/errors/")
    wanted = CleanupRequest(None, ErrorFilter())
    token = preview(wanted, "anna").token
    deletion = delete(token, wanted, "anna", include_relevant=True, typed="1")

    live = html(viewer, live_of(page))

    assert f'href="/operations/{deletion.pk}/">deleted from the list</a>' in live
    assert ">0 of 0<" in live


def test_the_page_of_an_error_that_somebody_deletes_says_so_and_comes_back(
    operator: Client, error: SyncError
) -> None:
    ask = f"/errors/{error.pk}/live/"
    assert f'hx-get="{ask}"' in html(operator, f"/errors/{error.pk}/")
    deletion = delete_selected([error.pk], "anna", "a test entry")

    live = html(operator, ask)

    said = f'<a class="in-text" href="/operations/{deletion.pk}/">'
    assert f"{said}This entry was deleted from the list.</a>" in live
    assert '<div class="actions" id="actions" hx-swap-oob="true"></div>' in live
    assert f'hx-get="{ask}?deleted=1"' in live
    assert f'hx-get="{ask}?deleted=1"' in html(operator, f"{ask}?deleted=1")

    undo(deletion, "anna", "")
    back = html(operator, f"{ask}?deleted=1")
    assert f'<div hx-get="/errors/{error.pk}/" hx-trigger="load"' in back


def test_a_retry_of_a_row_that_somebody_deleted_is_refused_in_words(
    operator: Client, error: SyncError
) -> None:
    delete_selected([error.pk], "anna", "a test entry")

    answer = operator.post(f"/errors/{error.pk}/retry/", headers={"HX-Request": "true"})

    assert answer.status_code == 404
    assert "it may have been deleted" in html(operator, "/errors/")


def test_the_page_of_an_error_says_resolved_by_itself(
    operator: Client, error: SyncError
) -> None:
    page = html(operator, f"/errors/{error.pk}/")
    assert f'hx-get="/errors/{error.pk}/live/"' in page
    Look.objects.update(change=CHANGE)
    settle(error)

    live = text(html(operator, f"/errors/{error.pk}/live/"))

    assert "resolved" in live
    assert "fixed by the change of City at" in live
    assert "Settled: resolved" in live
    assert "retry/" not in live


def test_the_page_of_an_error_that_comes_back_is_read_anew(
    operator: Client, error: SyncError
) -> None:
    page = f"/errors/{error.pk}/?mapping=CUSTOMER"
    settle(error)
    ask = f"/errors/{error.pk}/live/?settled=1"
    assert f'hx-get="{ask}"' in html(operator, page)
    assert f'hx-get="{page}"' not in html(operator, ask)

    SyncError.objects.update(state="open", settled_at=None, settled_reason="")
    rebuild()
    live = html(operator, ask, **{"HX-Current-URL": f"http://testserver{page}"})

    # It has no button for an open entry: neither Retry nor an answer.
    assert f'<div hx-get="{page}" hx-trigger="load" hx-target="#main"' in live
    assert 'hx-trigger="load"' not in html(operator, f"/errors/{error.pk}/live/")
    foreign = {"HX-Current-URL": "http://testserver/logout/?x"}
    assert f'<div hx-get="/errors/{error.pk}/"' in html(operator, ask, **foreign)
    broken = {"HX-Current-URL": "http://["}
    assert f'<div hx-get="/errors/{error.pk}/"' in html(operator, ask, **broken)


def test_the_page_of_an_error_goes_on_telling_how_many_its_cause_has(
    operator: Client, error: SyncError
) -> None:
    problem = error.problem
    other = make_error(problem=problem, bc_id="b2", sales_id="s2", **HERE)
    rebuild()
    assert "Affects 2 records" in html(operator, f"/errors/{error.pk}/")

    settle(other)
    SyncError.objects.filter(pk=error.pk).update(occurrences=4)
    live = text(html(operator, f"/errors/{error.pk}/live/"))

    assert 'id="affects" hx-swap-oob="true"' in live
    assert "Affects 1 record<" in live
    assert "4 times" in live


def test_an_error_that_was_settled_meanwhile_offers_no_answer(
    operator: Client, error: SyncError
) -> None:
    page = html(operator, f"/errors/{error.pk}/")
    settle(error)

    live = html(operator, f"/errors/{error.pk}/live/")

    # Without a place for it on the page, the browser would complain.
    assert '<div id="answers">' in page
    assert '<div id="answers" hx-swap-oob="true"></div>' in live


@pytest.mark.parametrize(
    ("language", "words", "list_words"),
    [
        ("en", "fails now for: Name is longer", "replaced at"),
        ("fr", "échoue maintenant\xa0: Name is longer", "remplacée\xa0:"),
    ],
)
def test_what_fails_for_another_cause_now_leads_to_it_and_is_not_fixed(
    viewer: Client, error: SyncError, language: str, words: str, list_words: str
) -> None:
    headers = {"accept-language": language}
    look_at(error, change=CHANGE)
    settle(error)
    SyncError.objects.filter(pk=error.pk).update(settled_reason="replaced")
    problem = make_problem(error.connection)
    now = make_error(problem=problem, record_key=error.record_key)

    page = html(viewer, f"/errors/{error.pk}/", **headers)
    live = html(viewer, f"/errors/live/?entry={error.pk}", **headers)

    assert f'href="/errors/{now.pk}/">{words}' in page
    assert list_words in live
    for one in (page, live):
        assert "healed" not in one
        assert "City" not in one
    now.delete()
    assert list_words in html(viewer, f"/errors/{error.pk}/", **headers)


def test_what_renews_an_error_being_tried_renews_the_number_in_the_navigation(
    operator: Client, error: SyncError
) -> None:
    try_again(error)

    page = html(operator, f"/errors/{error.pk}/")

    renewals = re.findall(r'<div [^>]*hx-select="#main"[^>]*>', page)
    assert renewals
    assert all('hx-select-oob="#open"' in one for one in renewals)


def test_the_page_of_a_cause_says_resolved_with_its_last_error(
    viewer: Client, error: SyncError
) -> None:
    look_at(error, change=CHANGE)
    settle(error)

    page = text(html(viewer, f"/problems/{error.problem_id}/"))

    assert "resolved" in page
    assert "fixed by the change of City at" in page


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "fixed by the change of City"),
        ("fr", "corrigée par la modification de Ville"),
    ],
)
def test_a_cause_that_heals_while_the_overview_is_open_says_what_mended_it(
    viewer: Client, error: SyncError, language: str, words: str
) -> None:
    headers = {"accept-language": language}
    page = html(viewer, "/", **headers)
    look_at(error, change=CHANGE)
    settle(error)

    for _ in range(2):
        page = text(html(viewer, live_of(page), **headers))
        over = page.partition('<li class="over">')[2].partition("</li>")[0]
        assert f'href="/problems/{error.problem_id}/"' in over
        assert words in over
    assert 'class="over"' not in html(viewer, "/", **headers)


def test_causes_that_make_no_sense_are_left_out(viewer: Client) -> None:
    assert 'class="over"' not in html(viewer, "/?cause=x&cause=9&cause=-1")


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Show 1 resolved entry"), ("fr", "Voir 1 entrée résolue")],
)
def test_the_page_of_a_cause_that_is_over_leads_to_what_it_had(
    viewer: Client, error: SyncError, language: str, words: str
) -> None:
    headers = {"accept-language": language}
    page = f"/problems/{error.problem_id}/"
    assert words not in html(viewer, page, **headers)
    settle(error)

    said = html(viewer, page, **headers)

    link = re.search(rf'href="([^"]*)">{words}</a>', said)
    assert link
    assert f"/errors/{error.pk}/" in html(viewer, unescape(link[1]))
    assert "state=relevant" not in said, "it has no other entries"


@pytest.mark.parametrize(
    ("language", "nothing", "later"),
    [
        ("en", "Nothing is to be done: no entry", "If it comes back"),
        ("fr", "Il n'y a rien à faire : aucune entrée", "Si elle réapparaît"),
    ],
)
def test_the_page_of_a_cause_that_is_over_says_that_nothing_is_to_be_done(
    viewer: Client, error: SyncError, language: str, nothing: str, later: str
) -> None:
    headers = {"accept-language": language}
    page = f"/problems/{error.problem_id}/"
    before = unescape(html(viewer, page, **headers))
    settle(error)

    said = unescape(html(viewer, page, **headers)).replace("\xa0", " ")

    assert nothing not in before.replace("\xa0", " ")
    assert '<ol class="steps">' in before.partition('id="became"')[2]
    assert nothing in said
    folded = said.partition('<details class="fold">')[2].partition("</details>")[0]
    assert later in folded
    assert said.count('<ol class="steps">') == folded.count('<ol class="steps">') == 1


def test_an_open_page_of_a_cause_turns_when_it_is_over_and_not_at_every_look(
    viewer: Client, error: SyncError
) -> None:
    turns = '<div class="a-todo" id="became" hx-swap-oob="true">'
    asked = {"hx-request": "true", "hx-target": "live"}
    live = live_of(html(viewer, f"/problems/{error.problem_id}/"))
    assert turns not in html(viewer, live, **asked)
    settle(error)

    over = html(viewer, live, **asked)

    assert turns in over
    assert turns not in html(viewer, live_of(over), **asked)


def live_of(page: str) -> str:
    """The address that an open list asks for news."""
    found = re.search(r'data-live="\d+" hx-get="([^"]+)"', page)
    assert found
    return unescape(found[1])


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "2 new entries – show"), ("fr", "2 nouvelles entrées – afficher")],
)
def test_an_open_list_says_how_many_entries_are_new_and_moves_no_row(
    viewer: Client, error: SyncError, language: str, words: str
) -> None:
    headers = {"accept-language": language}
    page = html(viewer, "/errors/?mapping=CUSTOMER&sort=record", **headers)
    assert 'id="news" role="status"' in page
    assert "news" not in html(viewer, live_of(page), **headers)
    now = {"problem": error.problem, "last_seen": clock.now()}
    make_error(**now)
    make_error(**now, first_seen=SOME_TIME, reopened_at=clock.now())
    make_error(**now, mapping_key="VENDOR")
    SyncError.objects.filter(pk=error.pk).update(last_seen=clock.now())

    live = html(viewer, live_of(page), **headers)

    assert words in live
    assert f'href="/errors/?mapping=CUSTOMER">{words}' in live
    assert "<tr" not in live
    assert words not in html(viewer, live_of(live), **headers)


def test_an_empty_list_hears_of_the_first_entry(viewer: Client) -> None:
    page = html(viewer, "/errors/")
    make_error(last_seen=clock.now())

    assert "1 new entry – show" in html(viewer, live_of(page))


@pytest.mark.parametrize("since", ["", "x", "0000-99", "9" * 30])
def test_a_moment_that_makes_no_sense_has_no_news(
    viewer: Client, error: SyncError, since: str
) -> None:
    assert "news" not in html(viewer, f"/errors/live/?since={since}&told=x")


@pytest.mark.parametrize("path", ["/", "/problems/"])
def test_pages_about_everything_ask_often_while_something_is_mended(
    viewer: Client, error: SyncError, path: str
) -> None:
    assert 'data-live="30"' in html(viewer, path)
    look_at(error, watched_until=clock.now() + timedelta(minutes=9))

    assert 'data-live="5"' in html(viewer, path)


@pytest.mark.parametrize("entry", ["x", "", "9" * 30, "-1", "0"])
def test_an_entry_that_makes_no_sense_is_left_out(
    viewer: Client, error: SyncError, entry: str
) -> None:
    page = html(viewer, f"/errors/live/?entry={entry}")

    assert "look-" not in page


def test_looks_cost_the_list_no_query_more(viewer: Client, error: SyncError) -> None:
    look_at(error)
    fragment = {"HX-Request": "true", "HX-Target": "list"}
    for n in range(30):
        look_at(make_error(problem=error.problem, search_text=f"Hôtel {n}"))
    rebuild()

    live = live_of(html(viewer, "/errors/"))
    with CaptureQueriesContext(database) as captured:
        html(viewer, "/errors/?q=Hôtel", **fragment)
    with CaptureQueriesContext(database) as news:
        html(viewer, f"{live}&q=Hôtel")

    assert len(captured) <= 8
    assert len(news) <= 8
