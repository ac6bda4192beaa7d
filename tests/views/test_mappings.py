"""The page of a mapping: how often it runs."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from integration.models import Operation, TableMapping
from tests.factories import SOME_TIME, make_mapping


@pytest.fixture
def mapping(db: None) -> TableMapping:
    return make_mapping(reviewed_at=SOME_TIME, interval_seconds=30)


def read(client: Client, mapping: TableMapping, language: str = "en") -> str:
    response = client.get(
        f"/mappings/{mapping.pk}/", headers={"accept-language": language}
    )
    return response.content.decode().replace("\xa0", " ")


def post(client: Client, mapping: TableMapping, **sent: str) -> str:
    place = reverse("mapping_interval", args=[mapping.pk])
    return client.post(place, sent, follow=True).content.decode()


def test_the_present_interval_is_chosen_among_those_offered(
    administrator: Client, mapping: TableMapping
) -> None:
    page = read(administrator, mapping)

    offered = re.findall(r'<option value="(\d+)"( selected)?>([^<]*)<', page)
    assert ("30", " selected", "30 s") in offered
    assert ("300", "", "5 min") in offered
    assert [int(seconds) for seconds, *_rest in offered] == sorted(
        int(seconds) for seconds, *_rest in offered
    )


def test_an_administrator_changes_the_interval_and_the_log_says_who_and_why(
    administrator: Client, viewer: Client, mapping: TableMapping
) -> None:
    page = post(administrator, mapping, interval="900", reason="Quota")

    assert "CUSTOMER runs every 15 min from now on." in page
    mapping.refresh_from_db()
    assert mapping.interval_seconds == 900
    operation = Operation.objects.get()
    told = viewer.get(f"/operations/{operation.pk}/").content.decode()
    assert "Quota" in told
    assert "15 min" in told
    assert "Change of set-up" in told


@pytest.mark.parametrize("interval", ["", "x", "45", "30.0"])
def test_what_is_not_offered_changes_nothing(
    administrator: Client, mapping: TableMapping, interval: str
) -> None:
    page = post(administrator, mapping, interval=interval)

    assert "Choose one of the intervals offered here." in page
    assert not Operation.objects.exists()


def test_the_present_interval_sent_again_says_so(
    administrator: Client, mapping: TableMapping
) -> None:
    assert "It had this interval already." in post(
        administrator, mapping, interval="30"
    )


@pytest.mark.parametrize(
    ("language", "value", "why"),
    [
        ("en", "30 s", "(only administrators change it)"),
        ("fr", "30 s", "(seuls les administrateurs le modifient)"),
    ],
)
def test_others_read_the_interval_and_why_they_do_not_change_it(
    operator: Client, mapping: TableMapping, language: str, value: str, why: str
) -> None:
    page = read(operator, mapping, language)

    assert value in page
    assert why in page
    assert reverse("mapping_interval", args=[mapping.pk]) not in page


def test_each_field_of_the_page_has_a_label_of_its_own(
    administrator: Client, mapping: TableMapping
) -> None:
    ids = re.findall(r' id="([^"]+)"', read(administrator, mapping))

    assert sorted(ids) == sorted(set(ids))
