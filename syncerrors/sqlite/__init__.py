"""The engine of ``DATABASES`` where it is SQLite."""
