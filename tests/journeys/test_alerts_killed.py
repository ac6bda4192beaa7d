"""A sender that is killed: neither a mail nor a post ever goes twice."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.outside import REPOSITORY, environment, manage
from tests.services.mail_server import mail_server, web_server

pytestmark = pytest.mark.journey
LONG_AGO = "2020-01-01 00:00:00"
SET_UP = "import django; django.setup();"
WAITING = (
    SET_UP + "from integration.models import *; from integration import clock;"
    "from uuid import uuid4; now = clock.now();"
    "user, _ = User.objects.get_or_create(username='anna', email='anna@example.com');"
    "whom = user if {channel!r} == 'mail' else None;"
    "to, _ = AlertRecipient.objects.get_or_create(channel={channel!r}, user=whom);"
    "AlertMessage.objects.create(recipient=to, key=uuid4(), is_test=True,"
    " created_at=now, due_at=now)"
)
SEND = SET_UP + "from integration.tasks import send_alerts; send_alerts()"


class Sender:
    """Processes that send what is due, on a database of their own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.settings: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, code: str) -> int:
        """To its end; minus nine for one that was killed."""
        told = {"DJANGO_SETTINGS_MODULE": "syncerrors.settings", **self.settings}
        self.process = subprocess.Popen(  # noqa: S603  # our own code
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env=environment(self.data) | told,
            stderr=subprocess.DEVNULL,
        )
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """As a power cut would; gone when this returns."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def database(self, statement: str) -> list[tuple[Any, ...]]:
        place = self.data / "syncerrors.sqlite3"
        with closing(sqlite3.connect(place, timeout=20)) as base, base:
            return base.execute(statement).fetchall()

    def killed_in_between(self, arrived: Callable[[], int]) -> None:
        """The rest is the same for both: it ends as not known, and nothing follows."""
        assert self.run(SEND) == -signal.SIGKILL
        told = arrived()
        assert self.states() == [("sending",)]
        assert self.run(SEND) == 0
        assert self.states() == [("sending",)]

        aged = "UPDATE integration_alertmessage SET claimed_at = "
        self.database(f"{aged}'{LONG_AGO}' WHERE state = 'sending'")
        for _n in range(2):
            assert self.run(SEND) == 0

        assert self.states() == [("unknown",)]
        assert arrived() == told <= 1

    def states(self) -> list[tuple[Any, ...]]:
        latest = "SELECT max(id) FROM integration_alertmessage"
        return self.database(
            f"SELECT state FROM integration_alertmessage WHERE id = ({latest})"  # noqa: S608
        )


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Sender:
    data = tmp_path_factory.mktemp("alerts")
    assert manage(data, "migrate", "--verbosity", "0").code == 0
    return Sender(data)


@pytest.mark.parametrize("command", ["RCPT", "DATA", "QUIT"])
def test_a_mail_is_never_sent_twice_wherever_its_sender_is_killed(
    sender: Sender, command: str
) -> None:
    with mail_server() as box:
        sender.settings = {"EMAIL_URL": f"smtp://127.0.0.1:{box.port}"}
        sender.run(WAITING.format(channel="mail"))
        box.at[command] = sender.kill
        sender.killed_in_between(lambda: len(box.mails))

    assert len(box.mails) == (command != "RCPT")


def test_a_post_is_never_sent_twice_when_its_sender_is_killed_meanwhile(
    sender: Sender,
) -> None:
    with web_server() as hook:
        sender.settings = {"ALERTS_WEBHOOK_URL": hook.url}
        sender.run(WAITING.format(channel="webhook"))
        hook.meanwhile = sender.kill
        sender.killed_in_between(lambda: len(hook.posts))

    assert len(hook.posts) == 1
