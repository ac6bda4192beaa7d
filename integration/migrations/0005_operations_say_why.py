from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integration", "0004_reasons_in_words"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="operation",
            name="an_operation_is_of_a_known_kind",
        ),
        migrations.AlterField(
            model_name="operation",
            name="kind",
            field=models.CharField(
                choices=[
                    ("retry", "Retry"),
                    ("delete", "Delete entries"),
                    ("review", "Review both systems"),
                    ("accept", "Accept a review"),
                    ("check", "Check a connection"),
                    ("set_up", "Change of set-up"),
                    ("user", "Change of a user"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="operation",
            name="reason",
            field=models.CharField(max_length=500),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "retry",
                            "delete",
                            "review",
                            "accept",
                            "check",
                            "set_up",
                            "user",
                        ],
                    )
                ),
                name="an_operation_is_of_a_known_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True),
                name="an_operation_says_why",
            ),
        ),
    ]
