"""System checks, each by its id."""

from typing import Any

import pytest
from pytest_django import Settings

from integration import checks


def ids(check: Any, **arguments: Any) -> list[str]:
    return [message.id for message in check(None, **arguments)]


@pytest.mark.parametrize(
    ("check", "name", "value", "id"),
    [
        (checks.check_secret_key, "SECRET_KEY", "short", "integration.E001"),
        (checks.check_time, "USE_TZ", False, "integration.E003"),
        (checks.check_time, "CELERY_TIMEZONE", "Europe/Zurich", "integration.E003"),
        (checks.check_workers, "TAKE_UP_SECONDS", 9, "integration.E004"),
        (checks.check_workers, "CELERY_TASK_TIME_LIMIT", 600, "integration.E005"),
        (checks.check_workers, "CELERY_RESULT_BACKEND", "redis://", "integration.E006"),
        (checks.check_https, "HTTPS", False, "integration.W001"),
        (checks.check_addresses, "ALLOWED_HOSTS", ["*"], "integration.W002"),
        (checks.check_addresses, "ALLOWED_REMOTE_HOSTS", ["."], "integration.E007"),
        (checks.check_links, "ALERTS_BY_MAIL", True, "integration.W004"),
    ],
)
def test_what_is_unsafe_is_named(
    settings: Settings, check: Any, name: str, value: object, id: str
) -> None:
    setattr(settings, name, value)

    assert ids(check) == [id]


@pytest.mark.parametrize(
    "check",
    [
        checks.check_secret_key,
        checks.check_time,
        checks.check_workers,
        checks.check_addresses,
        checks.check_links,
    ],
)
def test_the_settings_as_they_come_are_safe(check: Any) -> None:
    assert ids(check) == []


def test_https_is_on_unless_somebody_turned_it_off(settings: Settings) -> None:
    settings.HTTPS = True

    assert ids(checks.check_https) == []


def test_a_broker_out_of_reach_is_told_only_when_asked() -> None:
    assert ids(checks.check_broker) == []
    assert ids(checks.check_broker, databases=["default"]) == ["integration.W003"]


def test_a_broker_that_answers_is_no_finding(broker: None) -> None:
    assert ids(checks.check_broker, databases=["default"]) == []


def test_every_finding_says_what_to_do(settings: Settings) -> None:
    settings.SECRET_KEY = "short"

    assert all(message.hint for message in checks.check_secret_key())
