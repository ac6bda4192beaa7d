"""Couplings are found by number and names, with accents or without."""

from itertools import islice

from django.db import migrations, models

from integration.models.couplings import text_of

CHUNK = 1_000


def write_texts(apps, schema_editor):
    """What a search looks at, for the couplings that are there."""
    couplings = apps.get_model("integration", "Coupling").objects
    rows = couplings.order_by("pk").only("bc_number", "bc_name", "sales_name")
    found = rows.iterator(chunk_size=CHUNK)
    while chunk := list(islice(found, CHUNK)):
        for row in chunk:
            row.search_text = text_of(row.bc_number, row.bc_name, row.sales_name)
        couplings.bulk_update(chunk, ["search_text"])


class Migration(migrations.Migration):
    dependencies = [("integration", "0032_entries_are_opened_again")]

    operations = [
        migrations.AddField(
            model_name="coupling",
            name="search_text",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.RunPython(write_texts, migrations.RunPython.noop),
    ]
