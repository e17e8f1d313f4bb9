"""The volunteers of a campaign by pseudonym, for its admins: listed, taken out, let back in."""

from dataclasses import asdict

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from annotation import serializers as shapes
from annotation.api.campaigns import AdminView
from annotation.api.labelling import checked
from annotation.models import Volunteer
from annotation.services import taking_part

NOT_FOUND = {404: shapes.ProblemSerializer}


class VolunteerQuerySerializer(serializers.Serializer):
    pseudonym = serializers.CharField(required=False, max_length=20)
    taken_out = serializers.BooleanField(required=False)


class ParticipantSerializer(serializers.Serializer):
    volunteer_id = serializers.UUIDField()
    pseudonym = serializers.CharField()
    origin = serializers.CharField()
    n_answers = serializers.IntegerField()
    last_day = serializers.DateField(allow_null=True)
    taken_out_at = serializers.DateTimeField(allow_null=True)


class ParticipantListSerializer(serializers.Serializer):
    results = ParticipantSerializer(many=True)


class PartSerializer(shapes.StrictSerializer):
    taken_out = serializers.BooleanField(help_text="True: no more texts, the answers stay.")


class VolunteerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Volunteer
        fields = ["id", "pseudonym", "taken_out_at"]


class VolunteerListView(AdminView):
    query_parameters = frozenset({"pseudonym", "taken_out"})

    @extend_schema(
        summary="Volunteers by pseudonym; who answered last comes first, 50 at most",
        parameters=[
            OpenApiParameter("pseudonym", str, description="A part of it"),
            OpenApiParameter("taken_out", bool),
        ],
        responses={200: ParticipantListSerializer, **NOT_FOUND},
    )
    def get(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        query = VolunteerQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        found = taking_part.participants(campaign, **query.validated_data)
        return Response(ParticipantListSerializer({"results": [asdict(row) for row in found]}).data)


class VolunteerView(AdminView):
    @extend_schema(
        summary="Take a volunteer out of the campaign, or let them back in",
        request=PartSerializer,
        responses={200: VolunteerSerializer, **NOT_FOUND},
    )
    def patch(self, request, campaign_id, volunteer_id):
        campaign = self.campaign(campaign_id)
        if checked(PartSerializer, request)["taken_out"]:
            volunteer = taking_part.take_out(campaign, volunteer_id, by=request.user, now=timezone.now())
        else:
            volunteer = taking_part.let_in(campaign, volunteer_id, by=request.user)
        return Response(VolunteerSerializer(volunteer).data)
