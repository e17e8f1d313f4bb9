"""What is said when no view has an answer: JSON to programs, a page to people, and no detail to either."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from annotation.errors import NotFound

API = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return _problem(400, "bad_request", "This request can't be read.")
    return defaults.bad_request(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return _problem(404, NotFound.code, NotFound.sentence)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(API):
        sentence = "Something broke on our side, and the log has it. What was marked “saved” is saved."
        return _problem(500, "unforeseen", sentence)
    return defaults.server_error(request)


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse({"code": code, "detail": detail}, status=status)
