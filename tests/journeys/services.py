"""The PostgreSQL and Redis that the tests were given, for starts from outside."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from tests.journeys.outside import IN_CI


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """``DATABASE_URL``, of an empty database of the block's own, and ``REDIS_URL``."""
    server, redis = (os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL"))
    if not server or not redis:
        missing = pytest.fail if IN_CI else pytest.skip
        missing("DATABASE_URL and REDIS_URL name no services")
    name = f"syncerrors_{uuid4().hex}"
    place = urlsplit(server)
    own = urlunsplit(place._replace(path=f"/{name}"))
    with psycopg.connect(
        urlunsplit(place._replace(path="/postgres")), autocommit=True
    ) as database:
        database.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {"DATABASE_URL": own, "REDIS_URL": redis}
        finally:
            database.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
