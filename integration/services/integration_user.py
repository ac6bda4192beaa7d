"""Whether the user we are in Sales is fit for the work (error-catalog, last section).

The order is Business Central's own; the first thing wrong is told. The API itself says
nothing about an administrator: it has to be looked up.
"""

from django.utils.translation import gettext as _

from integration.connectors.base import Identity
from integration.core.outcomes import Finding
from integration.services.check_lines import WARN, CheckLine, found, passed

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
STEP = "integration_user"


def check_integration_user(user: Identity) -> CheckLine:
    """One line: the first thing wrong with the user, or that it is fit."""
    if user.is_disabled:
        return _wrong("setup-user-disabled", user)
    if user.access_mode not in {None, READ_WRITE, NON_INTERACTIVE}:
        mode = ACCESS_MODES.get(user.access_mode or 0, str(user.access_mode))
        return _wrong("setup-user-invalid-access-mode", user, mode=mode)
    if not user.is_licensed and user.access_mode != NON_INTERACTIVE:
        return _wrong("setup-user-not-licensed", user)
    if ADMINISTRATOR_TEMPLATE in user.role_template_ids:
        return _wrong("setup-integration-user-is-admin", user)
    if INTEGRATION_ROLES.isdisjoint(user.role_names):
        finding = Finding("setup-user-role-missing", {"user": user.name})
        return found(STEP, finding, state=WARN)
    return passed(
        STEP, _("“{user}” is fit to be the integration user.").format(user=user.name)
    )


def integration_role(user: Identity) -> str:
    """The id of the role a missing right belongs into; "" without a fitting one.

    The integration's own role comes first; the administrator's lacks nothing.
    """
    roles = zip(user.role_ids, user.role_names, strict=True)
    ranked = sorted(roles, key=lambda role: role[1] not in INTEGRATION_ROLES)
    return ranked[0][0] if ranked else ""


def _wrong(article: str, user: Identity, **params: str) -> CheckLine:
    finding = Finding(article, {"user": user.name, **params})
    return found(STEP, finding, blocks=True)
