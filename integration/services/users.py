"""People: how they like to read, and every change of who may do what."""

from collections.abc import Mapping

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Q

from integration.choices import OperationKind, Role
from integration.models import Operation, User
from integration.services.operations import record_operation


def save_preferences(user: User, **preferences: str) -> None:
    """Language, time zone or theme; nobody else sees it, so it is no operation."""
    for name, value in preferences.items():
        setattr(user, name, value)
    user.save(update_fields=list(preferences))


def record_user_change(
    user: User, by: User, reason: str, changes: Mapping[str, str]
) -> Operation:
    """The audit of a new or changed user; ``changes`` never holds a password."""
    return record_operation(
        OperationKind.USER,
        by=by,
        reason=reason,
        scope={"user": str(user), "user_id": user.pk},
        result=dict(changes),
    )


def is_last_administrator(user: User) -> bool:
    """Whether nobody else could do an administrator's work.

    Inside the transaction that changes the user: of two who change each other at the
    same time, the second waits for the first.
    """
    may = Q(role=Role.ADMINISTRATOR) | Q(is_superuser=True)
    can = User.objects.filter(may, is_active=True).exclude(
        password__startswith=UNUSABLE_PASSWORD_PREFIX
    )
    held = list(can.select_for_update(no_key=True).order_by("pk"))
    return user.is_administrator and not any(other.pk != user.pk for other in held)
