"""On PostgreSQL: how many errors a search may find, as the planner's statistics say.

A function, so that the search asks for the estimate and for its hits in one statement.
"""

from django.db import migrations

MADE = """
CREATE FUNCTION integration_expected_hits(patterns text[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT 1 FROM integration_syncerror WHERE ' || (
        SELECT string_agg(format('upper(search_text) LIKE upper(%L)', one), ' OR ')
        FROM unnest(patterns) AS one
    ) INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
END $$
"""
REMOVED = "DROP FUNCTION integration_expected_hits(text[])"


def on_postgresql(statement):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(statement, params=None)

    return run


class Migration(migrations.Migration):

    dependencies = [("integration", "0017_undo_is_an_operation")]

    operations = [migrations.RunPython(on_postgresql(MADE), on_postgresql(REMOVED))]
