"""Coupled records, as they are searched."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from django.test import Client

from integration.models import Coupling, PendingRecord
from integration.services.mappings import change_mapping
from tests.factories import SOME_TIME, make_mapping
from tests.services.beginnings import Beginning
from tests.services.engine import Engine

pytestmark = pytest.mark.django_db


def two_more(engine: Engine) -> None:
    engine.accept()
    engine.add_customer("70001", "Müller & Söhne")
    engine.add_customer("70002", "Garage de Genève")
    engine.sync("CURRENCY", "CUSTOMER")


SIX = Beginning(4, two_more)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Müller, Genève and four others, in step."""
    with SIX.begin() as engine:
        yield engine


def found(client: Client, text: str) -> list[str]:
    page = client.get("/couplings/", {"q": text})
    return sorted(row.bc_number for row, _sides in page.context["rows"])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        *(("Muller", ["70001"]), ("müller", ["70001"]), ("SOHNE", ["70001"])),
        *(("geneve", ["70002"]), ("Genève", ["70002"]), ("7000", ["70001", "70002"])),
        *(("70002 garage", ["70002"]), ("ga", ["70002"]), ("zzz", [])),
    ],
)
def test_a_pair_is_found_by_number_or_name_with_accents_or_without(
    viewer: Client, engine: Engine, text: str, numbers: list[str]
) -> None:
    assert found(viewer, text) == numbers


def test_a_pair_is_found_by_the_name_it_has_now(viewer: Client, engine: Engine) -> None:
    customer, account = engine.pair("70001")
    engine.change(customer, displayName="Bäckerei Äschli")
    engine.sync("CUSTOMER")
    assert found(viewer, "Aschli") == ["70001"]
    engine.change(account, name="Pâtisserie")
    engine.sync("CUSTOMER")

    assert found(viewer, "patisserie") == ["70001"]
    assert found(viewer, "Muller") == found(viewer, "Aschli") == []
    pair = Coupling.objects.get(bc_number="70001")
    assert pair.search_text.startswith("70001 pâtisserie")


@pytest.fixture
def aside() -> None:
    """Three records without a partner that nobody tries any more."""
    mapping = make_mapping()
    for label in ("70001 Müller & Söhne", "70002 Garage de Genève", "Apart SA"):
        PendingRecord.objects.create(
            mapping=mapping,
            side="sales",
            record_id=label[-36:],
            label=label,
            skipped_at=SOME_TIME,
            attempts=5,
        )


@pytest.mark.parametrize("tab", ["skipped=1", "show=unlisted"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        *(("MULLER", ["70001"]), ("Genève", ["70002"]), ("7000", ["70001", "70002"])),
        *(("ga", ["70002"]), ("700", ["70001", "70002"]), ("ap", ["Apart"])),
        *(("de", []), ("zzz", [])),
    ],
)
def test_a_record_without_partner_is_found_as_a_pair_is(
    viewer: Client, aside: None, tab: str, text: str, found: list[str]
) -> None:
    page = viewer.get(f"/couplings/?{tab}", {"q": text} | dict([tab.split("=")]))

    assert sorted(str(row).split()[0] for row, _why in page.context["rows"]) == found


@pytest.mark.parametrize("tab", ["", "show=in_step", "skipped=1", "show=unlisted"])
def test_a_search_stays_in_its_tab_and_a_tab_keeps_the_search(
    viewer: Client, aside: None, tab: str
) -> None:
    page = viewer.get(f"/couplings/?q=muller&{tab}").content.decode()

    form = re.search(r'<form class="actions" method="get".*?</form>', page, re.DOTALL)
    assert form
    sent = re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', form[0])
    assert ["=".join(one) for one in sent] == ([tab] if tab else [])
    tabs = re.search(r'<nav class="chips".*?</nav>', page, re.DOTALL)
    assert tabs
    assert tabs[0].count("q=muller") == 4


def test_why_nothing_is_created_for_it_is_said_in_the_readers_language(
    viewer: Client, engine: Engine
) -> None:
    engine.add_account("Trop loin SA", address1_country="Switzerland")
    engine.sync("CUSTOMER")
    change_mapping(engine.mapping(), "a person", "As it was.", only_coupled=True)
    engine.sync("CUSTOMER")

    page = viewer.get("/couplings/?skipped=1", headers={"accept-language": "fr-CH"})

    html = unescape(page.content.decode())
    assert "Il n'a pas de partenaire, et ce mappage n'en crée aucun." in html
