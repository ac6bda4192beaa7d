from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

WORDS = {
    "": "No reason was given.",
    "quickstart: the systems are simulated": "Quickstart: both systems are simulated.",
}


def put_reasons_in_words(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Reasons nobody gave are stored as keys, so that pages can translate them."""
    operations = apps.get_model("integration", "Operation").objects
    for operation in operations.filter(reason__in=WORDS).iterator():
        operation.reason = words = WORDS[operation.reason]
        operation.scope["why"] = {"text": words, "values": {}}
        operation.save(update_fields=["reason", "scope"])


class Migration(migrations.Migration):
    dependencies = [("integration", "0003_jobs_by_their_end")]

    operations = [
        migrations.RunPython(put_reasons_in_words, migrations.RunPython.noop),
    ]
