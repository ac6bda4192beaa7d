"""The Celery application. ``celery -A syncerrors worker`` and ``beat`` start it."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncerrors.settings")

app = Celery("syncerrors")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["integration"])
