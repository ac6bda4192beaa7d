"""System checks: what is unsafe or missing, each with an id and what to do."""

__all__ = ["register_all"]


def register_all() -> None:
    """Called once by the app config."""
