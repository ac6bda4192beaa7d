"""Who runs a command: no user of ours, but somebody's name stands in the operations."""

import getpass

from integration.services.actors import COMMAND_LINE


def at_the_command_line() -> str:
    """ "anna (command line)"; whoever may run a command acts as an administrator."""
    try:
        return f"{getpass.getuser()} ({COMMAND_LINE})"
    except (KeyError, OSError):
        return COMMAND_LINE
