"""Whether the user we are in Sales is fit for the work (error-catalog, last section).

The order is Business Central's own. The API itself says nothing about an
administrator: it has to be looked up.
"""

from collections.abc import Iterator

from django.utils.translation import gettext_noop

from integration.choices import CheckState, CheckStep, System
from integration.connectors.base import Identity
from integration.core.outcomes import Finding
from integration.services.check_lines import CheckLine, found, passed

ADMINISTRATOR_TEMPLATE = "627090ff-40a3-4053-8790-584edc5be201"
"""The template of the role, whatever its name is translated to; copies have another."""
READ_WRITE, NON_INTERACTIVE = 0, 4
ACCESS_MODES = {1: "Administrative", 2: "Read", 3: "Support User"}
INTEGRATION_ROLES = frozenset(
    {
        "Business Central Dataverse Integration",
        "Integration Administrator",
        "Integration User",
    }
)


def check_integration_user(user: Identity) -> Iterator[CheckLine]:
    """Whether it can work, is no administrator, and has one of the known roles."""
    text = gettext_noop("“{user}” is enabled and licensed, with a fitting access mode.")
    fit = passed(CheckStep.USER, text, of=System.SALES, user=user.name)
    yield _unfit(user) or fit
    step = CheckStep.NO_ADMINISTRATOR
    if ADMINISTRATOR_TEMPLATE in user.role_template_ids:
        yield _wrong(step, "setup-integration-user-is-admin", user)
        return
    roles = ", ".join(user.role_names)
    yield passed(
        step, gettext_noop("Its roles: {roles}."), of=System.SALES, roles=roles
    )
    if INTEGRATION_ROLES.isdisjoint(user.role_names):
        finding = Finding("setup-user-role-missing", {"user": user.name})
        yield found(CheckStep.PRIVILEGES, finding, state=CheckState.WARN)


def _unfit(user: Identity) -> CheckLine | None:
    """The first thing that keeps it from working."""
    step = CheckStep.USER
    if user.is_disabled:
        return _wrong(step, "setup-user-disabled", user)
    if user.access_mode not in {None, READ_WRITE, NON_INTERACTIVE}:
        mode = ACCESS_MODES.get(user.access_mode or 0, str(user.access_mode))
        return _wrong(step, "setup-user-invalid-access-mode", user, mode=mode)
    if not user.is_licensed and user.access_mode != NON_INTERACTIVE:
        return _wrong(step, "setup-user-not-licensed", user)
    return None


def integration_role(user: Identity) -> str:
    """The id of the role a missing right belongs into; "" without a fitting one.

    The integration's own role comes first; the administrator's lacks nothing.
    """
    roles = zip(user.role_ids, user.role_names, strict=True)
    ranked = sorted(roles, key=lambda role: role[1] not in INTEGRATION_ROLES)
    return ranked[0][0] if ranked else ""


def _wrong(step: CheckStep, article: str, user: Identity, **params: str) -> CheckLine:
    finding = Finding(article, {"user": user.name, **params})
    return found(step, finding, blocks=True)
