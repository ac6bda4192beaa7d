"""``manage.py doctor``."""

import json

import pytest
from django.core.management import call_command
from pytest_django import Settings

from integration.models import Connection
from tests.factories import make_user
from tests.running import Systems

pytestmark = pytest.mark.django_db


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", *options)
    return int(ended.value.code or 0), capsys.readouterr().out


def test_a_sound_connection_is_told_line_by_line(
    systems: Systems, capsys: pytest.CaptureFixture[str]
) -> None:
    systems.connect(make_user())

    code, out = doctor(capsys)

    assert code == 0
    assert "ok   Both APIs answer: Business Central lets us in. Sales lets us" in out
    assert out.count("\n  ok ") == 12 + 1
    assert "FAIL" not in out


def test_what_is_wrong_comes_with_what_to_do_and_exit_code_one(
    demo_systems: Systems, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_systems.connect(make_user())

    code, out = doctor(capsys, "--json")

    report = json.loads(out)
    paused, unfit = report["connections"][1:]
    (wrong,) = [line for line in unfit["lines"] if line["state"] == "fail"]
    assert {len(one["lines"]) for one in report["connections"]} == {12}
    assert code == 1
    assert wrong["article"] == "setup-integration-user-is-admin"
    assert wrong["to_do"]
    assert "pagetype=entityrecord&etn=systemuser" in wrong["page"]
    assert paused["paused"]


def test_it_resumes_what_a_failure_had_paused(
    demo_systems: Systems, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_systems.connect(make_user())
    accounts = demo_systems.store.table("entra:accounts")
    for account in accounts.rows():
        accounts.update(account, {"state": "ok"})

    _code, out = doctor(capsys)

    assert "goes on now" in out
    assert not Connection.objects.exclude(paused_at=None).exists()


def test_an_administrator_is_not_called_fit_before(
    demo_systems: Systems, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_systems.connect(make_user())

    _code, out = doctor(capsys)

    lines = out.splitlines()
    (place,) = (n for n, line in enumerate(lines) if "is an administrator." in line)
    assert lines[place].startswith("  FAIL The integration user is not an adm")
    assert "“# Services Set-up” is enabled and licensed, with" in lines[place - 1]
    assert "fit to be" not in out


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("redis://127.0.0.1:9/0", "Check REDIS_URL."),
        ("", "It runs with quickstart or serve; or name one in REDIS_URL."),
    ],
)
def test_what_is_worth_knowing_comes_with_what_to_do_as_well(
    url: str,
    advice: str,
    systems: Systems,
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
) -> None:
    settings.REDIS_URL = url

    _code, out = doctor(capsys)

    assert (
        "  note The broker cannot be reached; runs wait in the database.\n"
        f"       {advice}\n" in out
    )
