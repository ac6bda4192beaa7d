"""``manage.py sync`` and ``review``: in the foreground, without a broker."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integration.connectors import transport
from integration.management.summary import summarize
from integration.models import Connection, Job, Operation
from integration.services.endpoints import shared_tokens
from integration.services.pauses import pause
from integration.simulators.faults import Faults
from tests.factories import make_connection, make_mapping, make_user
from tests.running import Systems

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(systems: Systems) -> Connection:
    return systems.connect(make_user())[0]


def run(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str, str]:
    """Exit code, output and what went beside it."""
    with pytest.raises(SystemExit) as ended:
        call_command(*command)
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def as_json(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, Any]:
    code, out, _ = run(capsys, *command, "--json")
    return code, json.loads(out)


def test_a_review_shows_its_plan_and_writes_nothing(
    systems: Systems, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = as_json(capsys, "review")

    plans = {one["mapping"]: one["plan"] for one in shown["reviews"]}
    assert code == 0
    assert plans["CUSTOMER"]["create_in_sales"] == 8
    assert all(one["method"] == "GET" for one in systems.asked("sales"))
    assert not connection.mappings.exclude(reviewed_at=None).exists()


def test_an_accepted_review_is_an_operation_of_the_command_line(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "review", "CURRENCY", "--accept")[0] == 0

    assert connection.mappings.get(name="CURRENCY").reviewed_at
    assert Operation.objects.get(kind="accept").by_name == "command line"


def test_sync_runs_in_order_of_dependency_and_prints_counts(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "review", "--accept")

    code, shown = as_json(capsys, "sync")

    assert code == 0
    assert [one["mapping"] for one in shown["runs"]] == ["CURRENCY", "CUSTOMER"]
    assert shown["runs"][1]["directions"]["to_sales"]["inserted"] == 8


def test_a_failed_record_is_exit_code_one(
    systems: Systems, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    customers = systems.company("customers")
    customers.update(customers.rows()[0], {"website": "x" * 240})
    run(capsys, "review", "--accept")

    code, _, err = run(capsys, "sync")

    assert (code, "Traceback" in err) == (1, False)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_who_does_not_answer_is_named_once_beside_the_answer(
    systems: Systems,
    connection: Connection,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    run(capsys, "review", "--accept")
    shared_tokens.cache_clear()
    monkeypatch.setattr(transport, "UNANSWERED_SECONDS", 0.02)
    Faults.of(systems.store).add({"latency_ms": 200})

    _, out, err = run(capsys, "sync", "CURRENCY", *options)

    told = [line for line in err.splitlines() if "does not answer" in line]
    named = {line.split(" does")[0] for line in told}
    assert named == {
        *("Business Central", "The sign-in for Business Central"),
        *("Sales", "The sign-in for Sales"),
    }
    assert len(told) == len(named)
    assert all("if nothing comes, it is given up at" in line for line in told)
    assert "does not answer" not in out


def test_a_dry_run_writes_nothing(
    systems: Systems, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "review", "--accept")
    run(capsys, "sync", "CURRENCY")
    before = len([one for one in systems.asked("sales") if one["method"] != "GET"])

    code, shown = as_json(capsys, "sync", "CUSTOMER", "--dry-run")

    assert code == 0
    assert shown["runs"][0]["directions"]["to_sales"]["inserted"] == 8
    assert not Job.objects.filter(kind="sync", mapping__name="CUSTOMER").exists()
    asked = [*systems.asked("business_central"), *systems.asked("sales")]
    mapped = {"customers", "accounts", "currencies", "transactioncurrencies"}
    told = sum(one["records"] for one in asked if one["entity"] in mapped)
    assert summarize([]).read == told
    after = [one for one in systems.asked("sales") if one["method"] != "GET"]
    assert len(after) == before


def test_one_direction_alone(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "review", "--accept")

    _, shown = as_json(capsys, "sync", "CUSTOMER", "--direction", "to-bc")

    assert list(shown["runs"][0]["directions"]) == ["to_business_central"]


@pytest.mark.parametrize("command", ["sync", "review"])
@pytest.mark.parametrize("name", ["customr", "", " "])
def test_an_unknown_mapping_is_one_sentence_naming_the_known(
    connection: Connection, command: str, name: str
) -> None:
    said = f"no mapping “{name}”; there are: CURRENCY, CUSTOMER"
    with pytest.raises(CommandError, match=said):
        call_command(command, name)


def test_an_unknown_connection_is_one_sentence(connection: Connection) -> None:
    with pytest.raises(CommandError, match="There is no connection “X”") as refused:
        call_command("sync", "--connection", "X")
    assert refused.value.returncode == 2


def test_a_named_mapping_that_cannot_run_says_why(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    pause(connection, make_user(), "year end")

    code, _, err = run(capsys, "sync", "CURRENCY")

    assert code == 2
    assert "is paused: year end" in err


def test_without_a_running_connection_there_is_nothing_to_do(
    connection: Connection,
) -> None:
    pause(connection, make_user(), "year end")

    name = str(connection)
    make_mapping("CURRENCY", connection=make_connection(name="X", enabled=False))

    with pytest.raises(CommandError) as refused:
        call_command("sync")

    assert str(refused.value) == (
        f"There is nothing to synchronize. The connection “{name}” is paused: year "
        "end. The connection “X” is not enabled."
    )


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_direction_leaves_out_the_mappings_that_do_not_go_there(
    connection: Connection, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    run(capsys, "review", "--accept")

    code, shown = as_json(capsys, "sync", "--direction", "to-bc", *more)

    assert code == 0
    assert [one["mapping"] for one in shown["runs"]] == ["CUSTOMER"]
    make_mapping("CURRENCY", direction="to_sales")
    with pytest.raises(CommandError, match="Nothing of CURRENCY goes in the direction"):
        call_command("sync", "CURRENCY", "--direction", "to-bc", *more)


def test_a_mapping_that_contradicts_itself_is_said_in_a_sentence(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "review", "--accept")
    fields = connection.mappings.get(name="CUSTOMER").fields
    fields.filter(bc_field="currencyCode").update(lookup="TERMS")

    code, _, err = run(capsys, "sync", "CUSTOMER")

    assert code == 2
    assert "currencyCode is looked up by TERMS" in err
    assert "log" not in err
