"""A stop rule tried on the answers there are."""

from dataclasses import asdict

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from annotation import serializers as shapes
from annotation.algorithms.stopping import Rule
from annotation.api.campaigns import AdminView
from annotation.services.rule_trials import n_tasks_on_page, try_rule


class RuleSerializer(serializers.Serializer):
    certainty = serializers.FloatField(min_value=0.5, max_value=0.9999, default=0.97)
    first = serializers.IntegerField(min_value=1, max_value=20, default=2)
    most = serializers.IntegerField(min_value=1, max_value=100, default=7)

    def validate(self, data):
        if data["first"] > data["most"]:
            raise serializers.ValidationError({"most": ["At least as many as it starts with."]})
        return data


class CurvePointSerializer(serializers.Serializer):
    certainty = serializers.FloatField()
    answers_per_task = serializers.FloatField()
    accuracy = serializers.FloatField(allow_null=True)
    review_share = serializers.FloatField()


class RuleTrialSerializer(serializers.Serializer):
    rule = serializers.CharField(help_text="In words.")
    n_tasks = serializers.IntegerField()
    n_answers = serializers.IntegerField()
    truth = serializers.CharField(help_text="What outcomes were held against: gold, or all answers.")
    measure = serializers.CharField(help_text="What the accuracies are the mean of, over tasks.")
    answers_per_task = serializers.FloatField()
    accuracy = serializers.FloatField(allow_null=True)
    review_share = serializers.FloatField()
    run_out_share = serializers.FloatField(help_text="Of the tasks, those without an answer left to draw.")
    answers_per_task_now = serializers.FloatField()
    accuracy_now = serializers.FloatField(allow_null=True)
    curve = CurvePointSerializer(many=True)


class RuleTrialView(AdminView):
    query_parameters = frozenset({"certainty", "first", "most"})

    @extend_schema(
        summary="Try a stop rule on the answers there are; nothing changes",
        parameters=[
            OpenApiParameter("certainty", float, description="stop when so sure, 0.5 to 0.9999 (0.97)"),
            OpenApiParameter("first", int, description="answers to start with (2)"),
            OpenApiParameter("most", int, description="answers at most (7)"),
        ],
        responses={200: RuleTrialSerializer, 404: shapes.ProblemSerializer, 422: shapes.ProblemSerializer},
    )
    def get(self, request, campaign_id):
        campaign = self.campaign(campaign_id)
        asked = RuleSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        first, most = asked.validated_data["first"], asked.validated_data["most"]
        rule = Rule(
            certainty=asked.validated_data["certainty"],
            first=first,
            first_while_young=min(first + 1, most),
            most=most,
            audit_share=campaign.audit_share,
        )
        return Response(
            RuleTrialSerializer(asdict(try_rule(campaign, rule, n_tasks=n_tasks_on_page(campaign)))).data
        )
