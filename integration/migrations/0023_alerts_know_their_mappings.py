from django.db import migrations, models


class Migration(migrations.Migration):
    """Of what stands nobody has looked yet: empty, so that nothing is told again."""

    dependencies = [
        ("integration", "0022_articles_are_taught"),
    ]

    operations = [
        migrations.AddField(
            model_name="alertsubject",
            name="mappings",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
