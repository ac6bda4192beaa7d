"""``manage.py simulate``: only the simulators, until Ctrl-C."""

import socket
from argparse import SUPPRESS
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from integration.management.command import OurCommand
from integration.management.data_directory import (
    DirectoryInUse,
    DirectoryUnusable,
    held,
    kill,
)
from integration.management.ports import (
    CannotListen,
    claim_port,
    port_number,
    record_count,
    whole_number,
)
from integration.management.signals import Signals
from integration.management.words import could_not_run
from integration.simulators.app import Simulators
from integration.simulators.load import DataFolderError
from integration.simulators.seed import seed, simulators_json
from integration.simulators.server import serve, write_addresses
from integration.simulators.store import Store

DATA_FILE = "simulators.sqlite3"
LOCK = "simulators.lock"
"""Two on one file would each write over what the other has."""
PATIENCE_SECONDS = 5.0
"""Those of a supervisor that was killed end a moment after it."""
CANNOT_START = (CannotListen, DataFolderError, DirectoryInUse, DirectoryUnusable)


class Command(OurCommand):
    help = (
        "Serve simulated Business Central and Sales on this machine. Their data stays "
        "in the data directory; --bc-data, --records and --seed count for an empty one."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=port_number, default=8100)
        # The number of a socket that listens already, which quickstart has claimed.
        parser.add_argument("--listener", type=whole_number, help=SUPPRESS)
        parser.add_argument("--data", metavar="DIR", help="the data directory")
        parser.add_argument("--bc-data", type=Path, metavar="DIR")
        parser.add_argument("--records", type=record_count, metavar="N")
        parser.add_argument("--seed", type=whole_number, default=1, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        signals = Signals()
        signals.install()
        with suppress(KeyboardInterrupt), bad_starts_in_words(directory_of(options)):
            self._serve(options, signals)

    def _serve(self, options: dict[str, Any], signals: Signals) -> None:
        directory = directory_of(options)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

        def fill(store: Store) -> None:
            seed(
                store,
                options["seed"],
                records=options["records"],
                folder=options["bc_data"],
            )

        with (
            held(directory, LOCK, patience_seconds=PATIENCE_SECONDS),
            listening(options["listener"], options["port"]) as listener,
            closing(Store(directory / DATA_FILE)) as store,
        ):
            fill(store)
            simulators = Simulators(store, fill, partial(kill, directory))
            server = serve(simulators, listener)
            try:
                path = write_addresses(directory, simulators_json(store, server.url))
                self.stdout.write(f"Simulators: {server.url} (addresses in {path})")
                self.stdout.flush()
                signals.wait()
            finally:
                signals.ignore()
                server.stop()


def directory_of(options: dict[str, Any]) -> Path:
    """An empty name is none; it is not the current directory."""
    return Path(options["data"] or settings.DATA_DIR)


def listening(number: int | None, port: int) -> socket.socket:
    """The socket with this number, which we inherit, or one on ``port``."""
    if number is None:
        return claim_port(port, "--port")
    return socket.socket(fileno=number)


@contextmanager
def bad_starts_in_words(directory: Path) -> Iterator[None]:
    """One sentence and exit code 2 for what a person can put right."""
    try:
        yield
    except CANNOT_START as error:
        raise could_not_run(error_text(error)) from error
    except OSError as error:
        raise could_not_run(
            f"The data directory {directory} cannot be used ({error_text(error)}); "
            "make it writable, or choose another with --data."
        ) from error


def error_text(error: Exception) -> str:
    """The sentence without the number Python puts before it."""
    return getattr(error, "strerror", None) or str(error)
