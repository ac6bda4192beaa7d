"""Both simulated systems on a real port, for one test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from integration.models import Connection, User
from integration.services.demo import make_connections
from integration.services.endpoints import shared_budget, shared_tokens
from integration.simulators.app import Simulators
from integration.simulators.faults import Faults
from integration.simulators.kills import End
from integration.simulators.load import load_folder
from integration.simulators.seed import seed_generated, simulators_json
from integration.simulators.seed_demo import seed_demo
from integration.simulators.server import serve
from integration.simulators.store import Store


@dataclass(frozen=True, slots=True)
class Systems:
    """``store`` is what both hold; ``url`` where they listen."""

    store: Store
    url: str

    def describe(self) -> dict[str, Any]:
        """What ``simulators.json`` would say."""
        return simulators_json(self.store, self.url)

    def company(self, entity: str, place: int = 0) -> Any:
        """A table of the company of the connection at that place."""
        company_id = self.describe()["connections"][place]["company_id"]
        return self.store.table(f"bc:{company_id}:{entity}")

    def break_something(self, id: str, **details: Any) -> None:
        """Have a fault of the catalog from now on."""
        Faults.of(self.store).add({"id": id, **details})

    def kill(self, target: str, when: str = "after_write", **counted: Any) -> None:
        """End a process at the next request."""
        kill = {"kill_at_request": 1, "target": target, "when": when}
        Faults.of(self.store).add({**kill, **counted})

    def repair(self) -> None:
        """No fault any more."""
        Faults.of(self.store).clear()

    def connect(self, user: User) -> list[Connection]:
        """The connections quickstart would make, checked and in the database."""
        return [result.connection for result in make_connections(self.describe(), user)]

    def asked(self, target: str) -> list[dict[str, Any]]:
        """Requests that one side ("entra", "sales", …) has got."""
        return [one for one in self.store.requests(0) if one["target"] == target]


@contextmanager
def database_in_a_file(path: Path, timeout: float) -> Iterator[None]:
    """SQLite's test database, whose tests share one connection, for several at once."""
    settings, memory = connection.settings_dict, connection.connection
    name, options = settings["NAME"], settings["OPTIONS"]
    memory.execute("VACUUM INTO ?", [str(path)])
    settings["NAME"], settings["OPTIONS"] = path, {**options, "timeout": timeout}
    connection.connection = None
    yield
    connection.close()
    settings["NAME"], settings["OPTIONS"] = name, options
    connection.connection = memory


@contextmanager
def running_systems(
    records: int | None = None,
    folder: Path | None = None,
    end: End = lambda target: None,
    path: Path | None = None,
) -> Iterator[Systems]:
    """The demonstration, one company with so many customers, or that of a folder.

    ``end`` is what a kill does. ``path`` is a file for it, which may hold data already.
    """
    store = Store(path)
    if store.setting("seed.connections"):
        pass
    elif folder:
        load_folder(store, folder)
    elif records is None:
        seed_demo(store, 1)
    else:
        seed_generated(store, records, 1)
    server = serve(Simulators(store, end=end))
    # Its port may be one that systems of an earlier test had.
    shared_budget.cache_clear()
    shared_tokens.cache_clear()
    try:
        yield Systems(store, server.url)
    finally:
        server.stop()
        store.close()
