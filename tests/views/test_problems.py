"""By cause: which causes are shown, and that each number leads to exactly its rows."""

import re
from html import unescape

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from integration.models import Problem
from integration.services import cells
from integration.views import problems
from tests.factories import make_connection, make_error, make_mapping, make_problem

CAUSES = "/problems/"
TITLE = re.compile(r'class="title" href="/problems/\d+/[^"]*">([^<]+)<')
ADDRESS = re.compile(r'class="title" href="(/problems/\d+/[^"]*)"')
COUNT = re.compile(r'class="big" href="([^"]+)">(\d+)<')
NEXT = re.compile(r'rel="next" href="([^"]+)"')
PREVIOUS = re.compile(r'rel="prev" href="([^"]+)"')
CHIP = re.compile(r'class="chip" href="[^"]*"[^>]*>(\w+)(?: <b>(\d+)</b>)?<')


@pytest.fixture
def causes(db: None) -> dict[str, Problem]:
    """Two companies, three causes in all states."""
    geneva = make_connection(name="Genève SA")
    basle = make_connection(name="Basel AG")
    for connection, name in ((geneva, "CUSTOMER"), (geneva, "ITEM"), (basle, "ITEM")):
        make_mapping(name, connection=connection)
    found = {
        "long": make_problem(geneva, title="Numéro trop long", who="user"),
        "locked": make_problem(basle, title="The item is locked", who="administrator"),
        "over": make_problem(geneva, title="The card was blank", who="user"),
    }
    for mapping, state in (
        *(("CUSTOMER", "open") for _n in range(3)),
        *(("ITEM", "open"), ("ITEM", "ignored"), ("CUSTOMER", "resolved")),
    ):
        make_error(problem=found["long"], mapping_key=mapping, state=state)
    make_error(problem=found["locked"], mapping_key="ITEM")
    for _n in range(2):
        make_error(problem=found["over"], state="resolved")
    with transaction.atomic():
        cells.rebuild()
    return found


def shown(client: Client, query: str = "") -> str:
    response = client.get(f"{CAUSES}{query}")
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["Numéro trop long", "The item is locked"]),
        ("?state=open", ["Numéro trop long", "The item is locked"]),
        ("?state=ignored", ["Numéro trop long"]),
        ("?state=waiting", []),
        ("?state=resolved", ["The card was blank", "Numéro trop long"]),
        ("?mapping=CUSTOMER", ["Numéro trop long"]),
        ("?who=administrator", ["The item is locked"]),
        ("?q=trop+NUMERO", ["Numéro trop long"]),
        ("?q=long+locked", []),
        ("?state=all&q=the", ["The card was blank", "The item is locked"]),
    ],
)
def test_the_causes_of_a_filter(
    viewer: Client, causes: dict[str, Problem], query: str, titles: list[str]
) -> None:
    assert sorted(TITLE.findall(shown(viewer, query))) == sorted(titles)


@pytest.mark.parametrize(
    "query",
    [
        *("", "?state=open", "?state=ignored", "?state=resolved", "?state=all"),
        *("?mapping=ITEM", "?mapping=ITEM&state=open", "?who=user&mapping=CUSTOMER"),
        *("?direction=to_sales", "?category=unknown", "?q=long&mapping=CUSTOMER"),
    ],
)
def test_each_number_leads_to_exactly_its_rows(
    viewer: Client, causes: dict[str, Problem], query: str
) -> None:
    numbers = COUNT.findall(shown(viewer, query))

    assert numbers
    for address, n in numbers:
        rows = viewer.get(unescape(address)).content.decode()
        assert rows.count('name="entry"') == int(n), address


def test_the_states_count_what_the_list_counts(
    viewer: Client, causes: dict[str, Problem]
) -> None:
    of_all = dict(CHIP.findall(shown(viewer)))
    of_some = dict(CHIP.findall(shown(viewer, "?who=user&mapping=ITEM&state=open")))

    assert of_all == {"Open": "5", "Waiting": "0", "Ignored": "1", "Resolved": "3"}
    assert of_some == {"Open": "1", "Waiting": "0", "Ignored": "1", "Resolved": "0"}


def test_a_retry_takes_the_rows_that_the_filter_shows(
    operator: Client, causes: dict[str, Problem]
) -> None:
    page = shown(operator, "?mapping=CUSTOMER&state=open")

    retry = reverse("errors_retry")
    query = f"mapping=CUSTOMER&amp;problem={causes['long'].pk}&amp;state=open"
    assert f'action="{retry}?{query}"' in page
    assert "Retry 3<" in page
    assert retry not in shown(operator, "?state=resolved")


def test_a_clean_up_takes_the_filter_along(
    administrator: Client, causes: dict[str, Problem]
) -> None:
    page = shown(administrator, "?mapping=CUSTOMER&q=long&state=open")

    assert f"{reverse('cleanup')}?mapping=CUSTOMER&amp;older_than=7" in page


def test_no_match_shows_the_ways_on(viewer: Client, causes: dict[str, Problem]) -> None:
    page = shown(viewer, "?q=10130")

    assert "No cause matches." in page
    assert 'href="/errors/?q=10130&amp;state=all"' in page
    assert f'href="{CAUSES}">Clear filters' in page


def test_what_makes_no_sense_here_is_left_out_and_named(
    viewer: Client, causes: dict[str, Problem]
) -> None:
    page = shown(viewer, "?state=gone&record=1&who=user")

    assert "left out: record, state." in page
    assert TITLE.findall(page) == ["Numéro trop long"]


def test_many_causes_are_turned_page_by_page(
    viewer: Client, causes: dict[str, Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "CAUSES_SHOWN", 2)
    for n in range(3):
        one = make_problem(causes["long"].connection, title=f"Rare {n}", who="user")
        make_error(problem=one, mapping_key="CUSTOMER")
    with transaction.atomic():
        cells.rebuild()

    pages, query = [], "?mapping=CUSTOMER"
    while query:
        page = shown(viewer, query)
        pages.append(page)
        found = NEXT.search(page)
        query = unescape(found[1]) if found else ""

    titles = [[unescape(title) for title in TITLE.findall(page)] for page in pages]
    assert titles == [["Numéro trop long", "Rare 0"], ["Rare 1", "Rare 2"]]
    assert all("4 causes" in page and "mapping=CUSTOMER" in page for page in pages)
    back = PREVIOUS.search(pages[1])
    assert back
    assert TITLE.findall(shown(viewer, unescape(back[1]))) == TITLE.findall(pages[0])
    assert not PREVIOUS.search(pages[0])


@pytest.mark.parametrize("after", ["999999", "x", "-1", "1" * 40])
def test_after_a_cause_that_is_gone_the_list_begins_anew(
    viewer: Client, causes: dict[str, Problem], after: str
) -> None:
    page = shown(viewer, f"?after={after}")

    assert TITLE.findall(page) == TITLE.findall(shown(viewer))


@pytest.mark.parametrize(
    "query", ["", "?mapping=CUSTOMER", "?state=resolved&who=user", "?q=trop+long"]
)
def test_the_page_of_a_cause_leads_back_to_the_list_it_was_found_in(
    viewer: Client, causes: dict[str, Problem], query: str
) -> None:
    (first, *_others) = ADDRESS.findall(shown(viewer, query))

    page = viewer.get(unescape(first)).content.decode()

    (back,) = re.findall(r'href="(/problems/[^"]*)"><svg[^>]*>', page)[:1]
    assert TITLE.findall(shown(viewer, unescape(back).removeprefix(CAUSES))) == (
        TITLE.findall(shown(viewer, query))
    )
    assert unescape(back).count("=") == query.count("=")
