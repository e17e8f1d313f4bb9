"""Shapes of what the training API takes and gives. No logic."""

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from annotation.serializers import StrictSerializer, UnknownFieldsRefused
from training.config import shown_settings
from training.models import TOO_FEW_TO_JUDGE, ModelVersion, PredictionJob, TrainingPolicy, TrainingRun
from training.services.prediction_jobs import MAX_SPANS
from training.services.promotions import refusal_of

MAX_TEXTS = 256
MAX_CHARACTERS = 20_000


class PolicySerializer(UnknownFieldsRefused, serializers.ModelSerializer):
    class Meta:
        model = TrainingPolicy
        fields = [
            "enabled", "min_new_labels", "min_interval_seconds", "base_model", "acquisition",
            "exploration_share", "refit_labels", "gold_share", "adapts_encoder",
            "at_random_since",
        ]  # fmt: skip
        read_only_fields = ["at_random_since"]
        extra_kwargs = {
            "exploration_share": {
                "min_value": TrainingPolicy.LEAST_EXPLORED,
                "error_messages": {"min_value": TOO_FEW_TO_JUDGE},
            }
        }


class ModelVersionSerializer(serializers.ModelSerializer):
    is_kept = serializers.SerializerMethodField(help_text="What it needs is there, so it can take charge.")

    class Meta:
        model = ModelVersion
        fields = [
            "id", "number", "family", "sha256", "label_keys", "metrics", "in_charge", "is_kept", "created_at",
            "ordered_at",
        ]  # fmt: skip

    def get_is_kept(self, version) -> bool:
        return refusal_of(version) is None


class RunSerializer(serializers.ModelSerializer):
    class Meta:
        model = TrainingRun
        fields = [
            "id", "number", "kind", "state", "stage", "share_done", "opened_at", "started_at", "finished_at",
            "n_examples", "n_left_out", "n_aside", "snapshot_sha256", "failure_code", "failure",
        ]  # fmt: skip


class RunReportSerializer(RunSerializer):
    model_version = serializers.SerializerMethodField()
    config = serializers.SerializerMethodField()

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "history", "config", "verdict", "model_version"]

    def get_config(self, run) -> dict:
        return shown_settings(run.config)

    def get_model_version(self, run) -> ModelVersionSerializer(allow_null=True):
        version = run.model_version
        return version and ModelVersionSerializer(version).data


class RunListSerializer(serializers.Serializer):
    results = RunSerializer(many=True)


class ModelVersionListSerializer(serializers.Serializer):
    previous = serializers.UUIDField(
        allow_null=True, help_text="The model that was in charge before and can be again; null for none."
    )
    results = ModelVersionSerializer(many=True)


class TextField(serializers.CharField):
    """A text as it is: no blank is cut off, because spans count from its first character."""

    def __init__(self, **options):
        super().__init__(max_length=MAX_CHARACTERS, trim_whitespace=False, **options)

    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid")
        if not data.strip():
            self.fail("blank")
        return super().to_internal_value(data)


class PairSerializer(StrictSerializer):
    text = TextField()
    second = TextField()


class GivenSpanSerializer(StrictSerializer):
    start = serializers.IntegerField(min_value=0)
    end = serializers.IntegerField(min_value=1)
    label = serializers.CharField(max_length=100)


class GivenSpansSerializer(StrictSerializer):
    text = TextField()
    spans = GivenSpanSerializer(many=True, max_length=MAX_SPANS)


TEXT_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}
SPAN_SCHEMA = {
    "type": "object",
    "properties": {
        "start": {"type": "integer", "minimum": 0},
        "end": {"type": "integer", "minimum": 1},
        "label": {"type": "string", "minLength": 1, "maxLength": 100},
    },
    "required": ["start", "end", "label"],
    "additionalProperties": False,
}


@extend_schema_field(
    {
        "oneOf": [
            TEXT_SCHEMA,
            {
                "type": "object",
                "properties": {"text": TEXT_SCHEMA, "second": TEXT_SCHEMA},
                "required": ["text", "second"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {
                    "text": TEXT_SCHEMA,
                    "spans": {"type": "array", "items": SPAN_SCHEMA, "maxItems": MAX_SPANS},
                },
                "required": ["text", "spans"],
                "additionalProperties": False,
            },
        ]
    }
)
class AskedTextField(serializers.Field):
    """(text, second text of a pair or None, spans that are known or None)"""

    def to_internal_value(self, data) -> tuple[str, str | None, list[dict] | None]:
        if isinstance(data, dict) and "spans" in data:
            marked = GivenSpansSerializer().run_validation(data)
            return marked["text"], None, [dict(span) for span in marked["spans"]]
        if isinstance(data, dict):
            pair = PairSerializer().run_validation(data)
            return pair["text"], pair["second"], None
        return TextField().run_validation(data), None, None


class PredictSerializer(StrictSerializer):
    texts = serializers.ListField(child=AskedTextField(), min_length=1, max_length=MAX_TEXTS)


class NamedModelSerializer(serializers.ModelSerializer):
    class Meta:
        model = ModelVersion
        fields = ["id", "number", "sha256"]


class PredictedSpanSerializer(serializers.Serializer):
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    label = serializers.CharField()
    probability = serializers.FloatField()


class PredictedSerializer(serializers.Serializer):
    """Of a text, what the campaign's kind of answer has: a label, labels, or spans, with relations or not."""

    label = serializers.CharField(required=False)
    labels = serializers.ListField(child=serializers.CharField(), required=False)
    probabilities = serializers.DictField(child=serializers.FloatField(), required=False)
    spans = PredictedSpanSerializer(many=True, required=False)
    relations = inline_serializer(  # of which a field has a name that no class can declare
        "PredictedRelation",
        {
            "from": serializers.IntegerField(help_text="A place in the list of spans."),
            "to": serializers.IntegerField(),
            "label": serializers.CharField(),
            "probability": serializers.FloatField(),
        },
        many=True,
        required=False,
    )


class PredictionSerializer(serializers.ModelSerializer):
    model = NamedModelSerializer(source="model_version")
    predictions = PredictedSerializer(many=True, source="result", help_text="In the texts' order.")

    class Meta:
        model = PredictionJob
        fields = ["id", "asked_at", "done_at", "model", "predictions"]


class PendingPredictionSerializer(serializers.ModelSerializer):
    model = NamedModelSerializer(source="model_version")

    class Meta:
        model = PredictionJob
        fields = ["id", "state", "asked_at", "model"]


class ExplainedWordField(serializers.ListField):
    """[start, end, score]: code points of the text, and what the word adds to the label's log-odds."""

    child = serializers.FloatField()


class ExplainedTextSerializer(serializers.Serializer):
    method = serializers.CharField(help_text="integrated_gradients, weights or occlusion")
    label = serializers.CharField(help_text="The likeliest label's key.")
    probability = serializers.FloatField()
    words = serializers.ListField(child=ExplainedWordField())
    second_words = serializers.ListField(child=ExplainedWordField(), help_text="Of a pair's second text.")
    change = serializers.FloatField(
        allow_null=True, help_text="Log-odds of the text less those of nothing; the scores are its parts."
    )
    convergence_gap = serializers.FloatField(allow_null=True, help_text="By which the parts miss it.")


class NeighbourSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    similarity = serializers.FloatField(help_text="Cosine of the two texts' vectors.")
    words = serializers.CharField(help_text="The consensus; to a volunteer what they said themselves.")
    text = serializers.CharField()
    second = serializers.CharField(allow_null=True)


class ModelExplanationSerializer(serializers.Serializer):
    task_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=["no_model", "not_asked", "waiting", "late", "failed", "done"])
    model = serializers.IntegerField(source="version.number", default=None, allow_null=True)
    failure = serializers.CharField(help_text="Why there is none, where it failed.")
    explanation = ExplainedTextSerializer(source="content", allow_null=True)
    neighbours = NeighbourSerializer(many=True)
