"""Brings the database to this version and says what that took."""

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def migrate() -> str:
    """What was migrated, in one sentence; "" when nothing had to be."""
    executor = MigrationExecutor(connection)
    is_new = not executor.loader.applied_migrations
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    call_command("migrate", verbosity=0, interactive=False)
    if is_new:
        return "made"
    done = [migration.name.partition("_")[2].replace("_", " ") for migration, _ in plan]
    return f"brought here from an earlier version: {', '.join(done)}" if done else ""
