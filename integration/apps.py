"""The application's configuration."""

import gc

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class IntegrationConfig(AppConfig):
    """Registers the system checks, and how moments are read."""

    name = "integration"
    verbose_name = "Sync Errors"

    def ready(self) -> None:
        from integration import checks
        from integration.models.moments import read_compiled

        checks.register_all()
        connection_created.connect(read_compiled)
        # What is loaded stays: no look for what may go needs to go through it again,
        # which takes a fifth of a start, and processes made of this one share it.
        gc.freeze()
