"""Who acts: a signed-in user, or a name where nobody signs in."""

from django.utils.translation import gettext as _

from integration.models import User

Actor = User | str
"""A name acts as an administrator: whoever may run a command may do everything."""
COMMAND_LINE = "command line"
ENGINE_NAME = "Sync Errors"
"""Who did it, where no person did."""

_NAME_LENGTH = 150


class Refused(Exception):  # noqa: N818  (its text is the sentence a person reads)
    """What may not be done; ``str`` says why in the reader's language."""


def user_of(by: Actor) -> User | None:
    return by if isinstance(by, User) else None


def name_of(by: Actor) -> str:
    """As pages name people: the whole name, else the user name."""
    return str(by)[:_NAME_LENGTH]


def require_operator(by: Actor) -> None:
    """Raises ``Refused``."""
    if isinstance(by, User) and not by.is_operator:
        raise Refused(_("Only an operator or an administrator may do this."))


def require_administrator(by: Actor) -> None:
    """Raises ``Refused``."""
    if isinstance(by, User) and not by.is_administrator:
        raise Refused(_("Only an administrator may do this."))
