"""What quickstart says of its steps."""

import pytest

from integration.choices import CheckState, CheckStep
from integration.management.quickstart import state_of
from integration.services.check_lines import CheckLine
from integration.services.connections import CheckResult
from integration.services.sentences import sentence
from tests.factories import make_connection


@pytest.mark.django_db
def test_a_connection_that_runs_though_its_check_failed_says_why() -> None:
    connection = make_connection(name="Léman")
    away = sentence("Sales is away.")

    line = CheckLine(CheckStep.API, CheckState.FAIL, away)

    assert state_of(CheckResult(connection, ())) == "Léman runs"
    assert state_of(CheckResult(connection, (line,))) == "Léman runs (Sales is away.)"
