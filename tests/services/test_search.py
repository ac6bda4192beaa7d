import pytest
from django.db import connection

from integration.choices import Chip
from integration.models import SyncError
from integration.services import search as searching
from integration.services.search import search
from tests.factories import make_error

pytestmark = pytest.mark.django_db


def found(text: str) -> list[str]:
    looked = search(text)
    rows = SyncError.objects.filter(looked.matching)
    if (among := looked.among(Chip.values)) is not None:
        rows = rows.filter(among)
    return sorted(rows.values_list("bc_number", flat=True))


@pytest.fixture(autouse=True)
def entries() -> None:
    make_error(bc_number="A1", bc_name="Garage", search_text="Garage du Léman")
    make_error(bc_number="A3", search_text="IŞIK Ticaret, ışık")
    make_error(bc_number="A2", bc_name="Ölmühle", search_text='100% "oil" a_b o\'c')


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("léman", ["A1"]),
        ("leman", ["A1"]),
        ("LEMAN", ["A1"]),
        ("LÉMAN", ["A1"]),
        ("le\u0301man", ["A1"]),
        ("lèman", ["A1"]),
        ("garage DU", ["A1"]),
        ('"oil"', ["A2"]),
        ("0% ", ["A2"]),
        ("a_b", ["A2"]),
        ("a%b", []),
        ("o'c", ["A2"]),
        ("NOT AND", []),
        ("a*)", []),
        ("a", ["A1", "A2", "A3"]),
        ("a2", ["A2"]),
        ("ga", ["A1"]),
        ("Öl", ["A2"]),
        ("isik t", ["A3"]),
        ("ışık", ["A3"]),
        ("%", []),
    ],
)
def test_finds_what_a_person_would_expect(text: str, numbers: list[str]) -> None:
    assert found(text) == numbers


def test_a_changed_text_is_found_by_its_new_words_only() -> None:
    SyncError.objects.filter(bc_number="A1").update(search_text="elsewhere")

    assert (found("leman"), found("elsewhere")) == ([], ["A1"])


def test_a_removed_row_is_not_found() -> None:
    SyncError.objects.filter(bc_number="A1").delete()

    assert found("leman") == []


def test_too_many_hits_are_left_to_the_lists_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searching, "MOST_HITS", 1)
    make_error(search_text="Léman")

    assert search("Léman").hits is None
    assert len(found("Léman")) == 2


def test_what_keeps_the_search_index_survived_every_migration() -> None:
    kept, wanted = {
        "sqlite": (
            "SELECT name FROM sqlite_master WHERE type = 'trigger'",
            {f"error_search_{what}" for what in ("insert", "update", "delete")},
        ),
        "postgresql": ("SELECT indexname FROM pg_indexes", {"error_search"}),
    }[connection.vendor]

    with connection.cursor() as cursor:
        cursor.execute(kept)
        names = {row[0] for row in cursor.fetchall()}

    assert wanted <= names
