"""The application's configuration."""

from django.apps import AppConfig

__all__ = ["IntegrationConfig"]


class IntegrationConfig(AppConfig):
    """Registers the system checks."""

    name = "integration"
    verbose_name = "Sync Errors"

    def ready(self) -> None:
        from integration import checks

        checks.register_all()
