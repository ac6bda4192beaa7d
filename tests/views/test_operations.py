"""The operations log: what it can be limited to, and what each line says."""

import re

import pytest
from django.test import Client

from integration import clock
from integration.choices import OperationKind
from integration.models import Operation
from integration.services import cleanup
from integration.services.operations import record_operation
from integration.services.undo import undo
from tests.factories import make_error

pytestmark = pytest.mark.django_db


def read(client: Client, path: str, language: str = "en") -> str:
    return client.get(path, headers={"accept-language": language}).content.decode()


def delete(rows: int) -> None:
    record_operation(
        OperationKind.DELETE,
        by="anna",
        reason="old",
        scope={"selected": rows},
        rows=rows,
    )


def test_one_menu_limits_the_log_to_a_kind(viewer: Client) -> None:
    delete(1)

    page = read(viewer, "/operations/?kind=delete")

    assert page.count('<select class="input narrow-input" name="kind"') == 1
    assert re.findall(r'value="(\w*)" selected', page) == ["delete"]
    assert len(re.findall("<option ", page)) == len(OperationKind) + 1
    assert page.count('<th scope="row"') == 1
    assert "No such operation" in read(viewer, "/operations/?kind=teach")
    assert read(viewer, "/operations/?kind=").count('<th scope="row"') == 1


def test_the_menu_keeps_whose_operations_are_shown(viewer: Client) -> None:
    since = clock.now().date().isoformat()

    page = read(viewer, f"/operations/?by=colleagues&from={since}")

    assert '<input type="hidden" name="by" value="colleagues">' in page
    assert f'<input type="hidden" name="from" value="{since}">' in page


@pytest.mark.parametrize(
    ("language", "rows", "words"),
    [
        ("en", 1, "1 selected entry"),
        ("en", 12, "12 selected entries"),
        ("fr", 1, "1 entrée sélectionnée"),
        ("fr", 12, "12 entrées sélectionnées"),
    ],
)
def test_a_selection_is_told_in_words(
    viewer: Client, language: str, rows: int, words: str
) -> None:
    delete(rows)

    page = read(viewer, "/operations/", language)

    assert f'<span class="below">{words}</span>' in page


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Of operation {}."), ("fr", "opération {}")]
)
def test_what_takes_another_back_leads_to_it(
    administrator: Client, language: str, words: str
) -> None:
    error = make_error(settled_at=clock.now(), state="resolved")
    deletion = cleanup.delete_selected([error.pk], "anna")
    undo(deletion, "anna")
    taken_back = Operation.objects.get(kind=OperationKind.UNDO)

    link = f'<a href="/operations/{deletion.pk}/">'
    for path in (f"/operations/{taken_back.pk}/", "/operations/"):
        page = read(administrator, path, language)
        found = re.findall(rf"{link}([^<]*)</a>", page)
        assert any(words.format(deletion.pk) in one for one in found)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("Finished entries", "Finished")), ("fr", ("Entrées terminées", "Fin"))],
)
def test_a_clean_up_says_how_many_had_finished_and_when_it_did(
    administrator: Client, language: str, words: tuple[str, str]
) -> None:
    found = record_operation(
        OperationKind.DELETE,
        by="anna",
        reason="old",
        scope={"older_than": 7, "settled": 12},
        rows=12,
    )

    page = read(administrator, f"/operations/{found.pk}/", language)

    assert [page.count(f"<dt>{one}</dt>") for one in words] == [1, 1]
