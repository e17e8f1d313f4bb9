"""Review: what waits for it, why a consensus is what it is, decisions, and cases for the guideline."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from annotation import serializers as shapes
from annotation.api.campaigns import AdminView
from annotation.api.held_records import ReviewerView
from annotation.api.labelling import checked
from annotation.models import Campaign
from annotation.services import doubts, review, why

NOT_FOUND = {404: shapes.ProblemSerializer}


class ToReviewSerializer(serializers.Serializer):
    tasks = serializers.ListField(child=serializers.UUIDField(), help_text="The most telling first.")


class CandidateSerializer(serializers.Serializer):
    key = serializers.CharField()
    words = serializers.CharField()
    probability = serializers.FloatField()
    rejected = serializers.BooleanField(help_text="A label, mark or relation that the consensus leaves out.")


class VerdictSerializer(serializers.Serializer):
    method = serializers.CharField()
    version = serializers.IntegerField(help_text="The fit of the volunteers' parameters; 0 for none.")
    value = serializers.JSONField(allow_null=True, help_text="Null for a tie.")
    certainty = serializers.FloatField(allow_null=True)
    entropy = serializers.FloatField(allow_null=True, help_text="In bits.")
    doubt = serializers.CharField()
    candidates = CandidateSerializer(many=True)
    n_answers = serializers.IntegerField()
    settled_at = serializers.DateTimeField(allow_null=True)
    audited = serializers.BooleanField()
    review = serializers.CharField()


class KnownSerializer(serializers.Serializer):
    value = serializers.JSONField()
    origin = serializers.CharField(help_text="file or reviewer")
    decided_by = serializers.CharField(help_text="For admins; empty to reviewers.")
    decided_at = serializers.DateTimeField(allow_null=True)


class ReadAnswerSerializer(serializers.Serializer):
    who = serializers.CharField(help_text="A pseudonym to admins, a number to reviewers.")
    value = serializers.JSONField()
    words = serializers.ListField(child=serializers.CharField())
    certain = serializers.BooleanField(allow_null=True)
    seconds = serializers.FloatField()
    answered_at = serializers.DateTimeField()
    weight = serializers.FloatField(allow_null=True, help_text="Null where each answer counts once.")
    counts = serializers.BooleanField()
    why_not = serializers.CharField()


class ExplanationSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    name = serializers.CharField()
    section = serializers.CharField()
    text = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    second_begins = serializers.IntegerField(allow_null=True, help_text="Of a pair, in code points.")
    verdict = VerdictSerializer(allow_null=True)
    known = KnownSerializer(allow_null=True)
    answers = ReadAnswerSerializer(many=True)
    model_weight = serializers.FloatField(
        allow_null=True, help_text="Null where no model was heard as one more annotator."
    )
    notes = serializers.ListField(child=serializers.CharField())


class DecisionSerializer(shapes.StrictSerializer):
    answer = shapes.AnswerValueField(help_text="In the kind's form of an answer.")
    changes = serializers.BooleanField(default=False, help_text="Replace the decision that stands.")


class DecidedSerializer(serializers.Serializer):
    value = serializers.JSONField()
    repeated = serializers.BooleanField(help_text="This very decision stood already.")


class DoubtSerializer(shapes.StrictSerializer):
    note = serializers.CharField(max_length=500, allow_blank=True, default="")


class MarkSerializer(serializers.Serializer):
    by_reviewer = serializers.BooleanField()
    note = serializers.CharField()
    at = serializers.DateTimeField()


class CaseSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    name = serializers.CharField()
    text = serializers.CharField()
    marks = MarkSerializer(many=True)


class CaseListSerializer(serializers.Serializer):
    results = CaseSerializer(many=True)


class ResolvedSerializer(serializers.Serializer):
    n_resolved = serializers.IntegerField()


class ToReviewView(ReviewerView):
    @extend_schema(
        summary="Doubtful tasks that nobody has decided", responses={200: ToReviewSerializer, **NOT_FOUND}
    )
    def get(self, request, campaign_id):
        return Response({"tasks": review.tasks_to_review(self.campaign(campaign_id))})


class WhyView(ReviewerView):
    @extend_schema(
        summary="Why a consensus is what it is; reading it is noted in the trail",
        responses={200: ExplanationSerializer, **NOT_FOUND},
    )
    def get(self, request, campaign_id, task_id):
        campaign = self.campaign(campaign_id)
        is_admin = Campaign.objects.administered_by(request.user).filter(pk=campaign.pk).exists()
        explained = why.explain_task(campaign, task_id, by=request.user, with_names=is_admin)
        return Response(ExplanationSerializer(explained).data)


class DecideView(ReviewerView):
    @extend_schema(
        summary="Decide a task: the answer becomes gold, and nobody else is asked",
        request=DecisionSerializer,
        responses={200: DecidedSerializer, **NOT_FOUND, 409: shapes.ProblemSerializer,
                   422: shapes.ProblemSerializer},
    )  # fmt: skip
    def post(self, request, campaign_id, task_id):
        campaign, sent = self.campaign(campaign_id), checked(DecisionSerializer, request)
        decided = review.decide_task(
            campaign, task_id, sent["answer"], by=request.user, now=timezone.now(), changes=sent["changes"]
        )
        return Response(DecidedSerializer(decided).data)


class DoubtView(ReviewerView):
    @extend_schema(
        summary="Mark a task as one that the guideline does not decide",
        request=DoubtSerializer,
        responses={204: None, **NOT_FOUND},
    )
    def post(self, request, campaign_id, task_id):
        campaign, sent = self.campaign(campaign_id), checked(DoubtSerializer, request)
        doubts.doubt_guideline(campaign, task_id, sent["note"], by=request.user, now=timezone.now())
        return Response(status=204)


class CaseListView(AdminView):
    @extend_schema(
        operation_id="campaigns_unclear_list",
        summary="Cases that the guideline does not decide; reading them is noted in the trail",
        responses={200: CaseListSerializer, **NOT_FOUND},
    )
    def get(self, request, campaign_id):
        cases = doubts.read_cases(self.campaign(campaign_id), by=request.user)
        return Response(CaseListSerializer({"results": cases}).data)


class ResolveView(AdminView):
    @extend_schema(
        summary="Take a case off the list: the guideline decides it now",
        request=shapes.EmptySerializer,
        responses={200: ResolvedSerializer, **NOT_FOUND},
    )
    def post(self, request, campaign_id, task_id):
        n = doubts.resolve_doubts(self.campaign(campaign_id), task_id, by=request.user, now=timezone.now())
        return Response({"n_resolved": n})
