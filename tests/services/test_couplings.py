"""Couplings in bulk are what Django would have loaded."""

import pytest
from django.forms.models import model_to_dict

from integration import clock
from integration.core.snapshots import Snapshot
from integration.models import Coupling, TableMapping
from integration.models.bulk import Columns
from integration.services import couplings
from tests.factories import make_mapping

NOW = clock.now()
BC = Snapshot("b1", "W/1", NOW, {"displayName": "Chäs AG"}, "C1", "Chäs AG", True, "h1")
SALES = Snapshot("s1", "W/2", None, {"displayName": "Chas"}, "", "Chas", True, "h2")


@pytest.fixture
def mapping(db: None) -> TableMapping:
    return make_mapping()


def test_what_is_loaded_in_bulk_is_what_django_loads(mapping: TableMapping) -> None:
    told: Columns = {"values": [{"displayName": "Chas"}], "to_sales_failed": [True]}
    couplings.make(mapping, [(BC, SALES)], NOW, told)
    expected = Coupling.objects.get()

    found = couplings.by_id([expected.pk])[expected.pk]

    assert model_to_dict(found) == model_to_dict(expected)
    assert found == expected
    assert found.mapping == mapping


def test_what_is_made_in_bulk_has_the_defaults_of_the_model(
    mapping: TableMapping,
) -> None:
    named = {"bc_number": "C1", "bc_name": "Chäs AG", "sales_name": "Chas"}
    ids = {"bc_id": "b1", "sales_id": "s1"}

    keys = couplings.make(mapping, [(BC, SALES)], NOW)

    made = Coupling.objects.get()
    assert keys == [made.pk]
    expected = Coupling(mapping=mapping, coupled_at=NOW, **ids, **named)
    assert "chas ag" in made.search_text
    expected.pk, expected.search_text = made.pk, made.search_text
    assert model_to_dict(made) == model_to_dict(expected)


def test_one_loaded_in_bulk_can_be_saved_alone(mapping: TableMapping) -> None:
    couplings.make(mapping, [(BC, SALES)], NOW)
    [found] = couplings.by_id([Coupling.objects.get().pk]).values()

    found.sales_name = "Käse"
    found.save(force_update=True)

    assert Coupling.objects.get().sales_name == "Käse"


def test_of_new_pairs_those_are_made_that_none_stands_in_the_way_of(
    mapping: TableMapping,
) -> None:
    """One is there already, one has lost its Sales record to another."""
    couplings.make(mapping, [(BC, SALES)], NOW)
    wanted = [("b0", "s0"), ("b1", "s1"), ("b2", "s1"), ("b3", "s3")]
    pairs = [(BC._replace(id=bc), SALES._replace(id=sales)) for bc, sales in wanted]

    keys = couplings.make(mapping, pairs, NOW)

    rows = Coupling.objects.order_by("pk").values_list("bc_id", "sales_id", "pk")
    assert [row[:2] for row in rows] == [("b1", "s1"), ("b0", "s0"), ("b3", "s3")]
    there = {row[:2]: row[2] for row in rows}
    assert keys == [there.get(pair) for pair in wanted]
