"""Errors become JSON with a stable code and a sentence; nothing else leaves the server."""

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from annotation.errors import Conflict, DiskFull, Forbidden, Invalid, NotFound, PlatformError, TooMany

STATUS = {
    NotFound: status.HTTP_404_NOT_FOUND,
    Invalid: status.HTTP_422_UNPROCESSABLE_ENTITY,
    Forbidden: status.HTTP_403_FORBIDDEN,
    Conflict: status.HTTP_409_CONFLICT,
    TooMany: status.HTTP_429_TOO_MANY_REQUESTS,
    DiskFull: status.HTTP_507_INSUFFICIENT_STORAGE,
}


def problem_response(error: Exception, context: dict) -> Response | None:
    """DRF's exception handler: `{"code", "detail"}`, with `fields` where a form was wrong."""
    if isinstance(error, PlatformError):
        code = next((s for kind, s in STATUS.items() if isinstance(error, kind)), 400)
        return Response({"code": error.code, "detail": error.sentence}, status=code)
    if isinstance(error, (Http404, exceptions.NotFound)):
        return Response({"code": NotFound.code, "detail": NotFound.sentence}, status=404)
    if isinstance(error, PermissionDenied):
        return Response({"code": Forbidden.code, "detail": Forbidden.sentence}, status=403)
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        response.data = {
            "code": "invalid",
            "detail": "Some of what was sent can't be taken; see the fields.",
            "fields": response.data,
        }
    else:
        response.data = {"code": error.detail.code, "detail": str(error.detail)}
    return response
