"""The search triggers again: SQLite changed the table by making it anew, without them."""

from importlib import import_module

from django.db import migrations

SEARCH = import_module("integration.migrations.0004_error_search")
TRIGGERS = [text for text in SEARCH.SQLITE if "CREATE TRIGGER" in text]
FORGET = [
    "DROP TRIGGER IF EXISTS error_search_insert",
    "DROP TRIGGER IF EXISTS error_search_delete",
    "DROP TRIGGER IF EXISTS error_search_update",
]
REBUILD = (
    "INSERT INTO integration_error_search(integration_error_search) VALUES ('rebuild')"
)


def make(apps, schema_editor):
    SEARCH.run(schema_editor, [*FORGET, *TRIGGERS, REBUILD], [])


class Migration(migrations.Migration):
    dependencies = [("integration", "0007_error_selected")]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
