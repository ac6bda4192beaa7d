"""On PostgreSQL what is searched has no capitals: comparing them took most of the time.

The table is written anew once, with its indexes, which is quicker than an update of
each row. SQLite pays no heed to capitals, and its rows stay as they are.
"""

from django.db import migrations

REWRITE = """
ALTER TABLE integration_syncerror
ALTER COLUMN search_text TYPE text USING lower(search_text COLLATE "C")
"""
INDEX = """
CREATE INDEX error_search ON integration_syncerror USING gin ({text} gin_trgm_ops)
"""
FUNCTION = """
CREATE OR REPLACE FUNCTION integration_expected_hits(patterns text[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT 1 FROM integration_syncerror WHERE ' || (
        SELECT string_agg(format('{test}', one), ' OR ') FROM unnest(patterns) AS one
    ) INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
END $$
"""
WITHOUT_CAPITALS = [
    REWRITE,
    INDEX.format(text="search_text"),
    FUNCTION.format(test="search_text LIKE %L"),
]
WITH_CAPITALS = [
    INDEX.format(text="upper(search_text)"),
    FUNCTION.format(test="upper(search_text) LIKE upper(%L)"),
]


def on_postgresql(statements):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor != "postgresql":
            return
        # What the function asks for is known only after the last.
        for statement in (
            "DROP INDEX error_search",
            *statements,
            "ANALYZE integration_syncerror",
        ):
            schema_editor.execute(statement, params=None)

    return run


class Migration(migrations.Migration):
    dependencies = [("integration", "0030_jobs_count_their_errors")]

    operations = [
        migrations.RunPython(
            on_postgresql(WITHOUT_CAPITALS), on_postgresql(WITH_CAPITALS)
        ),
    ]
