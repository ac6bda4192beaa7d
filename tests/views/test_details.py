import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from integration.choices import Direction, OperationKind
from integration.models import Coupling, FieldMapping, SyncError, TableMapping
from integration.services.cells import rebuild
from integration.services.operations import record_operation
from integration.views.details import FieldRow, field_rows, history
from tests.factories import SOME_TIME, make_error, make_job, make_mapping, make_problem

pytestmark = pytest.mark.django_db
RECORD = {"displayName": "Garage du Léman", "city": "Sion", "currencyCode": "GBP"}


def rows_of(error: SyncError) -> dict[str, FieldRow]:
    return {row.label: row for row in field_rows(error, None, "en")}


def not_created(**values: Any) -> SyncError:
    defaults: dict[str, Any] = {"sales_presence": "not_created", "field": "name"}
    return make_error(values={"business_central": RECORD}, **(defaults | values))


def test_a_record_to_be_created_shows_what_it_will_hold() -> None:
    rows = rows_of(not_created())

    assert rows["City"].sales == "Sion"
    assert not rows["City"].differs


def test_the_field_refused_stands_first_and_says_so() -> None:
    first = field_rows(not_created(), None, "en")[0]

    assert (first.label, first.is_cause, first.sales) == ("Name", True, "refused")


def test_what_waits_names_the_partner_it_has_not() -> None:
    error = not_created(field="currencyCode", waits_for="GBP")

    assert field_rows(error, None, "en")[0].sales == "no partner for GBP"


def test_a_field_that_does_not_travel_there_stays_empty() -> None:
    mapping = make_mapping()
    way = Direction.TO_BUSINESS_CENTRAL
    FieldMapping.objects.create(
        mapping=mapping, bc_field="city", sales_field="x", direction=way
    )

    rows = field_rows(not_created(), mapping, "en")

    assert [row.label for row in rows if row.differs] == ["Name", "City"]


def test_a_blank_that_both_agreed_on_is_not_never(viewer: Client) -> None:
    sides = {
        "business_central": {"addressLine2": "Postfach", "city": "Brig"},
        "sales": {"addressLine2": "", "city": "Sion"},
        "last": {"addressLine2": ""},
    }
    error = make_error(problem=make_problem(make_mapping().connection), values=sides)

    page = viewer.get(f"/errors/{error.pk}/").content.decode()

    row = re.search("Address 2.*?</tr>", page, re.S)
    assert row
    assert '<td class="muted" data-label="Last in step">–</td>' in row[0]
    assert page.count("never</td>") == 1, "only the city was never in step"


def others_on(client: Client, article: str, **values: Any) -> list[str]:
    """What the page says is in the way, each with where it leads."""
    problem = make_problem(make_mapping().connection, article=article)
    error = make_error(problem=problem, **values)
    page = client.get(f"/errors/{error.pk}/").content.decode()
    found = re.search('id="others".*?</ul>', page, re.S)
    return re.findall('<li>.*?href="([^"]+)".*?</li>', found[0], re.S) if found else []


def test_what_a_record_could_be_is_linked(viewer: Client) -> None:
    other = {"id": "a1", "number": "", "name": "Twin"}

    [link] = others_on(viewer, "match-ambiguous", values={"others": [other]})

    assert "etn=account" in link
    assert "id=a1" in link


def test_the_customer_that_has_the_number_is_linked(viewer: Client) -> None:
    found = {"direction": "to_business_central", "bc_number": "", "sales_id": "s1"}

    [link] = others_on(viewer, "bc-duplicate-key", sales_number="10000", **found)

    assert "page=21" in link
    assert "10000" in link


def test_what_has_its_partner_has_nothing_in_the_way(viewer: Client) -> None:
    found = {"direction": "to_business_central", "sales_number": "10000", "bc_id": "b"}

    assert others_on(viewer, "bc-duplicate-key", **found) == []


def test_the_fields_of_a_conflict_are_its_cause() -> None:
    problem = make_problem(params={"fields": "phoneNumber,city"})
    sides = {"business_central": RECORD, "sales": RECORD | {"city": "Sierre"}}

    rows = rows_of(make_error(problem=problem, values=sides))

    assert [label for label, row in rows.items() if row.is_cause] == ["City"]


def test_a_blank_value_equals_none() -> None:
    sides = {"business_central": {"city": ""}, "sales": {}}

    assert not rows_of(make_error(values=sides))["City"].differs


def test_history_tells_attempts_and_retries_newest_first() -> None:
    mapping = make_mapping()
    job = make_job(mapping)
    error = make_error(occurrences=12, job=job)
    retried = record_operation(OperationKind.RETRY, by="Anna", reason="cured")
    retried.items.create(error=error, outcome="healed")

    told = [(event.who, event.text) for event in history(error, mapping)]

    assert told[0] == ("Anna", "Retry (healed)")
    assert {text for _who, text in told[1:]} == {
        "Attempt 12 failed, same cause",
        "Attempts 2 to 11 failed, same cause",
        "First seen: attempt 1 failed",
    }


def test_first_seen_leads_to_the_job_that_ran_then() -> None:
    mapping = make_mapping()
    job = make_job(mapping, started_at=SOME_TIME, finished_at=SOME_TIME)
    error = make_error(occurrences=2, job=make_job(mapping))

    assert history(error, mapping)[-1].job == job.pk


def test_what_nobody_has_entered_can_be_the_cause() -> None:
    mapping = make_mapping()
    FieldMapping.objects.create(
        mapping=mapping, bc_field="exchangeRate", sales_field="exchangerate"
    )

    first = field_rows(not_created(field="exchangeRate"), mapping, "en")[0]

    assert (first.label, first.is_cause, first.sales) == ("Exchange rate", True, None)


def settled(reason: str = "resolved", **values: Any) -> SyncError:
    """A customer whose city had been refused, and which has ended since."""
    mapping = make_mapping()
    sides = {"business_central": {"city": "Brig"}, "sales": {"city": "Sion"}}
    problem = make_problem(mapping.connection, article="dv-text-too-long")
    known = {"problem": problem, "record_key": "b1", "bc_id": "b1", "sales_id": "s1"}
    known |= {"values": sides, "state": "resolved", "settled_reason": reason}
    return make_error(**(known | {"settled_at": SOME_TIME} | values))


def couple(error: SyncError, **values: str) -> None:
    Coupling.objects.create(
        mapping=TableMapping.objects.get(connection=error.connection_id),
        bc_id=error.bc_id,
        sales_id="s1",
        coupled_at=SOME_TIME,
        values=values,
    )


def text_of(client: Client, path: str, **headers: str) -> str:
    page = client.get(path, headers=headers).content.decode()
    return " ".join(unescape(page).split())


def test_what_has_ended_says_what_became_of_it_and_orders_nothing(
    operator: Client,
) -> None:
    error = settled()
    couple(error, city="Brig")

    page = text_of(operator, f"/errors/{error.pk}/")

    assert "What became of it</h2>" in page
    assert "A later attempt succeeded: both records were in step then." in page
    assert "What to do</h2>" not in page
    assert re.search("If it comes back.*?<ol class=.steps.>", page), "folded"
    assert "Affects" not in page, "no record has this cause any more"
    assert "About this cause" in page
    make_error(problem=error.problem)
    rebuild()
    assert "Affects 1 other record<" in text_of(operator, f"/errors/{error.pk}/")


@pytest.mark.parametrize(
    ("reason", "said", "in_french"),
    [
        (
            "resolved",
            "The two records are not coupled any more",
            "Les deux enregistrements ne sont plus couplés",
        ),
        ("replaced", "The record failed for another cause", "pour une autre cause"),
        ("both_deleted", "Both records are deleted", "sont supprimés"),
    ],
)
def test_each_reason_has_its_own_words(
    viewer: Client, reason: str, said: str, in_french: str
) -> None:
    path = f"/errors/{settled(reason).pk}/"

    assert said in text_of(viewer, path)
    assert in_french in text_of(viewer, path, **{"accept-language": "fr"})


def test_what_a_person_called_resolved_says_who(viewer: Client) -> None:
    hand = record_operation(OperationKind.RESOLVE, by="Anna", reason="x")
    error = settled(handled_by=hand)

    assert "Anna resolved this on" in text_of(viewer, f"/errors/{error.pk}/")


def test_a_set_up_error_that_has_ended_is_not_told_of_records(viewer: Client) -> None:
    error = settled(mapping_key="", record_key="", direction="", bc_id="", values=None)

    page = text_of(viewer, f"/errors/{error.pk}/")

    assert "It was looked for again and is no longer there." in page
    assert "As at the last failure" not in page


def test_values_of_what_has_ended_are_those_of_the_failure_beside_what_holds_now(
    viewer: Client,
) -> None:
    error = settled()
    couple(error, city="Sierre")

    page = text_of(viewer, f"/errors/{error.pk}/")

    assert "As at the last failure" in page
    row = re.search("City.*?</tr>", page)
    assert row
    assert re.findall("<td.*?>(.*?)</td>", row[0]) == ["Brig", "Sion", "Sierre"]


def test_what_was_created_shows_still_what_it_was_to_be_created_with() -> None:
    error = not_created(state="resolved", sales_presence="exists", sales_id="s1")

    rows = rows_of(error)

    assert (rows["Name"].sales, rows["City"].sales) == ("refused", "Sion")


def test_what_is_left_of_a_deleted_pair_is_compared_with_what_both_had(
    viewer: Client,
) -> None:
    problem = make_problem(make_mapping().connection)
    sides = {
        "business_central": {"displayName": "Adatum", "city": "Brig"},
        "last": {"displayName": "Adatum", "city": "Sion"},
    }
    error = make_error(problem=problem, sales_presence="deleted", values=sides)

    rows = rows_of(error)
    page = text_of(viewer, f"/errors/{error.pk}/")

    assert [row for row in rows if rows[row].differs] == ["City"]
    assert rows["Name"].business_central == "Adatum"
    assert "1 field as last in step" in page
    assert "equal field" not in page


def test_what_was_not_read_is_not_called_blank(viewer: Client) -> None:
    problem = make_problem(make_mapping().connection)
    error = make_error(
        problem=problem, sales_presence="no_access", values={"last": {"city": "Sion"}}
    )

    city = rows_of(error)["City"]
    page = text_of(viewer, f"/errors/{error.pk}/")

    assert city.values == ("not read", "not read", "Sion")
    assert "1 field as last in step" in page


def test_an_open_page_says_what_became_of_an_error_that_ends(operator: Client) -> None:
    error = settled()

    live = text_of(operator, f"/errors/{error.pk}/live/")
    later = text_of(operator, f"/errors/{error.pk}/live/?settled=1")

    for section in ("became", "records"):
        assert f'id="{section}"' in live
        assert f'id="{section}"' not in later, "what somebody unfolded stays so"
    assert "What became of it</h2>" in live
    assert "As at the last failure" in live
