#!/usr/bin/env python
"""Run a command: ``uv run manage.py quickstart`` starts everything on one machine."""

import os
import sys

COULD_NOT_START = 2
INTERRUPTED = 130
NOBODY_READS = 141
ANSWERING = ("cleanup", "doctor", "errors", "review", "sync", "undo")
"""They begin nothing: a data directory that was mistyped is said, and not made."""
HELP = {"-h", "--help"}
WITHOUT_PACKAGES = (
    "Sync Errors cannot start: this Python has not its packages. Put “uv run” before "
    "the command; “pip install uv” installs uv."
)


def data_directory(arguments: list[str]) -> str | None:
    """The last value of ``--data``: settings need it before Django reads the rest."""
    found = None
    for position, argument in enumerate(arguments):
        if argument == "--data" and position + 1 < len(arguments):
            found = arguments[position + 1]
        if argument.startswith("--data="):
            found = argument.removeprefix("--data=")
    return found


def main() -> None:
    """Hand the command line to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncerrors.settings")
    directory = data_directory(sys.argv[2:])
    if directory:
        os.environ["SYNCERRORS_DATA_DIR"] = directory
    if sys.argv[1:2] and sys.argv[1] in ANSWERING and not HELP & set(sys.argv):
        os.environ["SYNCERRORS_MAY_BEGIN"] = "0"
    try:
        # Ctrl-C may come while Django is still being read, which takes a while.
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line

        try:
            execute_from_command_line(sys.argv)
        except ImproperlyConfigured as error:
            sys.stderr.write(f"Sync Errors cannot start: {error}\n")
            sys.exit(COULD_NOT_START)
    except ModuleNotFoundError as error:
        if error.name != "django":
            raise
        sys.stderr.write(f"{WITHOUT_PACKAGES}\n")
        sys.exit(COULD_NOT_START)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone, as "head" does; Python would try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(NOBODY_READS)


if __name__ == "__main__":
    main()
