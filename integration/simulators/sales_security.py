"""Who calls Sales and what their security roles allow (error catalogue, brief 1)."""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from integration.simulators.entities import Entity
from integration.simulators.entra import Principal
from integration.simulators.fault_states import ADMINISTRATOR_TEMPLATE
from integration.simulators.http import refusal
from integration.simulators.sales_tables import ROLE, USER, table_of
from integration.simulators.store import Row, Store

VERBS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign")

#: Names of tables inside a privilege; those a role's page offers.
PRIVILEGED = ("Account", "TransactionCurrency", "User", "Role", "Organization")


def privilege(verb: str, table: str) -> str:
    return f"prv{verb}{table}"


ALL_PRIVILEGES = {privilege(verb, table) for verb in VERBS for table in PRIVILEGED}


def privilege_id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


@dataclass(frozen=True, slots=True)
class Caller:
    """A user of the environment with the sum of the privileges of their roles."""

    user_id: str
    access_mode: str
    role_count: int
    privileges: frozenset[str]
    is_administrator: bool = False

    def require(self, verb: str, entity: Entity) -> None:
        """Raises 403 in the platform's own words."""
        name = privilege(verb, entity.privilege)
        if self.is_administrator or name in self.privileges:
            return
        raise refusal(
            "dv-missing-privilege",
            user=self.user_id,
            roles=self.role_count,
            privileges=len(self.privileges),
            mode=self.access_mode,
            name=name,
            id=privilege_id(name),
            otc=entity.number,
            table=entity.logical,
            label=entity.label,
        )


def roles_of(store: Store, user: Row) -> list[Row]:
    roles = table_of(store, ROLE)
    found = (roles.get(role) for role in user.values.get("roles", ()))
    return [role for role in found if role]


def caller_for(store: Store, principal: Principal) -> Caller:
    """The user of that name or application id.

    Raises 403: not a member, disabled, without roles.
    """
    users = table_of(store, USER)
    if principal.user:
        found = users.find("domainname", principal.user)
    else:
        found = users.find("applicationid", principal.client_id)
    if not found:
        raise refusal("dv-not-member-of-org")
    user = found[0]
    if user.values.get("isdisabled"):
        raise refusal("dv-user-disabled", user=user.id)
    roles = roles_of(store, user)
    if not roles:
        raise refusal("dv-user-no-roles", user=user.id)
    mode = user.values.get("accessmode") or 0
    mode_name = USER.by_name["accessmode"].options.get(mode, "")
    return Caller(
        user.id,
        f"{mode} {mode_name}",
        len(roles),
        granted(roles),
        _has_all(roles),
    )


def granted(roles: list[Row]) -> frozenset[str]:
    """What these roles allow together; the administrator's allows everything."""
    if _has_all(roles):
        return frozenset(ALL_PRIVILEGES)
    return frozenset(
        name for role in roles for name in role.values.get("privileges", ())
    )


def _has_all(roles: list[Row]) -> bool:
    return any(r.values.get("roletemplateid") == ADMINISTRATOR_TEMPLATE for r in roles)


def person(store: Store) -> Caller:
    """The human who works on the record pages; never the integration user."""
    user_id = store.setting("sales.person", "")
    return Caller(user_id, "0 Read-Write", 1, frozenset(), is_administrator=True)
