"""Views translate; services decide."""

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from annotation.api.campaigns import AdminView
from annotation.api.labelling import checked
from annotation.api.views import PlatformAPIView
from annotation.serializers import EmptySerializer, ProblemSerializer
from training import serializers as shapes
from training.models import ModelVersion, Promotion, TrainingRun
from training.services import explanations, promotions, runs
from training.services.policies import change_policy

NOT_FOUND = {404: ProblemSerializer}


class PolicyView(AdminView):
    @extend_schema(
        summary="When a campaign is trained", responses={200: shapes.PolicySerializer, **NOT_FOUND}
    )
    def get(self, request, campaign_id):
        return Response(shapes.PolicySerializer(runs.policy_of(self.campaign(campaign_id))).data)

    @extend_schema(
        summary="Change when a campaign is trained",
        request=shapes.PolicySerializer(partial=True),
        responses={200: shapes.PolicySerializer, **NOT_FOUND, 422: ProblemSerializer},
    )
    def patch(self, request, campaign_id):
        policy, now = runs.policy_of(self.campaign(campaign_id)), timezone.now()
        serializer = shapes.PolicySerializer(policy, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        policy = change_policy(policy, by=request.user, now=now, **serializer.validated_data)
        runs.open_wanted_orders(now=now)
        return Response(shapes.PolicySerializer(policy).data)


class RunListView(AdminView):
    @extend_schema(
        summary="Training runs, newest first", responses={200: shapes.RunListSerializer, **NOT_FOUND}
    )
    def get(self, request, campaign_id):
        newest = TrainingRun.objects.filter(campaign=self.campaign(campaign_id))[:100]
        return Response(shapes.RunListSerializer({"results": newest}).data)

    @extend_schema(
        summary="Train now; a worker takes it up within seconds",
        request=EmptySerializer,
        responses={201: shapes.RunSerializer, **NOT_FOUND, 409: ProblemSerializer, 422: ProblemSerializer},
    )
    def post(self, request, campaign_id):
        run = runs.open_run(self.campaign(campaign_id), now=timezone.now())
        return Response(shapes.RunSerializer(run).data, status=201)


class RunView(PlatformAPIView):
    @extend_schema(
        summary="One run: how far it is, its loss curve, its model",
        responses={200: shapes.RunReportSerializer, **NOT_FOUND},
    )
    def get(self, request, run_id):
        mine = TrainingRun.objects.administered_by(request.user)
        return Response(shapes.RunReportSerializer(get_object_or_404(mine, pk=run_id)).data)


class ModelVersionListView(AdminView):
    @extend_schema(
        summary="Models of a campaign, newest first",
        responses={200: shapes.ModelVersionListSerializer, **NOT_FOUND},
    )
    def get(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        previous = promotions.returnable(campaign.pk)
        newest = ModelVersion.objects.filter(campaign=campaign)[:100]
        shown = {"previous": previous and previous.pk, "results": newest}
        return Response(shapes.ModelVersionListSerializer(shown).data)


class ModelChargeView(AdminView):
    @extend_schema(
        summary="Put a kept model in charge by your word; a run then orders the queue by it",
        request=EmptySerializer,
        responses={200: shapes.ModelVersionSerializer, **NOT_FOUND, 409: ProblemSerializer},
    )
    def post(self, request, campaign_id, version_id):
        campaign, now = self.campaign(campaign_id), timezone.now()
        version = get_object_or_404(ModelVersion, campaign=campaign, pk=version_id)
        checked(EmptySerializer, request)
        promotions.put_in_charge(version, cause=Promotion.Cause.HAND, now=now, by=request.user)
        runs.open_wanted_orders(now=now)
        return Response(shapes.ModelVersionSerializer(version).data)


class ExplanationView(PlatformAPIView):
    """For reviewers and admins, and for volunteers once they have answered the task."""

    @extend_schema(
        summary="What the model looked at; a reviewer's reading is noted in the trail",
        responses={200: shapes.ModelExplanationSerializer, **NOT_FOUND},
    )
    def get(self, request, task_id):
        return self._shown(explanations.reader_of(request.user, task_id))

    @extend_schema(
        summary="Ask for it; a worker has it within seconds. A volunteer's answer stands from then on",
        request=EmptySerializer,
        responses={200: shapes.ModelExplanationSerializer, **NOT_FOUND},
    )
    def post(self, request, task_id):
        checked(EmptySerializer, request)
        explanations.ask_for_explanation(explanations.reader_of(request.user, task_id), now=timezone.now())
        return self._shown(explanations.reader_of(request.user, task_id))

    @staticmethod
    def _shown(reader):
        shown = explanations.show_explanation(reader, now=timezone.now())
        return Response(shapes.ModelExplanationSerializer(shown).data)
