"""The search index: FTS5 trigrams on SQLite, a trigram GIN index on PostgreSQL.

On SQLite triggers keep it, not the code that records: every door is covered (bulk
writes, the purge, a statement by hand), the text is stored once (external content needs
the old text to forget it, which only a trigger has at hand), and the trigger on update
fires only when the text is another one, so that a recurring error costs nothing here.
"""

from django.db import migrations

SQLITE = [
    """
    CREATE VIRTUAL TABLE integration_error_search USING fts5(
        search_text, content='integration_syncerror', content_rowid='id',
        tokenize='trigram'
    )
    """,
    "INSERT INTO integration_error_search(integration_error_search) VALUES ('rebuild')",
    """
    CREATE TRIGGER error_search_insert AFTER INSERT ON integration_syncerror BEGIN
        INSERT INTO integration_error_search(rowid, search_text)
        VALUES (new.id, new.search_text);
    END
    """,
    """
    CREATE TRIGGER error_search_delete AFTER DELETE ON integration_syncerror BEGIN
        INSERT INTO integration_error_search(
            integration_error_search, rowid, search_text
        ) VALUES ('delete', old.id, old.search_text);
    END
    """,
    """
    CREATE TRIGGER error_search_update AFTER UPDATE OF search_text
    ON integration_syncerror WHEN old.search_text IS NOT new.search_text BEGIN
        INSERT INTO integration_error_search(
            integration_error_search, rowid, search_text
        ) VALUES ('delete', old.id, old.search_text);
        INSERT INTO integration_error_search(rowid, search_text)
        VALUES (new.id, new.search_text);
    END
    """,
]
SQLITE_BACK = [
    "DROP TRIGGER error_search_insert",
    "DROP TRIGGER error_search_delete",
    "DROP TRIGGER error_search_update",
    "DROP TABLE integration_error_search",
]
POSTGRESQL = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    """
    CREATE INDEX error_search ON integration_syncerror
    USING gin (upper(search_text) gin_trgm_ops)
    """,
    """
    CREATE INDEX error_label_prefix ON integration_syncerror
    (record_label text_pattern_ops)
    """,
    """
    CREATE INDEX error_name_prefix ON integration_syncerror
    (record_name text_pattern_ops)
    """,
]
POSTGRESQL_BACK = [
    "DROP INDEX error_search",
    "DROP INDEX error_label_prefix",
    "DROP INDEX error_name_prefix",
]


def run(schema_editor, sqlite, postgresql):
    statements = {"sqlite": sqlite, "postgresql": postgresql}
    for statement in statements[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def make(apps, schema_editor):
    run(schema_editor, SQLITE, POSTGRESQL)


def drop(apps, schema_editor):
    run(schema_editor, SQLITE_BACK, POSTGRESQL_BACK)


class Migration(migrations.Migration):
    dependencies = [("integration", "0001_initial")]

    operations = [migrations.RunPython(make, drop)]
