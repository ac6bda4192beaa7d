"""The Django project: configuration only, no behaviour."""

from syncerrors.celery import app as celery_app  # noqa: F401  (Celery looks for it here)
