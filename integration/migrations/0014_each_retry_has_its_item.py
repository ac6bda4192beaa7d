from django.db import migrations

OUTCOMES = {"healed", "failed", "not_tried", "gone"}


def give_each_retry_its_item(apps, schema_editor):
    """A retry of before held its error and its run in JSON; both become columns."""
    Operation = apps.get_model("integration", "Operation")
    for operation in Operation.objects.filter(kind="retry").iterator():
        error_id = operation.scope.get("error")
        if error_id is None:
            continue
        is_running = operation.state == "running"
        outcome = operation.result.get("outcome")
        item = make_item(apps, int(error_id))
        item.operation = operation
        item.outcome = "pending" if is_running else outcome
        if item.outcome not in {"pending", *OUTCOMES}:
            item.outcome = "not_tried"
        if item.outcome != "not_tried":
            item.told = None
        else:
            item.told = operation.result.get("told")
        if item.outcome != "failed":
            item.problem_id = None
        item.save()
        if is_running and operation.result.get("run"):
            Job = apps.get_model("integration", "Job")
            jobs = Job.objects.filter(run=operation.result["run"])
            jobs.update(operation=operation)


def make_item(apps, error_id):
    """What is known of the error now; nothing, where it was removed."""
    SyncError = apps.get_model("integration", "SyncError")
    OperationItem = apps.get_model("integration", "OperationItem")
    error = SyncError.objects.filter(pk=error_id).first()
    if error is None:
        return OperationItem(error_id=error_id)
    if error.direction == "to_business_central":
        label = f"{error.sales_number} {error.sales_name}"
    else:
        label = f"{error.bc_number} {error.bc_name}"
    return OperationItem(
        error_id=error_id,
        connection_id=error.connection_id,
        mapping_key=error.mapping_key,
        direction=error.direction,
        record_key=error.record_key,
        label=label.strip() if error.mapping_key else error.connection.name,
        problem_id=error.problem_id,
    )


class Migration(migrations.Migration):

    dependencies = [
        ("integration", "0013_retries_of_several"),
    ]

    operations = [
        migrations.RunPython(give_each_retry_its_item, migrations.RunPython.noop),
    ]
