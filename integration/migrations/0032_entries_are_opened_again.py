"""What is ignored can be opened again: one more kind of operation."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integration', '0031_searched_without_capitals'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='operation',
            name='an_operation_is_of_a_known_kind',
        ),
        migrations.AlterField(
            model_name='operation',
            name='kind',
            field=models.CharField(choices=[('retry', 'Retry'), ('delete', 'Delete entries'), ('ignore', 'Ignore'), ('resolve', 'Resolve by hand'), ('reopen', 'Open again'), ('undo', 'Undo'), ('age', 'Remove old details'), ('assign', 'Assign'), ('comment', 'Comment'), ('synchronize', 'Synchronize'), ('restore', 'Restore'), ('delete_record', 'Delete a record'), ('decouple', 'Remove coupling'), ('review', 'Review both systems'), ('accept', 'Accept a review'), ('check', 'Check a connection'), ('set_up', 'Change of set-up'), ('teach', 'Teach an article'), ('user', 'Change of a user')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['retry', 'delete', 'ignore', 'resolve', 'reopen', 'undo', 'age', 'assign', 'comment', 'synchronize', 'restore', 'delete_record', 'decouple', 'review', 'accept', 'check', 'set_up', 'teach', 'user'])), name='an_operation_is_of_a_known_kind'),
        ),
    ]
