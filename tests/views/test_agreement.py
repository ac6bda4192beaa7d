"""French words agree in number and gender with what they count or name."""

import re
from html import unescape

import pytest
from django.db import transaction
from django.test import Client

from integration import clock
from integration.choices import JobKind, JobState, OperationKind
from integration.models import JobEntry, OperationItem, SyncError
from integration.services import cells
from integration.services.operations import record_operation
from tests.factories import make_connection, make_error, make_job, make_mapping

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
        OperationKind.RETRY, by="anna", reason="mended", rows=3
    )
    for outcome in ("healed", "healed", "not_tried"):
        OperationItem.objects.create(operation=operation, outcome=outcome)

    page = french(viewer, f"/operations/{operation.pk}/")

    assert chips(page) == ["Tous 3", "Réparés 2", "Pas essayé 1"]


def test_what_a_job_says_of_one_record_is_singular(viewer: Client) -> None:
    job = make_job(make_mapping())
    JobEntry.objects.create(job=job, kind="created", created_at=clock.now())

    assert "</svg>créé</span>" in french(viewer, f"/jobs/{job.pk}/")


def test_a_replaced_error_is_one(viewer: Client) -> None:
    error = make_error(state="resolved", settled_reason="replaced")

    page = french(viewer, f"/errors/{error.pk}/")

    assert "</svg>remplacée</span>" in page
    assert "remplacée</a>" in page or "remplacée<time" in page


@pytest.mark.parametrize(
    ("mapping", "words"), [("CUSTOMER", "1 ouvert<"), ("", "1 ouverte<")]
)
@pytest.mark.parametrize("path", ["/", "/problems/"])
def test_what_is_open_is_a_record_or_an_entry(
    viewer: Client, mapping: str, words: str, path: str
) -> None:
    make_error(mapping_key=mapping)
    with transaction.atomic():
        cells.rebuild()

    assert words in french(viewer, path)


def test_a_connection_without_mappings_has_none_of_them(viewer: Client) -> None:
    page = french(viewer, f"/connections/{make_connection().pk}/")

    mappings = page.partition('id="mappings"')[2]
    assert ">Aucun.</p>" in mappings
    assert ">Aucune.</p>" in page


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 enregistrement jusqu"), (2, "2 enregistrements jusqu")]
)
def test_a_running_review_counts_what_it_read(
    viewer: Client, n: int, words: str
) -> None:
    mapping = make_mapping()
    make_job(mapping, kind=JobKind.REVIEW, state=JobState.RUNNING, records_read=n)

    assert words in french(viewer, f"/mappings/{mapping.pk}/")


def test_a_title_has_no_colon_of_another_language(viewer: Client) -> None:
    page = french(viewer, "/problems/")

    assert "<title>Erreurs par cause · " in page


def test_a_mapping_is_told_with_its_connection_as_everywhere(viewer: Client) -> None:
    for name in ("Alpha SA", "Beta SA"):
        make_mapping(connection=make_connection(name=name))

    assert ">CUSTOMER (Alpha SA)</option>" in french(viewer, "/couplings/")


def test_every_line_of_an_operation_begins_alike(viewer: Client) -> None:
    operation = record_operation(
        OperationKind.DELETE,
        by="anna",
        reason="mended",
        rows=2,
        scope={"selected": 2},
    )

    page = french(viewer, f"/operations/{operation.pk}/")

    words = re.findall(r"<dt>(.)", page)
    assert words
    assert all(letter.isupper() for letter in words)
