import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integration.management.commands import cleanup as command
from integration.models import ErrorCell, Operation, SyncError
from integration.services import cells
from integration.services.actors import Actor
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import CleanupRequest, Preview, preview
from integration.services.undo import undo
from tests.factories import make_error

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def entries() -> None:
    make_error(state="resolved", last_seen=LONG_AGO)
    make_error(state="resolved", last_seen=LONG_AGO)
    make_error(last_seen=LONG_AGO)
    cells.rebuild()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    call_command(*words, "--json")
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_deletes_the_finished_and_names_who(capsys: pytest.CaptureFixture[str]) -> None:
    value = run(capsys, "cleanup", "--older-than", "7")

    assert (value["deleted"], value["relevant"]) == (2, 1)
    operation = Operation.objects.get(pk=value["operation"])
    assert operation.by is None
    assert "command line" in operation.by_name


def test_includes_the_relevant_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    value = run(capsys, "cleanup", "--all", "--include-relevant")

    assert value["deleted"] == 3


def test_nothing_to_delete_is_no_operation(capsys: pytest.CaptureFixture[str]) -> None:
    operation = run(capsys, "cleanup", "--all")["operation"]

    again = run(capsys, "cleanup", "--all")
    value = run(capsys, "undo", str(operation))

    assert (again["deleted"], again["operation"]) == (0, None)
    assert value["restored"] == 2


def test_what_another_one_deletes_meanwhile_is_no_operation_either(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "preview", overtaken)

    value = run(capsys, "cleanup", "--all")

    assert (value["deleted"], value["operation"]) == (0, None)
    assert Operation.objects.count() == 1


def test_what_may_not_be_deleted_any_more_is_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = overtaken(CleanupRequest(None), "somebody")
    monkeypatch.setattr(command, "preview", undone)
    assert taken.settled == 2

    with pytest.raises(CommandError, match="Look at the new preview"):
        run(capsys, "cleanup", "--all", "--include-relevant")


def overtaken(request: CleanupRequest, by: Actor) -> Preview:
    """A preview whose entries somebody else deletes at once."""
    shown = preview(request, by)
    delete(preview(request, by).token, request, by)
    return shown


def undone(request: CleanupRequest, by: Actor) -> Preview:
    """A preview after which somebody takes another deletion back."""
    shown = preview(request, by)
    undo(Operation.objects.earliest("id"), by)
    return shown


def test_a_dry_run_only_counts(capsys: pytest.CaptureFixture[str]) -> None:
    value = run(capsys, "cleanup", "--all", "--dry-run")

    assert (value["finished"]["resolved"], value["operation"]) == (2, None)
    assert not Operation.objects.exists()


def test_undo_takes_it_back(capsys: pytest.CaptureFixture[str]) -> None:
    operation = run(capsys, "cleanup", "--all")["operation"]

    value = run(capsys, "undo", str(operation))

    assert value["restored"] == 2
    assert sum(ErrorCell.objects.values_list("n", flat=True)) == 3


def test_both_say_in_words_what_they_did(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("cleanup", "--all")
    operation = Operation.objects.get()
    call_command("undo", str(operation.pk))

    said = capsys.readouterr().out

    assert f"2 deleted. To take it back: manage.py undo {operation.pk}" in said
    assert "2 entries are back." in said


def test_a_second_undo_brings_nothing_back_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    operation = str(run(capsys, "cleanup", "--all")["operation"])
    run(capsys, "undo", operation)

    with pytest.raises(CommandError, match=r"undid this on .*nothing has") as raised:
        call_command("undo", operation)

    assert raised.value.returncode == 1
    assert capsys.readouterr().out == ""


def test_one_entry_that_is_back_is_not_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_error(state="resolved", mapping_key="CURRENCY", last_seen=LONG_AGO)
    operation = delete_selected([SyncError.objects.latest("pk").pk], "anna")

    call_command("undo", str(operation.pk))

    assert capsys.readouterr().out == "1 entry is back.\n"


@pytest.mark.parametrize("days", ["0", "-1", "seven", "7.5", "9" * 5000])
def test_a_bad_number_of_days_is_one_sentence(days: str) -> None:
    with pytest.raises(CommandError, match="no number of days") as raised:
        call_command("cleanup", f"--older-than={days}")

    assert raised.value.returncode == 2


@pytest.mark.parametrize("number", ["0", "x", "999999", "9" * 30])
def test_an_unknown_operation_is_one_sentence(number: str) -> None:
    with pytest.raises(CommandError, match="There is no operation") as raised:
        call_command("undo", number)

    assert raised.value.returncode == 2


def test_what_cannot_be_undone_is_refused_in_a_sentence() -> None:
    call_command("cleanup", "--all")
    Operation.objects.update(state="purged")

    with pytest.raises(CommandError, match="removed for good") as raised:
        call_command("undo", str(Operation.objects.get().pk))

    assert raised.value.returncode == 1
