"""Shapes of what the API takes and gives. No logic."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.kinds import kind_named
from annotation.models import Assignment, Campaign, Import, RefusedRow


class UnknownFieldsRefused:
    """A mixin for what comes in: a misspelt field must not be ignored in silence."""

    def to_internal_value(self, data):
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError(
                {str(name)[:50]: ["There is no such field."] for name in sorted(unknown, key=str)}
            )
        return super().to_internal_value(data)


class StrictSerializer(UnknownFieldsRefused, serializers.Serializer):
    pass


class LabelSerializer(StrictSerializer):
    key = serializers.CharField(max_length=64)
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    hint = serializers.CharField(max_length=300, required=False, allow_blank=True)
    role = serializers.ChoiceField(
        choices=["span", "relation"],
        required=False,
        help_text="For relations: what is marked, or what joins two marks.",
    )


class TaskSerializer(serializers.Serializer):
    id = serializers.UUIDField(source="task_id")
    kind = serializers.CharField()
    question = serializers.CharField()
    labels = LabelSerializer(many=True)
    section = serializers.CharField()
    text = serializers.CharField()
    second = serializers.CharField(allow_null=True, help_text="The other text of a pair, else null.")
    before = serializers.CharField()
    after = serializers.CharField()


class SuggestedSpanSerializer(serializers.Serializer):
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    label = serializers.CharField()


class AssignmentSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    task = TaskSerializer()
    suggestion = SuggestedSpanSerializer(
        many=True, help_text="What the model would mark, where the campaign lets it; a draft, no answer."
    )


class AnswerValueField(serializers.JSONField):
    """The campaign's kind checks it; see the kind's answer schema."""


class CertainField(serializers.BooleanField):
    """Left out, it says nothing: whoever answers at once does not claim to be sure."""

    def __init__(self):
        super().__init__(
            required=False, help_text="Whether you are sure; only where the campaign asks (asks_certainty)."
        )


class AnswerSerializer(StrictSerializer):
    key = serializers.UUIDField(help_text="Made by the client, new for each answer; makes a repeat harmless.")
    answer = AnswerValueField(help_text='For a choice: {"label": "key"}.')
    certain = CertainField()
    next = serializers.BooleanField(default=False, help_text="Send the next assignment with the reply.")


class RevisionSerializer(StrictSerializer):
    key = serializers.UUIDField()
    answer = AnswerValueField()
    certain = CertainField()


class AcceptedSerializer(serializers.Serializer):
    accepted = serializers.BooleanField()
    next = AssignmentSerializer(allow_null=True)


class RevisedSerializer(serializers.Serializer):
    accepted = serializers.BooleanField()


class SkipSerializer(StrictSerializer):
    reason = serializers.ChoiceField(
        choices=Assignment.SkipReason.choices,
        # Not DRF's own words, which repeat what was sent.
        error_messages={"invalid_choice": "This is not one of the reasons."},
    )
    next = serializers.BooleanField(default=False)


class SkippedSerializer(serializers.Serializer):
    next = AssignmentSerializer(allow_null=True)


class LeaseSerializer(serializers.Serializer):
    expires_at = serializers.DateTimeField()


class MyAnswerSerializer(serializers.Serializer):
    assignment = serializers.UUIDField()
    answered_at = serializers.DateTimeField()
    answer = serializers.JSONField()
    certain = serializers.BooleanField(allow_null=True)
    task = TaskSerializer()


class MyAnswersSerializer(serializers.Serializer):
    results = MyAnswerSerializer(many=True)


class ProgressSerializer(serializers.Serializer):
    n_answers_today = serializers.IntegerField()
    n_my_answers = serializers.IntegerField()
    share_done = serializers.FloatField()


class EmptySerializer(StrictSerializer):
    """A request that has no body."""


class CampaignSerializer(UnknownFieldsRefused, serializers.ModelSerializer):
    labels = LabelSerializer(many=True, required=False, help_text="Those of its kind; a free text has none.")
    answer_schema = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields = [
            "id", "name", "question", "rule", "guideline", "kind", "labels", "unit", "needed",
            "lease_seconds", "joining", "aggregation", "asks_certainty", "hides_gold", "preannotates",
            "stopping", "stop_certainty", "most_answers", "audit_share", "state", "n_tasks", "created_at",
            "answer_schema",
        ]  # fmt: skip
        read_only_fields = ["id", "state", "n_tasks", "created_at"]

    @extend_schema_field({"type": "object", "description": "JSON Schema of what an answer looks like."})
    def get_answer_schema(self, campaign: Campaign) -> dict:
        return kind_named(campaign.kind).answer_schema(campaign.labels)


class CampaignListSerializer(serializers.Serializer):
    results = CampaignSerializer(many=True)


class ImportSerializer(serializers.ModelSerializer):
    class Meta:
        model = Import
        fields = [
            "id", "file_name", "deidentified", "state", "share_read", "n_rows", "n_imported", "n_unchanged",
            "n_refused", "n_tasks", "failure_code", "failure", "created_at", "finished_at",
        ]  # fmt: skip


class RefusedRowSerializer(serializers.ModelSerializer):
    class Meta:
        model = RefusedRow
        fields = ["line", "external_id", "reason", "sentence"]


class ImportReportSerializer(ImportSerializer):
    refused_rows = serializers.SerializerMethodField()

    class Meta(ImportSerializer.Meta):
        fields = [*ImportSerializer.Meta.fields, "refused_rows"]

    def get_refused_rows(self, batch) -> RefusedRowSerializer(many=True):
        return RefusedRowSerializer(batch.refused_rows.all()[:200], many=True).data


class ImportListSerializer(serializers.Serializer):
    results = ImportSerializer(many=True)


class UploadSerializer(serializers.Serializer):
    file = serializers.FileField(allow_empty_file=True)
    deidentified = serializers.BooleanField(
        help_text="Whether the records are free of identifying details. If not they are held."
    )


class ProblemSerializer(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()
    fields = serializers.DictField(required=False, help_text="What is wrong with which field.")
