import time
from datetime import timedelta
from urllib.parse import quote

import pytest

from tests.simulators.sales_client import SalesClient, error_of

TRACK = "odata.track-changes"


def start(client: SalesClient) -> str:
    """The delta link after a first read of all accounts."""
    return str(client.get("accounts?$select=name", Prefer=TRACK)["@odata.deltaLink"])


def test_nothing_changed_answers_nothing_and_a_fresh_link(client: SalesClient) -> None:
    client.create(name="A")

    changes = client.get(start(client))

    assert changes["value"] == []
    assert "@odata.deltaLink" in changes
    assert changes["@odata.context"].endswith("/$delta")


def test_the_preference_is_confirmed(client: SalesClient) -> None:
    answer = client.call("GET", "accounts?$select=name", Prefer=TRACK)

    assert answer.headers["Preference-Applied"] == TRACK


def test_new_changed_and_deleted_rows_are_told_in_order(client: SalesClient) -> None:
    first, second = client.create(name="A"), client.create(name="B")
    link = start(client)
    third = client.create(name="C")
    client.call("DELETE", f"accounts({first})")
    client.call("PATCH", f"accounts({second})", {"name": "B2"})

    new, gone, changed = client.get(link)["value"]

    assert (new["accountid"], new["name"]) == (third, "C")
    assert (gone["id"], gone["reason"]) == (first, "deleted")
    assert gone["@odata.context"].endswith("$metadata#accounts/$deletedEntity")
    assert (changed["name"], changed["accountid"]) == ("B2", second)


def test_created_and_deleted_between_two_calls_still_shows_as_deleted(
    client: SalesClient,
) -> None:
    link = start(client)
    key = client.create(name="A")
    client.call("DELETE", f"accounts({key})")

    assert [row["id"] for row in client.get(link)["value"]] == [key]


def test_the_link_comes_with_the_last_page_and_misses_no_change_made_meanwhile(
    client: SalesClient,
) -> None:
    keys = [client.create(name=f"A{number}") for number in range(5)]
    prefer = f"{TRACK},odata.maxpagesize=2"
    page = client.get("accounts?$select=name", Prefer=prefer)
    client.call("PATCH", f"accounts({keys[0]})", {"name": "changed"})
    while "@odata.nextLink" in page:
        assert "@odata.deltaLink" not in page
        page = client.get(page["@odata.nextLink"], Prefer=prefer)

    changes = client.get(page["@odata.deltaLink"])["value"]

    assert [row["name"] for row in changes] == ["changed"]


def test_many_changes_come_in_pages(client: SalesClient) -> None:
    link = start(client)
    names = [f"A{number}" for number in range(5)]
    for name in names:
        client.create(name=name)

    page = client.get(link, Prefer="odata.maxpagesize=2")
    read = [row["name"] for row in page["value"]]
    while "@odata.nextLink" in page:
        page = client.get(page["@odata.nextLink"], Prefer="odata.maxpagesize=2")
        read += [row["name"] for row in page["value"]]

    assert read == names
    assert client.get(page["@odata.deltaLink"])["value"] == []


def test_the_number_of_changes_can_be_asked(client: SalesClient) -> None:
    link = start(client)
    client.create(name="A")

    address = link.replace("/accounts?", "/accounts/$count?")

    assert client.call("GET", address).text == "1"


@pytest.mark.parametrize(
    "option", ["$filter=name eq 'A'", "$orderby=name", "$top=1", "$expand=ownerid"]
)
def test_options_that_tracking_does_not_know_are_refused(
    client: SalesClient, option: str
) -> None:
    answer = client.call("GET", f"accounts?{option}", Prefer=TRACK)

    assert answer.status_code == 400
    name = option.partition("=")[0]
    assert f'\\"{name}\\" query parameter' in answer.text


def test_a_table_without_tracking_says_so(client: SalesClient) -> None:
    answer = client.call("GET", "roles", Prefer=TRACK)

    assert error_of(answer) == (400, "0x80072491")


def test_a_token_older_than_its_life_is_expired(client: SalesClient) -> None:
    link = start(client)
    client.store.move_clock(timedelta(days=7, minutes=1).total_seconds())
    client.forget_token()

    assert error_of(client.call("GET", link)) == (400, "0x80044352")


def test_a_token_from_before_a_reset_is_expired(client: SalesClient) -> None:
    token = link_token(start(client))
    client.store.set_setting("reset.version", client.store.version + 1)

    answer = client.call("GET", f"accounts?$deltatoken={token}")

    assert error_of(answer) == (400, "0x80044352")


def test_a_token_that_is_not_ours_is_refused(client: SalesClient) -> None:
    token = quote("one!two")

    answer = client.call("GET", f"accounts?$deltatoken={token}")

    assert error_of(answer) == (400, "0x80060888")


def link_token(link: str) -> str:
    return link.partition("$deltatoken=")[2]


def test_versions_only_grow_and_modified_times_have_whole_seconds(
    client: SalesClient,
) -> None:
    rows = [client.get(f"accounts({client.create(name=n)})") for n in "AB"]

    assert rows[0]["versionnumber"] < rows[1]["versionnumber"]
    assert time.strptime(rows[0]["modifiedon"], "%Y-%m-%dT%H:%M:%SZ")
