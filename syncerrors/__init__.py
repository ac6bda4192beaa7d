"""The Django project: configuration only, no behaviour."""

from syncerrors.celery import app as celery_app

__all__ = ["celery_app"]
