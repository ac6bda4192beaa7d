"""The database of an earlier version, made by the steps of that version."""

from pathlib import Path

from tests.journeys.outside import manage

STEPS = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
executor.loader.replace_migrations = False
executor.loader.build_graph()
leaves = dict(executor.loader.graph.leaf_nodes()) | {{"integration": "{last}"}}
executor.migrate(list(leaves.items()))
"""


def migrate_to(data: Path, last: str, more: dict[str, str] | None = None) -> None:
    """An empty database up to that migration, without what replaces several."""
    made = manage(
        data, "shell", "--no-imports", "-c", STEPS.format(last=last), more=more
    )
    assert made.code == 0, made.err
