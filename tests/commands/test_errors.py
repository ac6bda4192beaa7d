import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integration.services import cells
from tests.factories import SOME_TIME, make_error, make_mapping

pytestmark = pytest.mark.django_db


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    call_command("errors", *words)
    return capsys.readouterr().out


def test_lists_open_errors_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    make_error(bc_number="10000", bc_name="Garage du Léman", sales_name="")
    make_error(state="resolved")
    cells.rebuild()

    lines = run(capsys).splitlines()

    assert len(lines) == 1
    assert lines[0].split("\t")[2:] == [
        "CUSTOMER",
        "10000 Garage du Léman",
        "–",
        "Name is longer than 100 characters",
    ]


def test_a_name_moves_no_cursor_and_makes_no_second_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_error(bc_number="1", bc_name="\x1b]0;x\x07\x1b[2Ja\r\nb\tc\x9bd\u202ee")
    cells.rebuild()

    [line] = run(capsys).split("\n")[:-1]

    assert line.split("\t")[3] == "1  ]0;x [2Ja b c d e"


@pytest.mark.parametrize(
    "words", [["mapping=CURRENCY", "state=all"], ["mapping=CURRENCY&state=all"]]
)
def test_filters_are_those_of_the_pages_address(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    make_error()
    kept = make_error(mapping_key="CURRENCY", state="resolved")
    cells.rebuild()

    value: dict[str, Any] = json.loads(run(capsys, *words, "--json"))

    assert [error["id"] for error in value["errors"]] == [kept.pk]
    assert value["counts"] == {"open": 0, "waiting": 0, "ignored": 0, "resolved": 1}


@pytest.mark.parametrize(
    "word",
    [
        "q=&who=&mapping=&state=resolved",
        "state=resolved&q=",
        "?state=all&mapping=CURRENCY",
        "?state=all&record=%7Babc%7D",
        "?q=Gen%C3%A8ve+%26+Nyon&state=all",
    ],
)
def test_an_address_may_be_copied_with_its_blanks_and_its_question_mark(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_error()
    kept = make_error(
        mapping_key="CURRENCY",
        state="resolved",
        record_key="{abc}",
        search_text="Genève & Nyon",
    )
    cells.rebuild()

    assert [line.split("\t")[0] for line in run(capsys, word).splitlines()] == [
        str(kept.pk)
    ]


@pytest.mark.parametrize("word", ["q=Gen%C3%A8ve+AG", "q=Gen%C3%A8ve%20AG"])
def test_one_filter_of_an_address_is_read_as_an_address_is(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_error(search_text="Genève AG")
    cells.rebuild()

    assert len(run(capsys, word).splitlines()) == 1


@pytest.mark.parametrize("text", ["100%", "5%AB", "a%20 b", "R&D", "+41 22", "A+B"])
def test_what_a_person_types_is_looked_for_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_error(search_text=f"So {text} so")
    cells.rebuild()

    assert len(run(capsys, f"q={text}").splitlines()) == 1


def test_json_has_the_words_of_the_pages_and_moments_that_sort(
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_error(bc_number="10000", occurrences=12)
    cells.rebuild()

    error = json.loads(run(capsys, "--json"))["errors"][0]

    assert error["title"] == "Name is longer than 100 characters"
    assert error["business_central"]["number"] == "10000"
    assert error["last_seen"] == "2026-11-01T08:00:00+00:00"
    assert (error["times"], error["settled_at"]) == (12, None)
    assert not [name for name in error if "__" in name]


def test_a_long_list_goes_on_after_its_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(3):
        make_error()
    cells.rebuild()
    first = run(capsys, "size=2", "sort=record").splitlines()

    rest = run(capsys, "size=2", "sort=record", first[2].rpartition(" ")[2])

    assert len(rest.splitlines()) == 1
    assert rest.splitlines()[0] not in first


def test_a_list_too_long_for_its_sort_says_so_and_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.services.error_reading.MOST_HITS", 2)
    made = [make_error(last_seen=SOME_TIME + timedelta(n)).pk for n in range(3)]
    cells.rebuild()
    words = ("state=all", "sort=record", "size=2")

    call_command("errors", *words, "--json")
    first = capsys.readouterr()
    value = json.loads(first.out)
    rest = json.loads(run(capsys, *words, f"after={value['after']}", "--json"))

    found = [row["id"] for row in (*value["errors"], *rest["errors"])]
    assert found == made
    assert first.err == (
        "These are too many to be sorted by record; they come by last_seen.\n"
    )


def test_an_ampersand_may_be_searched_for(capsys: pytest.CaptureFixture[str]) -> None:
    make_error(bc_name="Müller & Söhne", search_text="Müller & Söhne")
    cells.rebuild()

    assert len(run(capsys, "q=Müller & Söhne").splitlines()) == 1


def test_a_mapping_is_named_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    make_mapping("CUSTOMER", connection=make_error().connection)
    cells.rebuild()

    assert len(run(capsys, "mapping=customer").splitlines()) == 1


def test_a_filter_that_finds_nothing_says_so_beside_the_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_error()
    cells.rebuild()

    call_command("errors", "mapping=CUSTOMER", "state=resolved")

    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "No entries.\n")
    assert json.loads(run(capsys, "state=resolved", "--json"))["errors"] == []


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("mapping=NOPE", "There is no mapping “NOPE”; there are: CURRENCY, CUSTOMER."),
        ("connection=9999", "There is no connection 9999; there are: {pk} (“{name}”)."),
        ("connection=Nope", "There is no connection Nope; there are: {pk} (“{name}”)."),
        ("problem=9999", "There is no cause 9999; the page By cause lists them."),
        ("job=9999", "There is no job 9999; the page Jobs lists them."),
        ("who=me", "who is one of administrator, user, itself."),
    ],
)
def test_a_value_that_names_nothing_is_said_with_those_there_are(
    word: str, sentence: str
) -> None:
    connection = make_error().connection
    make_mapping("CURRENCY", connection=connection)
    make_mapping("CUSTOMER", connection=connection)
    sentence = sentence.format(pk=connection.pk, name=connection.name)

    with pytest.raises(CommandError, match=re.escape(sentence)) as raised:
        call_command("errors", word, "--json")

    assert raised.value.returncode == 2


def test_what_a_mapping_left_behind_that_is_gone_can_be_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_error(mapping_key="VENDOR")
    cells.rebuild()

    assert len(run(capsys, "mapping=VENDOR").splitlines()) == 1


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("open", "“open” is no filter; write it as name=value."),
        ("colour=red", "There is no filter “colour”"),
        ("state=broken", "This makes no sense as a filter: state=broken."),
        ("sort=id", "This makes no sense as a filter: sort=id."),
        ("size=0", "This makes no sense as a filter: size=0."),
        ("after=xyz", "This makes no sense as a filter: after=xyz."),
        (f"size={'9' * 5000}", "This makes no sense as a filter: size=999"),
        ("q=\udcff", "This makes no sense as a filter: q="),
    ],
)
def test_bad_input_is_one_sentence(word: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence.replace("?", r"\?")) as raised:
        call_command("errors", word)

    assert raised.value.returncode == 2
