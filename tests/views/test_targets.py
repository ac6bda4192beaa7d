"""Where the links of an article lead: to a page that is there."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from integration.models import Problem
from integration.services import cells
from tests.factories import make_error, make_mapping, make_problem

pytestmark = pytest.mark.django_db
IN_BC = "Open currency THB in Business Central"
IN_SALES = "Open currency THB in Sales"


@pytest.fixture
def problem() -> Problem:
    """A currency that is coupled with none."""
    return make_problem(
        make_mapping().connection,
        article="dependency-not-coupled",
        params={"table": "currency", "number": "THB"},
        title="Currency THB is not coupled",
    )


def pages(client: Client, problem: Problem, *directions: str) -> list[str]:
    """Of the entry that is first named, and of its cause."""
    errors = [make_error(problem=problem, direction=one) for one in directions]
    with transaction.atomic():
        cells.rebuild()
    addresses = (f"/errors/{errors[0].pk}/", f"/problems/{problem.pk}/")
    return [client.get(one).content.decode() for one in addresses]


@pytest.mark.parametrize(
    ("directions", "label", "leads_to_card"),
    [
        (["to_sales"], IN_BC, True),
        (["to_sales", "to_business_central"], IN_BC, True),
        (["to_business_central"], IN_SALES, False),
    ],
)
def test_a_currency_opens_where_somebody_has_it(
    viewer: Client,
    problem: Problem,
    directions: list[str],
    label: str,
    leads_to_card: Any,
) -> None:
    """Business Central has no card of what only records of Sales name."""
    for page in pages(viewer, problem, *directions):
        assert label in page
        assert ("page=495" in page) is leads_to_card
        assert ("etn=transactioncurrency" in page) is not leads_to_card


def test_a_finished_entry_goes_by_its_own_record(
    viewer: Client, problem: Problem
) -> None:
    error = make_error(
        problem=problem, direction="to_business_central", state="resolved"
    )

    page = viewer.get(f"/errors/{error.pk}/").content.decode()

    assert "page=495" not in page
