"""The connections of a demonstration, made from what simulators say of themselves."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from integration.choices import Role, SignIn, System
from integration.models import Connection, Endpoint, User
from integration.services.connections import (
    CheckResult,
    NotFit,
    check_connection,
    enable,
)
from integration.services.credentials import keep_secret
from integration.services.mappings import create_standard_mappings

INTERVAL_SECONDS = 30
SALES_APP = "msdynce_saleshub"
NAME = "admin"
_MORE_TRIES = 2


@dataclass(frozen=True, slots=True)
class Administrator:
    """``password`` is "" when it was set on an earlier start: nobody knows it now."""

    user: User
    password: str


def make_administrator() -> Administrator:
    """The user of quickstart; kept as they are on later starts."""
    wanted = settings.ADMIN_PASSWORD
    user = User.objects.filter(username=NAME).first()
    if user is None:
        password = wanted or secrets.token_urlsafe(12)
        user = User.objects.create_user(
            NAME, password=password, role=Role.ADMINISTRATOR, is_staff=True
        )
        return Administrator(user, password)
    if wanted and not user.check_password(wanted):
        user.set_password(wanted)
        user.save(update_fields=["password"])
    return Administrator(user, wanted)


def make_connections(simulators: Mapping[str, Any], by: User) -> list[CheckResult]:
    """Make or update each connection the simulators describe, and check it.

    One that is not enabled yet is, if its check lets it. One that signs in with a user
    account has been running: what its check finds pauses it.
    """
    return [_make(simulators, described, by) for described in simulators["connections"]]


def _make(
    simulators: Mapping[str, Any], described: Mapping[str, str], by: User
) -> CheckResult:
    with transaction.atomic():
        connection, is_new = _connection(simulators, described)
        if is_new:
            create_standard_mappings(connection, interval_seconds=INTERVAL_SECONDS)
    result = _checked(connection, by)
    for _ in range(_MORE_TRIES):
        if result.may_pass_by_itself:
            result = _checked(connection, by)
    return result


def _checked(connection: Connection, by: User) -> CheckResult:
    if connection.enabled:
        return check_connection(connection, by)
    try:
        return enable(connection, by)
    except NotFit as refusal:
        return refusal.result


def _connection(
    simulators: Mapping[str, Any], described: Mapping[str, str]
) -> tuple[Connection, bool]:
    name = described["name"]
    bc = _endpoint(simulators, described, System.BUSINESS_CENTRAL)
    sales = _endpoint(simulators, described, System.SALES)
    return Connection.objects.get_or_create(
        name=name,
        defaults={
            "business_central": bc,
            "sales": sales,
            "enabled": described["sign_in"] == SignIn.USER_ACCOUNT,
        },
    )


def _endpoint(
    simulators: Mapping[str, Any], described: Mapping[str, str], system: System
) -> Endpoint:
    """By name; its addresses follow the simulators' port."""
    is_sales = system == System.SALES
    address = simulators["sales_web_url" if is_sales else "bc_web_url"]
    name = f"{described['name']} – {system.label}"
    endpoint = Endpoint.objects.filter(name=name).first() or Endpoint(name=name)
    endpoint.kind = system
    endpoint.base_url = endpoint.web_url = address
    endpoint.authority = simulators["authority"]
    endpoint.tenant_id = simulators["tenant"]
    endpoint.environment = simulators["environment"]
    endpoint.is_simulator = True
    if is_sales:
        endpoint.app_unique_name = SALES_APP
    else:
        endpoint.company_id = described["company_id"]
    if not endpoint.secret:
        _fill(endpoint, described)
    endpoint.save()
    return endpoint


def _fill(endpoint: Endpoint, described: Mapping[str, str]) -> None:
    """At first only: a secret changed on the page, or a name read since, stays."""
    if endpoint.kind == System.BUSINESS_CENTRAL:
        endpoint.company_name = described["company_name"]
    endpoint.sign_in = SignIn(described["sign_in"])
    endpoint.client_id = described["client_id"]
    endpoint.user_name = described.get("user", "")
    keep_secret(endpoint, described.get("client_secret") or described["password"])
