"""Who calls Sales and what their security roles allow (error catalogue, brief 1)."""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from integration.simulators.entra import Principal
from integration.simulators.sales_entities import ROLE, USER, Entity
from integration.simulators.sales_refusals import refusal
from integration.simulators.store import Row, Store

__all__ = [
    "ADMINISTRATOR_TEMPLATE",
    "PRIVILEGED",
    "VERBS",
    "Caller",
    "caller_for",
    "find_user",
    "person",
    "privilege",
    "roles_of",
]

#: The role built from this template may do everything.
ADMINISTRATOR_TEMPLATE = "627090ff-40a3-4053-8790-584edc5be201"

VERBS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign")

#: Names of tables inside a privilege; those a role's page offers.
PRIVILEGED = ("Account", "TransactionCurrency", "User", "Role", "Organization")


def privilege(verb: str, table: str) -> str:
    return f"prv{verb}{table}"


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
            id=uuid5(NAMESPACE_URL, name),
            otc=entity.code,
            table=entity.logical,
            label=entity.label,
        )


def find_user(store: Store, principal: Principal) -> Row | None:
    """The user with the principal's user name or, for an app, its application id."""
    users = store.table(USER.place, ("applicationid", "domainname"))
    if principal.user:
        found = users.find("domainname", principal.user)
    else:
        found = users.find("applicationid", principal.client_id)
    return found[0] if found else None


def roles_of(store: Store, user: Row) -> list[Row]:
    roles = store.table(ROLE.place)
    found = (roles.get(role) for role in user.values.get("roles", ()))
    return [role for role in found if role]


def caller_for(store: Store, user: Row | None) -> Caller:
    """Raises 403: not a member, disabled, without roles."""
    if user is None:
        raise refusal("dv-not-member-of-org")
    if user.values.get("isdisabled"):
        raise refusal("dv-user-disabled", user=user.id)
    roles = roles_of(store, user)
    if not roles:
        raise refusal("dv-user-no-roles", user=user.id)
    mode = user.values.get("accessmode") or 0
    granted = (name for role in roles for name in role.values.get("privileges", ()))
    return Caller(
        user.id,
        f"{mode} {USER.by_name['accessmode'].options.get(mode, '')}",
        len(roles),
        frozenset(granted),
        any(
            role.values.get("roletemplateid") == ADMINISTRATOR_TEMPLATE
            for role in roles
        ),
    )


def person(store: Store) -> Caller:
    """The human who works on the record pages; never the integration user."""
    user_id = store.setting("sales.person", "")
    return Caller(user_id, "0 Read-Write", 1, frozenset(), is_administrator=True)
