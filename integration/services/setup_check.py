"""Looks at the set-up of one connection, question by question, as a person would.

It writes nothing but what it learns about the endpoints: the company's name and the
integration user's id, which links need.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from urllib.parse import urlsplit

from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import CheckState, CheckStep, SignIn, System
from integration.connectors.auth import SIGN_IN
from integration.connectors.base import Identity
from integration.connectors.business_central import BusinessCentral
from integration.connectors.errors import RemoteError
from integration.connectors.sales import Sales
from integration.core.outcomes import Finding
from integration.models import Connection, Endpoint
from integration.services.articles import cause_of
from integration.services.check_lines import (
    CheckLine,
    attempted,
    found,
    passed,
    refused,
    said,
)
from integration.services.credentials import CredentialUnreadable, read_secret
from integration.services.currency_check import check_money
from integration.services.endpoints import (
    AddressNotAllowed,
    CompanyNotNamed,
    open_business_central,
    open_sales,
)
from integration.services.integration_user import (
    check_integration_user,
    integration_role,
)
from integration.services.privilege_check import check_privileges
from integration.services.second_engine import second_engine
from integration.services.sentences import sentence
from integration.services.unusable import Unusable

WARN_DAYS = (7, 30)
_WAY_IN = (
    *(CheckStep.HOSTS, CheckStep.ENCRYPTION, CheckStep.SIGN_IN, CheckStep.API),
    CheckStep.ENVIRONMENT,
)
"""What the first call to a system passes, in this order."""
_FURTHER = {System.BUSINESS_CENTRAL: CheckStep.COMPANY, System.SALES: CheckStep.USER}
"""What it answers at the end."""
_STOPPED_AT = {
    **dict.fromkeys(("net-unreachable", "net-timeout", "net-proxy"), CheckStep.HOSTS),
    "net-certificate": CheckStep.ENCRYPTION,
    "bc-auth-rejected": CheckStep.SIGN_IN,
    "dv-auth-rejected": CheckStep.SIGN_IN,
    "bc-company-not-found": CheckStep.COMPANY,
    "bc-environment-not-found": CheckStep.ENVIRONMENT,
    "dv-org-disabled": CheckStep.ENVIRONMENT,
    "dv-admin-mode": CheckStep.ENVIRONMENT,
    "dv-not-member-of-org": CheckStep.USER,
    "dv-user-no-license": CheckStep.USER,
    "dv-user-no-roles": CheckStep.USER,
    "setup-user-disabled": CheckStep.USER,
    "setup-user-does-not-exist": CheckStep.USER,
    "dv-missing-privilege": CheckStep.PRIVILEGES,
}
"""The question an article answers; another refusal is that of the sign-in or API."""
_OURS: dict[type[Unusable], CheckStep] = {
    AddressNotAllowed: CheckStep.HOSTS,
    CredentialUnreadable: CheckStep.SIGN_IN,
    CompanyNotNamed: CheckStep.COMPANY,
}
"""What we refuse ourselves, before anybody is called."""
_BEHIND = {
    CheckStep.HOSTS: gettext_noop("{system}: {host} answers."),
    CheckStep.ENCRYPTION: gettext_noop("{system}: the certificate of {host} is valid."),
    CheckStep.SIGN_IN: gettext_noop("{system} accepts the sign-in."),
    CheckStep.API: gettext_noop("{system} lets us in."),
    CheckStep.ENVIRONMENT: gettext_noop("{system}: “{environment}”."),
}
_NOT_REACHED = gettext_noop("{system}: not checked yet, because of what failed before.")


def examine(connection: Connection, fetched: Counter[str]) -> Iterator[CheckLine]:
    """Every line. What a system refuses becomes a line, never an exception.

    ``fetched`` counts by entity the records that were read.
    """
    bc_endpoint, sales_endpoint = connection.business_central, connection.sales
    try:
        bc = open_business_central(bc_endpoint, for_check=True)
        sales = open_sales(sales_endpoint, for_check=True)
    except tuple(_OURS) as error:
        line = found(_OURS[type(error)], error.finding, blocks=True)
        of = error.finding.params.get("system", System.BUSINESS_CENTRAL)
        yield replace(line, told=error.told, system=of, stops=True)
        return
    with closing(bc), closing(sales):
        bc_lines = list(_enter(bc_endpoint, bc.identity, _company))
        yield from bc_lines
        if _is_refused_sign_in(bc_lines) and _sign_in_alike(connection):
            # Once more would bring the account nearer to being locked.
            yield from _not_reached(sales_endpoint, _WAY_IN)
            return
        sales_lines = list(_enter(sales_endpoint, sales.identity, _user))
        yield from sales_lines
        if not any(line.blocks for line in bc_lines):
            yield from _ask(connection, bc, sales, sales_lines)
            fetched.update(bc.fetched)
            fetched.update(sales.fetched)
    yield from _look_at_secrets(connection)


def _ask(
    connection: Connection,
    bc: BusinessCentral,
    sales: Sales,
    sales_lines: list[CheckLine],
) -> Iterator[CheckLine]:
    """What only a system that lets us in can be asked."""
    step = CheckStep.SECOND_ENGINE
    yield from attempted(step, _look_at_engines(connection, bc))
    if any(line.blocks and not line.finding for line in sales_lines):
        return  # it did not let us in, or was asked too often: no user is known
    for step, lines in (
        (CheckStep.PRIVILEGES, check_privileges(connection, bc, sales)),
        (CheckStep.CURRENCIES, check_money(connection, bc, sales)),
    ):
        yield from attempted(step, lines)


def _is_refused_sign_in(lines: list[CheckLine]) -> bool:
    return any(line.failure and line.failure.operation == SIGN_IN for line in lines)


def _sign_in_alike(connection: Connection) -> bool:
    """Whether both sides are entered with the same account."""
    one, other = connection.business_central, connection.sales
    named = ("authority", "tenant_id", "sign_in", "client_id", "user_name")
    alike = all(getattr(one, name) == getattr(other, name) for name in named)
    return alike and read_secret(one) == read_secret(other)


def _enter(
    endpoint: Endpoint,
    ask: Callable[[], Identity],
    learn: Callable[[Endpoint, Identity], Iterator[CheckLine]],
) -> Iterator[CheckLine]:
    """What the first call tells: how far one comes, and who answers at the end."""
    steps = (*_WAY_IN, _FURTHER[System(endpoint.kind)])
    try:
        identity = ask()
    except RemoteError as error:
        line = refused(_step_of(error), error, endpoint.kind)
        behind = [one for one in takewhile(line.step.__ne__, steps) if one in _WAY_IN]
        signs_in = error.failure.operation == SIGN_IN
        # Who did not come past the sign-in has met nobody else.
        met = endpoint.authority if signs_in else endpoint.base_url
        yield from (_is_behind(endpoint, step, met) for step in behind)
        yield line
        ahead = [one for one in steps if one not in {line.step, *behind}]
        yield from _not_reached(endpoint, ahead)
        return
    yield from (_is_behind(endpoint, step, endpoint.base_url) for step in _WAY_IN)
    yield from learn(endpoint, identity)


def _step_of(error: RemoteError) -> CheckStep:
    failure = error.failure
    step = _STOPPED_AT.get(cause_of(failure, None).article)
    if step is None or (step is CheckStep.HOSTS and failure.status):
        # Whatever answered, the host is there: the address behind it is wrong.
        return CheckStep.SIGN_IN if failure.operation == SIGN_IN else CheckStep.API
    return step


def _is_behind(endpoint: Endpoint, step: CheckStep, met: str) -> CheckLine:
    text = _BEHIND[step]
    is_safe = urlsplit(met).scheme == "https"
    if step is CheckStep.ENCRYPTION and not is_safe:
        text = gettext_noop("{system} is simulated: nothing leaves this machine.")
    host = urlsplit(met).netloc
    return passed(
        step,
        text,
        of=endpoint.kind,
        system=str(System(endpoint.kind).label),
        host=host,
        environment=endpoint.environment or host,
    )


def _not_reached(endpoint: Endpoint, steps: Iterable[CheckStep]) -> Iterator[CheckLine]:
    """What keeps a row from passing because one of its two sides was not asked."""
    told = sentence(_NOT_REACHED, system=str(System(endpoint.kind).label))
    for step in steps:
        yield CheckLine(step, CheckState.UNCHECKED, told, endpoint.kind)


def _company(endpoint: Endpoint, company: Identity) -> Iterator[CheckLine]:
    old, name = endpoint.company_name, company.name
    Endpoint.objects.filter(pk=endpoint.pk).update(company_name=name)
    endpoint.company_name = name
    if old and old != name:
        yield said(
            CheckStep.COMPANY,
            gettext_noop("The company “{old}” is called “{new}” now; links follow."),
            old=old,
            new=name,
        )
    else:
        text = gettext_noop("The company is “{name}”.")
        yield passed(CheckStep.COMPANY, text, of=endpoint.kind, name=name)


def _user(endpoint: Endpoint, user: Identity) -> Iterator[CheckLine]:
    endpoint.integration_user_id = user.user_id
    endpoint.integration_role_id = integration_role(user)
    endpoint.save(update_fields=["integration_user_id", "integration_role_id"])
    yield from check_integration_user(user)
    if endpoint.sign_in == SignIn.USER_ACCOUNT:
        yield said(
            CheckStep.SIGN_IN,
            gettext_noop(
                "This connection signs in with a user's password, which can expire; "
                "an app registration cannot be asked to change one."
            ),
        )


def _look_at_engines(
    connection: Connection, bc: BusinessCentral
) -> Iterator[CheckLine]:
    step = CheckStep.SECOND_ENGINE
    look = second_engine(bc, list(connection.mappings.values_list("name", flat=True)))
    yield from (found(step, finding) for finding in look.findings)
    if not look.could_look:
        yield said(
            step,
            gettext_noop(
                "We could not look whether Business Central synchronizes the same "
                "tables: the right to job queue entries is missing."
            ),
        )
    elif not look.findings:
        text = gettext_noop("No job queue entry of it is ready or running.")
        yield passed(step, text)


def _look_at_secrets(connection: Connection) -> Iterator[CheckLine]:
    """An error of its own 30 and 7 days before the end (D8)."""
    for endpoint in (connection.business_central, connection.sales):
        ends = endpoint.secret_expires_at
        if ends is None:
            continue
        left = ends - clock.now()
        for days in WARN_DAYS:
            if left <= timedelta(days=days):
                warning = _expiry(endpoint, ends, days)
                yield found(CheckStep.SIGN_IN, warning, state=CheckState.WARN)
                break


def _expiry(endpoint: Endpoint, ends: datetime, days: int) -> Finding:
    date = ends.date().isoformat()
    return Finding(
        "secret-expires-soon",
        {"system": endpoint.kind, "date": date, "threshold": str(days)},
        f"The secret of {endpoint.name} is valid until {date}.",
    )
