"""Moments of PostgreSQL, read by psycopg's compiled loader.

Django registers one in Python that puts each moment into the connection's zone, which
takes ten times as long; a list reads 150 moments. Our sessions are in UTC, in which the
compiled one gives the same values.
"""

from datetime import UTC
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import abc, adapters
from psycopg.adapt import Loader
from psycopg.pq import Format

_KIND = adapters.types["timestamptz"]
_compiled: Any = adapters.get_loader(_KIND.oid, Format.TEXT)


class UtcLoader(Loader):
    """By ``timezone`` Django sees at each cursor that it need not register its own."""

    timezone = UTC

    def __init__(self, oid: int, context: abc.AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = _compiled(oid, context).load

    def load(self, data: abc.Buffer) -> Any:
        return self._load(data)


def read_compiled(
    sender: object, connection: BaseDatabaseWrapper, **kwargs: Any
) -> None:
    """Receiver of ``connection_created``."""
    if connection.vendor == "postgresql":
        connection.connection.adapters.register_loader(_KIND.name, UtcLoader)
