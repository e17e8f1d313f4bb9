"""How volunteers do: each of them for the campaign's admins, their own figures for a volunteer; agreement."""

from dataclasses import asdict

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from annotation import serializers as shapes
from annotation.api.campaigns import AdminView
from annotation.api.labelling import checked
from annotation.api.views import PlatformAPIView
from annotation.models import AgreementReport, Campaign, Volunteer
from annotation.services import skill, standing

NOT_FOUND = {404: shapes.ProblemSerializer}
NO_AGREEMENT = {
    "computed_at": None, "n_tasks": 0, "n_answers": 0, "measures": {}, "labels": [], "weekly": "",
    "weeks": [],
}  # fmt: skip


class GoldRecordSerializer(serializers.Serializer):
    n = serializers.IntegerField()
    n_right = serializers.IntegerField(help_text="Wholly right.")
    score = serializers.FloatField(allow_null=True, help_text="The mean, from 0 to 1.")


class RateSerializer(serializers.Serializer):
    share = serializers.FloatField()
    low = serializers.FloatField(help_text="Of the 90 % credible interval.")
    high = serializers.FloatField()
    n = serializers.FloatField(help_text="Expected number of decisions.")


class FindRowSerializer(serializers.Serializer):
    name = serializers.CharField(help_text="The label; empty for all relations together.")
    found = RateSerializer(help_text="Of what is there, what they stated.")
    invented = RateSerializer(help_text="Of what is not there, what they stated all the same.")


class LeanSerializer(serializers.Serializer):
    distance = serializers.FloatField(help_text="Steps off, on the mean.")
    bias = serializers.FloatField(help_text="The same with its direction: above 0 is too high.")


class ConfusionRowSerializer(serializers.Serializer):
    name = serializers.CharField(help_text="The label as the engine holds it to be.")
    given = serializers.DictField(child=serializers.FloatField(), help_text="{label: expected count}")


class OwnSkillSerializer(serializers.Serializer):
    pseudonym = serializers.CharField()
    standing = serializers.ChoiceField(choices=Volunteer.Standing.choices)
    n_answers = serializers.IntegerField(help_text="That the figures are of.")
    accuracy = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="Of the 90 % credible interval.")
    high = serializers.FloatField(allow_null=True)
    gold = GoldRecordSerializer()
    seconds = serializers.FloatField(allow_null=True)
    typical_seconds = serializers.FloatField(allow_null=True)
    peers = serializers.FloatField(
        allow_null=True, help_text="The mean share of others who agreed, or likeness."
    )
    confusion = ConfusionRowSerializer(many=True)
    finds = FindRowSerializer(many=True, help_text="Where an answer is several labels, marks or relations.")
    lean = LeanSerializer(allow_null=True, help_text="On a scale.")


class SkillSerializer(OwnSkillSerializer):
    standing_reason = serializers.CharField()
    is_to_train = serializers.BooleanField()
    fit_number = serializers.IntegerField()
    drift = serializers.CharField(help_text="In a sentence; empty with too few answers.")
    evidence = serializers.JSONField()


class StandingSerializer(shapes.StrictSerializer):
    standing = serializers.ChoiceField(choices=["trusted", "excluded"])
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class ChangedSerializer(serializers.ModelSerializer):
    class Meta:
        model = Volunteer
        fields = ["id", "pseudonym", "standing", "standing_reason"]


class MeasureSerializer(serializers.Serializer):
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n_tasks = serializers.IntegerField()
    n_pairs = serializers.IntegerField()


class LabelAgreementSerializer(serializers.Serializer):
    name = serializers.CharField()
    alpha = MeasureSerializer(allow_null=True)
    f1 = MeasureSerializer(allow_null=True, help_text="Of marks and relations.")


class WeekAgreementSerializer(serializers.Serializer):
    week = serializers.DateField()
    n_tasks = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True, help_text="Of the measure that `weekly` names.")
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval.")
    high = serializers.FloatField(allow_null=True)


class AgreementSerializer(serializers.Serializer):
    computed_at = serializers.DateTimeField(allow_null=True, help_text="Null before the first time.")
    n_tasks = serializers.IntegerField()
    n_answers = serializers.IntegerField()
    measures = serializers.DictField(child=MeasureSerializer(allow_null=True))
    labels = LabelAgreementSerializer(many=True)
    weekly = serializers.CharField(help_text="The measure that is followed from week to week.")
    weeks = WeekAgreementSerializer(many=True)


def own_figures(report: skill.SkillReport) -> dict:
    rows = [
        {"name": row.name, "given": {name: count for name, count, *_ in row.cells}}
        for row in report.confusion
    ]
    return {
        "pseudonym": report.volunteer.pseudonym,
        "standing": report.volunteer.standing,
        "n_answers": report.n_answers,
        "accuracy": report.accuracy,
        "low": report.low,
        "high": report.high,
        "gold": asdict(report.gold),
        "seconds": report.seconds,
        "typical_seconds": report.typical_seconds,
        "peers": report.peers,
        "confusion": rows,
        "finds": report.finds,
        "lean": report.lean,
    }


class OwnSkillView(PlatformAPIView):
    @extend_schema(
        summary="How you are doing; the figures move with every tenth answer",
        responses={200: OwnSkillSerializer, **NOT_FOUND},
    )
    def get(self, request, campaign_id):
        campaign = get_object_or_404(Campaign.objects.to_label(request.user), pk=campaign_id)
        return Response(OwnSkillSerializer(own_figures(skill.own_report(campaign, request.user))).data)


class SkillView(AdminView):
    @extend_schema(
        summary="A volunteer's skill, with the evidence", responses={200: SkillSerializer, **NOT_FOUND}
    )
    def get(self, request, campaign_id, volunteer_id):
        campaign = self.campaign(campaign_id)
        report = skill.skill_report(campaign, skill.volunteer_of(campaign, volunteer_id))
        more = {
            "standing_reason": report.volunteer.standing_reason,
            "is_to_train": report.volunteer.is_to_train,
            "fit_number": report.fit_number,
            "drift": report.drift.sentence if report.drift else "",
            "evidence": report.evidence,
        }
        return Response(SkillSerializer(own_figures(report) | more).data)


class StandingView(AdminView):
    @extend_schema(
        summary="Decide whether a volunteer's answers count; their tasks follow within a minute",
        request=StandingSerializer,
        responses={200: ChangedSerializer, **NOT_FOUND},
    )
    def post(self, request, campaign_id, volunteer_id):
        campaign, sent = self.campaign(campaign_id), checked(StandingSerializer, request)
        volunteer = skill.volunteer_of(campaign, volunteer_id)
        changed = standing.set_standing(
            volunteer, sent["standing"], sent["reason"], by=request.user, now=timezone.now()
        )
        return Response(ChangedSerializer(changed).data)


class AgreementView(AdminView):
    @extend_schema(
        summary="How much volunteers agree, over the latest settled tasks, as a worker last computed it",
        responses={200: AgreementSerializer, **NOT_FOUND},
    )
    def get(self, request, campaign_id):
        report = AgreementReport.objects.filter(campaign=self.campaign(campaign_id)).first()
        figures = NO_AGREEMENT if report is None else report.figures | {"computed_at": report.computed_at}
        return Response(AgreementSerializer(figures).data)
