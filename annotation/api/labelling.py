"""A volunteer's work: claim, answer, skip, extend, mend, look back."""

from dataclasses import asdict

import orjson
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from annotation import serializers as shapes
from annotation.api.views import PlatformAPIView
from annotation.services import answers, handout, progress


def assignment_data(place: handout.Handout | None) -> dict | None:
    if place is None:
        return None
    task = {
        "id": place.task_id,
        "kind": place.kind,
        "question": place.question,
        "labels": place.labels,
        "section": place.section,
        "text": place.text,
        "second": place.second,
        "before": place.before,
        "after": place.after,
    }
    return {
        "id": place.assignment_id,
        "expires_at": place.expires_at,
        "task": task,
        "suggestion": place.suggestion,
    }


def json_response(data: dict) -> HttpResponse:
    """The reply of the busiest routes, without a renderer's detours. The shape is the serializer's."""
    return HttpResponse(orjson.dumps(data), content_type="application/json")


def checked(serializer_class, request) -> dict:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


class ClaimView(PlatformAPIView):
    @extend_schema(
        summary="Claim the next task",
        request=shapes.EmptySerializer,
        responses={200: shapes.AssignmentSerializer, 204: None, 403: shapes.ProblemSerializer,
                   404: shapes.ProblemSerializer, 409: shapes.ProblemSerializer},
    )  # fmt: skip
    def post(self, request, campaign_id):
        checked(shapes.EmptySerializer, request)
        place = handout.claim_task(campaign_id, request.user, now=timezone.now())
        return json_response(assignment_data(place)) if place else Response(status=204)


class AnswerView(PlatformAPIView):
    @extend_schema(
        summary="Answer, and take the next task with the reply",
        request=shapes.AnswerSerializer,
        responses={200: shapes.AcceptedSerializer, 404: shapes.ProblemSerializer,
                   409: shapes.ProblemSerializer, 422: shapes.ProblemSerializer},
    )  # fmt: skip
    def post(self, request, assignment_id):
        sent, now = checked(shapes.AnswerSerializer, request), timezone.now()
        submission = answers.submit_answer(
            assignment_id,
            request.user,
            sent["answer"],
            key=sent["key"],
            now=now,
            certain=sent.get("certain"),
        )
        place = handout.claim_next(submission.campaign_id, request.user, now=now) if sent["next"] else None
        return json_response({"accepted": True, "next": assignment_data(place)})


class SkipView(PlatformAPIView):
    @extend_schema(
        summary="Give a task back with a reason",
        request=shapes.SkipSerializer,
        responses={200: shapes.SkippedSerializer, 404: shapes.ProblemSerializer,
                   409: shapes.ProblemSerializer},
    )  # fmt: skip
    def post(self, request, assignment_id):
        sent, now = checked(shapes.SkipSerializer, request), timezone.now()
        campaign_id = handout.skip_task(assignment_id, request.user, sent["reason"], now=now)
        place = handout.claim_next(campaign_id, request.user, now=now) if sent["next"] else None
        return json_response({"next": assignment_data(place)})


class ExtendView(PlatformAPIView):
    @extend_schema(
        summary="Extend the lease of a task",
        request=shapes.EmptySerializer,
        responses={200: shapes.LeaseSerializer, 404: shapes.ProblemSerializer, 409: shapes.ProblemSerializer},
    )
    def post(self, request, assignment_id):
        checked(shapes.EmptySerializer, request)
        return Response(
            {"expires_at": handout.extend_lease(assignment_id, request.user, now=timezone.now())}
        )


class ReviseView(PlatformAPIView):
    @extend_schema(
        summary="Mend your own answer",
        request=shapes.RevisionSerializer,
        responses={200: shapes.RevisedSerializer, 404: shapes.ProblemSerializer,
                   409: shapes.ProblemSerializer, 422: shapes.ProblemSerializer},
    )  # fmt: skip
    def post(self, request, assignment_id):
        sent = checked(shapes.RevisionSerializer, request)
        answers.revise_answer(
            assignment_id,
            request.user,
            sent["answer"],
            key=sent["key"],
            now=timezone.now(),
            certain=sent.get("certain"),
        )
        return Response({"accepted": True})


class MyAnswersView(PlatformAPIView):
    query_parameters = frozenset({"limit"})

    @extend_schema(
        summary="Your latest answers, newest first",
        parameters=[OpenApiParameter("limit", int, description="1 to 100, 20 if not given")],
        responses={200: shapes.MyAnswersSerializer, 404: shapes.ProblemSerializer},
    )
    def get(self, request, campaign_id):
        limit = request.query_params.get("limit", "20")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 100):
            raise ValidationError({"limit": ["A whole number from 1 to 100."]})
        own = progress.latest_answers(campaign_id, request.user, int(limit))
        results = [
            {
                "assignment": answer.place.assignment_id,
                "answered_at": answer.answered_at,
                "answer": answer.value,
                "certain": answer.certain,
                "task": assignment_data(answer.place)["task"],
            }
            for answer in own
        ]
        return json_response({"results": results})


class ProgressView(PlatformAPIView):
    @extend_schema(
        summary="How far you and the campaign are",
        responses={200: shapes.ProgressSerializer, 404: shapes.ProblemSerializer},
    )
    def get(self, request, campaign_id):
        return Response(asdict(progress.progress_of(campaign_id, request.user, now=timezone.now())))
