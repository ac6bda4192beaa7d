"""Django's admin: support's read-only view, and users."""

from django.contrib.admin import AdminSite

__all__ = ["site"]

site = AdminSite(name="admin")
