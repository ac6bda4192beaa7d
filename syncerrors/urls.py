"""Every address of the project."""

from django.urls import include, path

from integration.admin import site

urlpatterns = [
    path("admin/", site.urls),
    path("", include("integration.urls")),
]
