"""The Celery application. ``celery -A syncerrors worker`` and ``beat`` start it."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncerrors.settings")

app = Celery("syncerrors")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["integration"])


@beat_init.connect
def begin(**_: Any) -> None:
    """What is due goes when beat starts, not only an interval later."""
    from integration.tasks import announce, dispatch_due

    announce(dispatch_due)
