"""People: how they like to read, and every change of who may do what."""

from collections.abc import Mapping

from integration.choices import OperationKind
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
