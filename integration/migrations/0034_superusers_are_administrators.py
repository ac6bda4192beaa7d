"""Who was made by ``createsuperuser`` could do everything and was called a viewer."""

from django.db import migrations

import integration.models.users


def name_them(apps, schema_editor):
    people = apps.get_model("integration", "User").objects
    people.filter(is_superuser=True).update(role="administrator")


class Migration(migrations.Migration):
    dependencies = [("integration", "0033_couplings_are_searched")]

    operations = [
        migrations.AlterModelManagers(
            name="user", managers=[("objects", integration.models.users.Users())]
        ),
        migrations.RunPython(name_them, migrations.RunPython.noop),
    ]
