"""Every address of the project."""

from django.urls import include, path

from integration.admin import site

urlpatterns = [
    path("admin/", site.urls),
    path("", include("integration.urls")),
]

handler400 = "integration.views.health.bad_request"
handler404 = "integration.views.health.not_found"
handler500 = "integration.views.health.server_error"
