"""Who gets in: the one-time link of quickstart, and how often a password may be wrong.

Failures are counted in the database, so that all web processes count together.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.core import signing
from django.db.models import F, Q

from integration import clock
from integration.models import FailedSignIn, User

LINK_SECONDS = 600
WINDOW = timedelta(minutes=15)
_SALT = "integration.sign_in"
logger = logging.getLogger(__name__)


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
    unused = User.objects.filter(pk=user_id, last_login=user.last_login)
    return user if unused.update(last_login=clock.now()) else None


def _mark(user: User) -> str:
    return user.last_login.isoformat() if user.last_login else ""


def seconds_to_wait(name: str, address: str) -> int:
    """How long this name from this address has to wait; 0: it may try now."""
    now = clock.now()
    limits = dict(_keys(name, address))
    rows = FailedSignIn.objects.filter(key__in=limits).exclude(_is_over(now))
    ends = [row.since + WINDOW for row in rows if row.failures >= limits[row.key]]
    return max((int((end - now).total_seconds()) + 1 for end in ends), default=0)


def count_failure(name: str, address: str) -> None:
    """One more; the quarter of an hour begins with the first.

    The log names the address alone: what was typed as a name may be a password.
    """
    now = clock.now()
    FailedSignIn.objects.filter(_is_over(now)).delete()
    for key, _limit in _keys(name, address):
        FailedSignIn.objects.bulk_create(
            [FailedSignIn(key=key, failures=0, since=now)], ignore_conflicts=True
        )
        FailedSignIn.objects.filter(key=key).update(failures=F("failures") + 1)
    logger.warning("sign-in failed", extra={"address": address})


def forget_failures(name: str, address: str) -> None:
    """After a success; what others tried from this address still counts."""
    pair, *_others = _keys(name, address)
    FailedSignIn.objects.filter(key=pair[0]).delete()


def _is_over(now: datetime) -> Q:
    """A quarter of an hour ago, or ahead: then the clock was set back since."""
    return Q(since__lte=now - WINDOW) | Q(since__gt=now + clock.AHEAD)


def _keys(name: str, address: str) -> Iterator[tuple[str, int]]:
    """What is counted, with its limit: the pair first. Only digests are stored."""
    who = name.strip().casefold()
    counted = {"pair": f"{who} {address}", "name": who, "address": address}
    for kind, value in counted.items():
        key = sha256(f"{kind} {value}".encode("utf-8", "replace")).hexdigest()
        yield key, settings.SIGN_IN_LIMITS[kind]
