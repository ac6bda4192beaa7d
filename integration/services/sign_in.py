"""The one-time link with which quickstart lets its user in without typing."""

from django.core import signing
from django.db.models import Q

from integration import clock
from integration.models import User

LINK_SECONDS = 600
_SALT = "integration.sign_in"


def make_link_token(user: User) -> str:
    """Good for one sign-in within ten minutes; any sign-in before it spends it."""
    return signing.dumps([user.pk, _mark(user)], salt=_SALT)


def redeem(token: str) -> User | None:
    """The user, once; ``None`` for a token that is old, used, or not ours.

    The mark of use is ``last_login``: it moves in one conditional update, so of two
    requests with one token only one gets in.
    """
    try:
        user_id, mark = signing.loads(token, salt=_SALT, max_age=LINK_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or _mark(user) != mark:
        return None
    unused = Q(last_login=user.last_login) if user.last_login else Q(last_login=None)
    spent = User.objects.filter(unused, pk=user_id).update(last_login=clock.now())
    return user if spent else None


def _mark(user: User) -> str:
    return user.last_login.isoformat() if user.last_login else ""
