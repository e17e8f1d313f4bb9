"""A campaign admin's work: create, change, open, pause, upload, look."""

from datetime import timedelta

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from annotation import serializers as shapes
from annotation.api.labelling import checked
from annotation.api.views import PlatformAPIView
from annotation.models import Campaign, Import, Role
from annotation.services import campaigns, dashboard, intake, joining

PROBLEMS = {403: shapes.ProblemSerializer, 404: shapes.ProblemSerializer, 422: shapes.ProblemSerializer}


class StateSerializer(shapes.StrictSerializer):
    state = serializers.ChoiceField(choices=Campaign.State.choices)


class InvitationSerializer(shapes.StrictSerializer):
    role = serializers.ChoiceField(
        choices=[Role.VOLUNTEER, Role.REVIEWER, Role.CAMPAIGN_ADMIN], default=Role.VOLUNTEER
    )
    max_uses = serializers.IntegerField(min_value=1, max_value=1000, default=1)
    valid_days = serializers.IntegerField(min_value=1, max_value=90, default=14)


class InvitedSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="Shown once; the link is /invitation/TOKEN/.")


class ConsentedSerializer(serializers.Serializer):
    pseudonym = serializers.CharField()


class LabelShareSerializer(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    n_tasks = serializers.IntegerField()
    share = serializers.FloatField()


class VolunteerRowSerializer(serializers.Serializer):
    pseudonym = serializers.CharField()
    origin = serializers.CharField()
    n_answers = serializers.IntegerField()
    last_day = serializers.DateField(allow_null=True)


class GoldAccuracySerializer(serializers.Serializer):
    n = serializers.IntegerField()
    n_right = serializers.IntegerField()
    share = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class DayCountSerializer(serializers.Serializer):
    day = serializers.DateField()
    n_answers = serializers.IntegerField()


class DashboardSerializer(serializers.Serializer):
    n_tasks = serializers.IntegerField()
    n_settled = serializers.IntegerField()
    n_answers = serializers.IntegerField()
    n_answers_wanted = serializers.IntegerField()
    n_held_records = serializers.IntegerField()
    n_reported = serializers.IntegerField()
    n_tied = serializers.IntegerField()
    n_to_review = serializers.IntegerField()
    n_unclear = serializers.IntegerField(help_text="Cases that the guideline does not decide.")
    n_flagged = serializers.IntegerField(help_text="Volunteers whose answers wait for a decision.")
    share_settled = serializers.FloatField()
    done_on = serializers.DateField(allow_null=True)
    gold = GoldAccuracySerializer(allow_null=True)
    alpha = serializers.FloatField(allow_null=True)
    answers_per_day = DayCountSerializer(many=True)
    label_shares = LabelShareSerializer(many=True)
    volunteers = VolunteerRowSerializer(many=True)
    n_volunteers = serializers.IntegerField()
    n_failed_imports = serializers.IntegerField()


class QueuedTaskSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    text = serializers.CharField()
    priority_run = serializers.IntegerField(
        help_text="The number of the run that gave it its place; 0 for none yet."
    )


class QueueSerializer(serializers.Serializer):
    ordered_by_run = serializers.IntegerField(
        help_text="The number of the run in which a model ordered the queue; 0 before there is a model."
    )
    ordered_at = serializers.DateTimeField(allow_null=True)
    results = QueuedTaskSerializer(many=True)


class AdminView(PlatformAPIView):
    """A route of one campaign for the people who administer it; to others it does not exist."""

    def campaign(self, campaign_id) -> Campaign:
        return get_object_or_404(Campaign.objects.administered_by(self.request.user), pk=campaign_id)


class CampaignListView(PlatformAPIView):
    @extend_schema(
        operation_id="campaigns_list",
        summary="Campaigns you may know of",
        responses={200: shapes.CampaignListSerializer},
    )
    def get(self, request):
        known = Campaign.objects.for_user(request.user)
        return Response(shapes.CampaignListSerializer({"results": known}).data)

    @extend_schema(
        summary="Create a campaign, paused",
        request=shapes.CampaignSerializer,
        responses={201: shapes.CampaignSerializer, **PROBLEMS},
    )
    def post(self, request):
        campaign = campaigns.create_campaign(by=request.user, **checked(shapes.CampaignSerializer, request))
        return Response(shapes.CampaignSerializer(campaign).data, status=201)


class CampaignView(AdminView):
    @extend_schema(
        summary="One campaign", responses={200: shapes.CampaignSerializer, 404: shapes.ProblemSerializer}
    )
    def get(self, request, campaign_id):
        campaign = get_object_or_404(Campaign.objects.for_user(request.user), pk=campaign_id)
        return Response(shapes.CampaignSerializer(campaign).data)

    @extend_schema(
        summary="Change a campaign",
        request=shapes.CampaignSerializer(partial=True),
        responses={200: shapes.CampaignSerializer, **PROBLEMS, 409: shapes.ProblemSerializer},
    )
    def patch(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        serializer = shapes.CampaignSerializer(campaign, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        campaign = campaigns.update_campaign(campaign, by=request.user, **serializer.validated_data)
        return Response(shapes.CampaignSerializer(campaign).data)


class StateView(AdminView):
    @extend_schema(
        summary="Open or pause a campaign",
        request=StateSerializer,
        responses={200: shapes.CampaignSerializer, 404: shapes.ProblemSerializer},
    )
    def post(self, request, campaign_id):
        sent = checked(StateSerializer, request)
        campaign = campaigns.set_state(self.campaign(campaign_id), sent["state"], by=request.user)
        return Response(shapes.CampaignSerializer(campaign).data)


class DashboardView(AdminView):
    @extend_schema(
        summary="How far, how good, how many answers",
        responses={200: DashboardSerializer, 404: shapes.ProblemSerializer},
    )
    def get(self, request, campaign_id):
        figures = dashboard.dashboard_of(self.campaign(campaign_id), now=timezone.now())
        return Response(DashboardSerializer(figures).data)


class QueueView(AdminView):
    @extend_schema(
        summary="The tasks asked next; reading them is noted in the trail",
        responses={200: QueueSerializer, 404: shapes.ProblemSerializer},
    )
    def get(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        head = dashboard.queue_head(campaign, by=request.user)
        shown = {
            "ordered_by_run": campaign.ordered_by_run,
            "ordered_at": campaign.ordered_at,
            "results": head,
        }
        return Response(QueueSerializer(shown).data)


class ImportListView(AdminView):
    parser_classes = [MultiPartParser]

    @extend_schema(
        summary="Imports of a campaign",
        responses={200: shapes.ImportListSerializer, 404: shapes.ProblemSerializer},
    )
    def get(self, request, campaign_id):
        batches = self.campaign(campaign_id).imports.all()[:100]
        return Response(shapes.ImportListSerializer({"results": batches}).data)

    @extend_schema(
        summary="Upload records: CSV, JSONL or a zip of TXT",
        request={"multipart/form-data": shapes.UploadSerializer},
        responses={202: shapes.ImportSerializer, **PROBLEMS},
    )
    def post(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        sent = checked(shapes.UploadSerializer, request)
        batch = intake.store_upload(
            campaign,
            sent["file"].name,
            sent["file"].chunks(),
            deidentified=sent["deidentified"],
            by=request.user,
        )
        return Response(shapes.ImportSerializer(batch).data, status=202)


class ImportView(PlatformAPIView):
    @extend_schema(
        summary="How far an import is, and what it refused",
        responses={200: shapes.ImportReportSerializer, 404: shapes.ProblemSerializer},
    )
    def get(self, request, import_id):
        mine = Import.objects.filter(campaign__in=Campaign.objects.administered_by(request.user))
        return Response(shapes.ImportReportSerializer(get_object_or_404(mine, pk=import_id)).data)


class InvitationView(AdminView):
    @extend_schema(
        summary="Make an invitation link",
        request=InvitationSerializer,
        responses={201: InvitedSerializer, 404: shapes.ProblemSerializer},
    )
    def post(self, request, campaign_id):
        sent = checked(InvitationSerializer, request)
        token = joining.invite(
            self.campaign(campaign_id),
            sent["role"],
            by=request.user,
            max_uses=sent["max_uses"],
            valid=timedelta(days=sent["valid_days"]),
            now=timezone.now(),
        )
        return Response({"token": token}, status=201)


class ConsentView(PlatformAPIView):
    @extend_schema(
        summary="Accept a campaign's terms and become its volunteer",
        request=shapes.EmptySerializer,
        responses={200: ConsentedSerializer, 404: shapes.ProblemSerializer},
    )
    def post(self, request, campaign_id):
        campaign = get_object_or_404(Campaign.objects.for_user(request.user), pk=campaign_id)
        volunteer = joining.join_campaign(request.user, campaign, now=timezone.now())
        return Response({"pseudonym": volunteer.pseudonym})
