"""Ask the model in charge about texts of one's own, and fetch what it thinks."""

import re

from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.response import Response

from annotation.api.held_records import ReviewerView
from annotation.api.labelling import checked
from annotation.api.parsers import JSONParser
from annotation.api.views import PlatformAPIView
from annotation.errors import Conflict
from annotation.serializers import ProblemSerializer
from training import serializers as shapes
from training.models import PredictionJob
from training.services import prediction_jobs
from training.tasks import wake_for_prediction

USUAL_WAIT_SECONDS = 3
MAX_WAIT_SECONDS = 10
PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description=f"wait=N: how many seconds you would wait, 0 to {MAX_WAIT_SECONDS} (RFC 7240).",
)
REPLIES = {
    200: shapes.PredictionSerializer,
    202: OpenApiResponse(shapes.PendingPredictionSerializer, "Not yet: ask again at the Location."),
    404: ProblemSerializer,
    409: ProblemSerializer,
}


class SmallJSONParser(JSONParser):
    max_bytes = 1_000_000


class PredictView(ReviewerView):
    parser_classes = (SmallJSONParser,)

    @extend_schema(
        summary="What the campaign's model thinks of texts; for its admins and reviewers",
        parameters=[PREFER],
        request=shapes.PredictSerializer,
        responses={**REPLIES, 422: ProblemSerializer, 429: ProblemSerializer},
    )
    def post(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        sent = checked(shapes.PredictSerializer, request)
        texts = [prediction_jobs.AskedText(*one) for one in sent["texts"]]
        job = prediction_jobs.ask(campaign, texts, by=request.user, now=timezone.now())
        wake_for_prediction(job.pk)
        return _reply(request, job.pk, usual_seconds=USUAL_WAIT_SECONDS)


class PredictionView(PlatformAPIView):
    @extend_schema(
        summary="The result of a prediction that you asked for; forgotten minutes after it was fetched",
        parameters=[PREFER],
        responses=REPLIES,
    )
    def get(self, request, job_id):
        return _reply(request, job_id, usual_seconds=0)


def _reply(request, job_id, *, usual_seconds: int) -> Response:
    seconds = _wait_seconds(request.headers.get("Prefer", ""), usual_seconds)
    if seconds and PredictionJob.objects.asked_by(request.user).filter(pk=job_id).exists():
        prediction_jobs.wait_until_over(job_id, seconds=seconds)
    job = prediction_jobs.fetch(job_id, by=request.user, now=timezone.now())
    if job is None:
        raise Http404
    if job.failure_code:
        raise Conflict(job.failure, code=job.failure_code)
    if job.is_over:
        return Response(shapes.PredictionSerializer(job).data)
    headers = {"Location": reverse("api_prediction", args=[job_id]), "Retry-After": "1"}
    return Response(shapes.PendingPredictionSerializer(job).data, status=202, headers=headers)


def _wait_seconds(preferences: str, usual: int) -> int:
    """Of the header Prefer. What can't be understood is to be ignored (RFC 7240, section 2).

    >>> _wait_seconds("respond-async, wait=7", 3), _wait_seconds("wait=600", 3), _wait_seconds("wait=soon", 3)
    (7, 10, 3)
    """
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,5})\b", preferences, re.IGNORECASE | re.ASCII)
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else usual
