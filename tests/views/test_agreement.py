"""French words agree in number and gender with what they count or name."""

import re
from html import unescape

import pytest
from django.db import transaction
from django.test import Client

from integration import clock
from integration.choices import OperationKind
from integration.models import JobEntry, OperationItem, SyncError
from integration.services import cells
from integration.services.operations import record_operation
from tests.factories import make_error, make_job, make_mapping

pytestmark = pytest.mark.django_db
FRENCH = {"accept-language": "fr-CH"}


def french(client: Client, path: str) -> str:
    page = client.get(path, headers=FRENCH).content.decode()
    return " ".join(page.replace("\xa0", " ").split())


def chips(page: str) -> list[str]:
    found = re.findall(r'<a class="chip"[^>]*>(.*?)</a>', page)
    return [unescape(re.sub(r"<[^>]+>", "", one)) for one in found]


def make_counted_error() -> SyncError:
    error = make_error()
    with transaction.atomic():
        cells.rebuild()
    return error


@pytest.mark.parametrize(("n", "word"), [(1, "ouverte"), (2, "ouvertes")])
def test_the_navigation_counts_errors(viewer: Client, n: int, word: str) -> None:
    for _ in range(n):
        make_counted_error()

    page = french(viewer, "/errors/")

    assert f'id="open" title="{word}"' in page
    assert f'{n}<span class="vh"> {word}</span>' in page


def test_a_filter_in_words_has_one_colon(viewer: Client) -> None:
    make_counted_error()

    page = french(viewer, "/errors/?mapping=CUSTOMER&who=user")

    assert "<b>Filtre</b> mappage CUSTOMER, qui : Utilisateur" in page
    assert "Filtre :" not in page


def test_chips_name_several(viewer: Client) -> None:
    assert chips(french(viewer, "/couplings/"))[0] == "Couplés"
    assert chips(french(viewer, "/jobs/")) == [
        *("Toutes", "En file d'attente", "En cours", "Terminées"),
        "N'ont pas pu s'exécuter",
    ]


def test_the_results_of_an_operation_agree_with_their_number(viewer: Client) -> None:
    operation = record_operation(
        OperationKind.RETRY, by=None, by_name="anna", reason="mended", rows=3
    )
    for outcome in ("healed", "healed", "not_tried"):
        OperationItem.objects.create(operation=operation, outcome=outcome)

    page = french(viewer, f"/operations/{operation.pk}/")

    assert chips(page) == ["Tous 3", "réparés 2", "pas essayé 1"]


def test_what_a_job_says_of_one_record_is_singular(viewer: Client) -> None:
    job = make_job(make_mapping())
    JobEntry.objects.create(job=job, kind="created", created_at=clock.now())

    assert "</svg>créé</span>" in french(viewer, f"/jobs/{job.pk}/")


def test_a_replaced_error_is_one(viewer: Client) -> None:
    error = make_error(state="resolved", settled_reason="replaced")

    page = french(viewer, f"/errors/{error.pk}/")

    assert "</svg>remplacée</span>" in page
    assert "remplacée</a>" in page or "remplacée<time" in page
