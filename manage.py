#!/usr/bin/env python
"""Run a command: ``uv run manage.py quickstart`` starts everything on one machine."""

# Ctrl-C may come at once: what takes long to read is read by run().
import errno
import os
import sys

COULD_NOT_START = 2
INTERRUPTED = 130
NOBODY_READS = 141
ANSWERING = ("cleanup", "doctor", "errors", "review", "sync", "undo")
"""They begin nothing: a data directory that was mistyped is said, and not made."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
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


def prepare_streams() -> None:
    """Write to any terminal, and to none where a stream is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # as long as we run
        elif name == "stdout":
            stream.reconfigure(errors="replace")


def write_no_more() -> None:
    """What is left of the output has no place; Python would try once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stop(sentence: str) -> None:
    """One sentence for a person, and the code of what could not run."""
    sys.stderr.write(f"{sentence}\n")
    sys.exit(COULD_NOT_START)


def run() -> None:
    """Hand the command line to Django. What nobody can work without is a sentence."""
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        stop(f"Sync Errors cannot start: {error}")
    except OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        stop(f"The database cannot be used ({reason}).")


def set_environment() -> None:
    """What the settings have to know of the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncerrors.settings")
    directory = data_directory(sys.argv[2:])
    if directory:
        os.environ["SYNCERRORS_DATA_DIR"] = directory
    if sys.argv[1:2] and sys.argv[1] in ANSWERING and not HELP & set(sys.argv):
        os.environ["SYNCERRORS_MAY_BEGIN"] = "0"


def main() -> None:
    """Run the command; the exit code says how it ended."""
    prepare_streams()
    set_environment()
    try:
        run()
    except ModuleNotFoundError as error:
        if error.name != "django":
            raise
        stop(WITHOUT_PACKAGES)
    except KeyboardInterrupt:
        # At once: a terminal and "uv run" may both send it, and again while we end.
        os._exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone, as "head" does.
        write_no_more()
        sys.exit(NOBODY_READS)
    except OSError as error:
        if error.errno not in FULL:
            raise
        write_no_more()
        stop(f"This cannot be written: {error.strerror}.")


if __name__ == "__main__":
    main()
