"""Looks at the set-up of one connection, line by line, as a person would.

It writes nothing but what it learns about the endpoints: the company's name and the
integration user's id, which links need.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

from django.utils.translation import gettext as _

from integration import clock
from integration.choices import SignIn
from integration.connectors.auth import SIGN_IN
from integration.connectors.business_central import BusinessCentral
from integration.connectors.errors import RemoteError
from integration.connectors.sales import Sales
from integration.core.outcomes import Finding
from integration.models import Connection, Endpoint
from integration.services.check_lines import (
    FAIL,
    WARN,
    CheckLine,
    found,
    passed,
    refused,
    said,
)
from integration.services.credentials import CredentialUnreadable, read_secret
from integration.services.currency_check import check_currencies
from integration.services.endpoints import (
    AddressNotAllowed,
    open_business_central,
    open_sales,
)
from integration.services.integration_user import (
    check_integration_user,
    integration_role,
)
from integration.services.second_engine import second_engine

BC, SALES = "business_central", "sales"
WARN_DAYS = (7, 30)


def examine(connection: Connection) -> Iterator[CheckLine]:
    """Every line in order. What a system refuses becomes a line, never an exception."""
    bc_endpoint, sales_endpoint = connection.business_central, connection.sales
    try:
        bc = open_business_central(bc_endpoint, for_check=True)
        sales = open_sales(sales_endpoint, for_check=True)
    except (AddressNotAllowed, CredentialUnreadable) as error:
        yield CheckLine("address", FAIL, str(error), blocks=True, told=error.told)
        return
    with closing(bc), closing(sales):
        bc_lines = list(_look_at_business_central(bc_endpoint, bc))
        yield from bc_lines
        if _is_refused_sign_in(bc_lines) and _sign_in_alike(connection):
            # Once more would bring the account nearer to being locked.
            return
        sales_lines = list(_look_at_sales(sales_endpoint, sales))
        yield from sales_lines
        if not any(line.state == FAIL for line in bc_lines):
            yield from _look_at_engines(connection, bc)
            if not any(line.failure for line in sales_lines):
                yield from _attempt("currencies", check_currencies(bc, sales))
    yield from _look_at_secrets(connection)


def _is_refused_sign_in(lines: list[CheckLine]) -> bool:
    return any(line.failure and line.failure.operation == SIGN_IN for line in lines)


def _sign_in_alike(connection: Connection) -> bool:
    """Whether both sides are entered with the same account."""
    one, other = connection.business_central, connection.sales
    named = ("authority", "tenant_id", "sign_in", "client_id", "user_name")
    alike = all(getattr(one, name) == getattr(other, name) for name in named)
    return alike and read_secret(one) == read_secret(other)


def _look_at_business_central(
    endpoint: Endpoint, bc: BusinessCentral
) -> Iterator[CheckLine]:
    try:
        name = bc.identity().name
    except RemoteError as error:
        yield refused(BC, error)
        return
    yield passed(BC, _("Business Central lets us in."))
    if endpoint.company_name and endpoint.company_name != name:
        yield said(
            "company",
            _("The company “{old}” is called “{new}” now; links follow.").format(
                old=endpoint.company_name, new=name
            ),
        )
    else:
        yield passed("company", _("The company is “{name}”.").format(name=name))
    Endpoint.objects.filter(pk=endpoint.pk).update(company_name=name)
    endpoint.company_name = name


def _look_at_sales(endpoint: Endpoint, sales: Sales) -> Iterator[CheckLine]:
    try:
        user = sales.identity()
    except RemoteError as error:
        yield refused(SALES, error)
        return
    endpoint.integration_user_id = user.user_id
    endpoint.integration_role_id = integration_role(user)
    endpoint.save(update_fields=["integration_user_id", "integration_role_id"])
    yield passed(SALES, _("Sales lets us in as “{user}”.").format(user=user.name))
    yield check_integration_user(user)
    if endpoint.sign_in == SignIn.USER_ACCOUNT:
        yield said(
            "sign_in",
            _(
                "This connection signs in with a user's password, which can expire; "
                "an app registration cannot be asked to change one."
            ),
        )


def _look_at_engines(
    connection: Connection, bc: BusinessCentral
) -> Iterator[CheckLine]:
    step = "second_engine"
    names = list(connection.mappings.values_list("name", flat=True))
    try:
        look = second_engine(bc, names)
    except RemoteError as error:
        yield refused(step, error)
        return
    yield from (found(step, finding) for finding in look.findings)
    if not look.could_look:
        yield said(
            step,
            _(
                "We could not look whether Business Central synchronizes the same "
                "tables: the right to job queue entries is missing."
            ),
        )
    elif not look.findings:
        yield passed(step, _("Business Central's own synchronization is at rest."))


def _attempt(step: str, lines: Iterator[CheckLine]) -> Iterator[CheckLine]:
    try:
        yield from lines
    except RemoteError as error:
        yield refused(step, error)


def _look_at_secrets(connection: Connection) -> Iterator[CheckLine]:
    """An error of its own 30 and 7 days before the end (D8)."""
    for endpoint in (connection.business_central, connection.sales):
        ends = endpoint.secret_expires_at
        if ends is None:
            continue
        left = ends - clock.now()
        for days in WARN_DAYS:
            if left <= timedelta(days=days):
                yield found("secret", _expiry(endpoint, days), state=WARN)
                break


def _expiry(endpoint: Endpoint, days: int) -> Finding:
    ends = endpoint.secret_expires_at
    date = ends.date().isoformat() if ends else ""
    return Finding(
        "secret-expires-soon",
        {"system": endpoint.kind, "date": date, "threshold": str(days)},
        f"The secret of {endpoint.name} is valid until {date}.",
    )
