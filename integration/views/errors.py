"""The list of errors and one error: each record with what is wrong and what to do."""

from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Role
from integration.http import SignedInRequest, role_required

__all__ = ["delete", "error", "errors", "retry"]


@require_safe
@role_required(Role.VIEWER)
def errors(request: SignedInRequest) -> HttpResponse:
    return HttpResponse()


@require_safe
@role_required(Role.VIEWER)
def error(request: SignedInRequest, error_id: int) -> HttpResponse:
    return HttpResponse()


@require_POST
@role_required(Role.OPERATOR)
def retry(request: SignedInRequest, error_id: int) -> HttpResponse:
    return HttpResponse()


@require_POST
@role_required(Role.ADMINISTRATOR)
def delete(request: SignedInRequest) -> HttpResponse:
    return HttpResponse()
