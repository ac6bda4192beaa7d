"""System checks: what is unsafe or missing, each with an id and what to do."""

from collections.abc import Sequence
from typing import Any

from celery import current_app
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags
from django.core.checks import Warning as Caution
from kombu.exceptions import OperationalError

Apps = Sequence[AppConfig] | None


def register_all() -> None:
    """Called once by the app config."""
    checks.register(check_secret_key, Tags.security)
    checks.register(check_https, Tags.security, deploy=True)
    checks.register(check_time, Tags.compatibility)
    checks.register(check_workers, Tags.compatibility)
    checks.register(check_addresses, Tags.security)
    checks.register(check_broker, Tags.database)
    checks.register(check_links, Tags.compatibility)


def check_secret_key(app_configs: Apps = None, **kwargs: Any) -> list[CheckMessage]:
    """Whoever guesses it signs sessions of anybody."""
    if len(settings.SECRET_KEY) >= settings.SHORTEST_SECRET:
        return []
    return [
        Error(
            "SECRET_KEY is too short to sign sessions safely.",
            hint=f"Set it to {settings.SHORTEST_SECRET} random characters or more.",
            id="integration.E001",
        )
    ]


def check_https(app_configs: Apps = None, **kwargs: Any) -> list[CheckMessage]:
    """Only a loopback demonstration may do without."""
    if settings.HTTPS:
        return []
    return [
        Caution(
            "Pages and cookies travel without encryption.",
            hint="Leave SYNCERRORS_HTTPS at 1 where others than this machine connect.",
            id="integration.W001",
        )
    ]


def check_time(app_configs: Apps = None, **kwargs: Any) -> list[CheckMessage]:
    """Watermarks and clean-ups compare moments: all are aware and UTC."""
    if settings.USE_TZ and settings.CELERY_TIMEZONE == "UTC":
        return []
    return [
        Error(
            "Moments would be stored without their zone.",
            hint="Leave USE_TZ on and CELERY_TIMEZONE at UTC.",
            id="integration.E003",
        )
    ]


def check_workers(app_configs: Apps = None, **kwargs: Any) -> list[CheckMessage]:
    """What keeps two workers off one run, and a lost message from being lost (D5)."""
    found: list[CheckMessage] = []
    if settings.TAKE_UP_SECONDS < 2 * settings.HEARTBEAT_SECONDS:
        found.append(
            Error(
                "A run would be taken from a worker that is alive.",
                hint="Set SYNCERRORS_TAKE_UP_SECONDS to at least twice "
                "SYNCERRORS_HEARTBEAT_SECONDS.",
                id="integration.E004",
            )
        )
    visible = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("visibility_timeout", 3600)
    if visible <= settings.CELERY_TASK_TIME_LIMIT:
        found.append(
            Error(
                "The broker would deliver a task again while it still runs.",
                hint="Keep CELERY_TASK_TIME_LIMIT below the visibility timeout.",
                id="integration.E005",
            )
        )
    if getattr(settings, "CELERY_RESULT_BACKEND", None):
        found.append(
            Error(
                "A result backend on the broker loses tasks when the broker dies.",
                hint="Leave CELERY_RESULT_BACKEND unset; the database holds results.",
                id="integration.E006",
            )
        )
    return found


def check_addresses(app_configs: Apps = None, **kwargs: Any) -> list[CheckMessage]:
    """A wildcard would let anybody point this server anywhere (D13)."""
    found: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Caution(
                "ALLOWED_HOSTS accepts any host name.",
                hint="Name the hosts under which this site is reached.",
                id="integration.W002",
            )
        )
    if {"*", ".", ""} & set(settings.ALLOWED_REMOTE_HOSTS):
        found.append(
            Error(
                "ALLOWED_REMOTE_HOSTS lets this server call any host.",
                hint="Name the hosts of Business Central, Sales and their sign-in.",
                id="integration.E007",
            )
        )
    return found


def check_links(app_configs: Apps = None, **kwargs: Any) -> list[CheckMessage]:
    """A message without the way to its problem is of little use."""
    is_on = settings.ALERTS_BY_MAIL or settings.ALERTS_WEBHOOK_URL
    if settings.PUBLIC_URL or not is_on:
        return []
    return [
        Caution(
            "The links in mails and posts lead to 127.0.0.1.",
            hint="Set PUBLIC_URL to the address under which people open the pages.",
            id="integration.W004",
        )
    ]


def check_broker(
    app_configs: Apps = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Asked only with ``check --database default``: it needs the network."""
    if not databases:
        return []
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except (OperationalError, OSError):
        return [
            Caution(
                "The broker cannot be reached: runs and retries wait in the database.",
                hint="Start it, or set REDIS_URL to one that runs.",
                id="integration.W003",
            )
        ]
    return []
