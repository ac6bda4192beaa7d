"""The application's configuration."""

from django.apps import AppConfig


class IntegrationConfig(AppConfig):
    """Registers the system checks."""

    name = "integration"
    verbose_name = "Sync Errors"

    def ready(self) -> None:
        from integration import checks

        checks.register_all()
