"""Held records: read, and let out one by one or all at once."""

from dataclasses import asdict

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from annotation import serializers as shapes
from annotation.api.campaigns import AdminView
from annotation.api.views import PlatformAPIView
from annotation.models import Campaign
from annotation.services import held_records

NOT_FOUND = {404: shapes.ProblemSerializer}


class HeldQuerySerializer(serializers.Serializer):
    list = serializers.ChoiceField(choices=["reported", "others"], required=False)
    after = serializers.UUIDField(required=False)


class SpanSerializer(serializers.Serializer):
    start = serializers.IntegerField()
    end = serializers.IntegerField()


class HeldRecordSerializer(serializers.Serializer):
    record_id = serializers.UUIDField()
    external_id = serializers.CharField()
    text = serializers.CharField()
    reported = SpanSerializer(many=True, help_text="Code points of each task in which someone saw a name")


class HeldListSerializer(serializers.Serializer):
    n_reported = serializers.IntegerField()
    n_others = serializers.IntegerField()
    reported = serializers.BooleanField(help_text="Whether these are the reported ones.")
    records = HeldRecordSerializer(many=True)
    more_after = serializers.UUIDField(allow_null=True, help_text="`after` of the next part.")


class ReleasedSerializer(serializers.Serializer):
    n_released = serializers.IntegerField()


class ReviewerView(PlatformAPIView):
    """A route of one campaign for its reviewers and admins; to others it does not exist."""

    def campaign(self, campaign_id) -> Campaign:
        return get_object_or_404(Campaign.objects.reviewed_by(self.request.user), pk=campaign_id)


class HeldRecordListView(ReviewerView):
    query_parameters = frozenset({"list", "after"})

    @extend_schema(
        operation_id="campaigns_held_records_list",
        summary="Records that no volunteer sees yet, with their texts; reading them is noted in the trail",
        parameters=[
            OpenApiParameter(
                "list", str, enum=["reported", "others"], description="Left out: reported if there are any"
            ),
            OpenApiParameter("after", {"type": "string", "format": "uuid"}),
        ],
        responses={200: HeldListSerializer, **NOT_FOUND},
    )
    def get(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        query = HeldQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        held = held_records.read_held_records(
            campaign,
            reported=wanted["list"] == "reported" if "list" in wanted else None,
            after=wanted.get("after"),
            by=request.user,
        )
        records = [
            asdict(record) | {"reported": [{"start": start, "end": end} for start, end in record.reported]}
            for record in held.records
        ]
        return Response(HeldListSerializer(asdict(held) | {"records": records}).data)


class ReleaseOneView(ReviewerView):
    @extend_schema(
        summary="Release one held record that you have read",
        request=shapes.EmptySerializer,
        responses={200: ReleasedSerializer, **NOT_FOUND, 409: shapes.ProblemSerializer},
    )
    def post(self, request, campaign_id, record_id):
        released = held_records.release_record(self.campaign(campaign_id), record_id, by=request.user)
        return Response({"n_released": int(released)})


class ReleaseView(AdminView):
    @extend_schema(
        summary="Release the held records that nobody reported: you confirm that they are free of details",
        request=shapes.EmptySerializer,
        responses={200: ReleasedSerializer, **NOT_FOUND},
    )
    def post(self, request, campaign_id):
        n = held_records.release_records(self.campaign(campaign_id), by=request.user)
        return Response({"n_released": n})
