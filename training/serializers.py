"""Shapes of what the training API takes and gives. No logic."""

from rest_framework import serializers

from annotation.serializers import UnknownFieldsRefused
from training.models import ModelVersion, TrainingPolicy, TrainingRun


class PolicySerializer(UnknownFieldsRefused, serializers.ModelSerializer):
    class Meta:
        model = TrainingPolicy
        fields = [
            "enabled", "min_new_labels", "min_interval_seconds", "base_model", "acquisition",
            "exploration_share", "refit_labels", "gold_share",
        ]  # fmt: skip


class ModelVersionSerializer(serializers.ModelSerializer):
    class Meta:
        model = ModelVersion
        fields = [
            "id", "number", "family", "sha256", "label_keys", "metrics", "in_charge", "created_at",
            "ordered_at",
        ]  # fmt: skip


class RunSerializer(serializers.ModelSerializer):
    class Meta:
        model = TrainingRun
        fields = [
            "id", "number", "kind", "state", "stage", "share_done", "opened_at", "started_at", "finished_at",
            "n_examples", "n_left_out", "snapshot_sha256", "failure_code", "failure",
        ]  # fmt: skip


class RunReportSerializer(RunSerializer):
    model_version = serializers.SerializerMethodField()

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "history", "config", "verdict", "model_version"]

    def get_model_version(self, run) -> ModelVersionSerializer(allow_null=True):
        version = run.model_version
        return version and ModelVersionSerializer(version).data


class RunListSerializer(serializers.Serializer):
    results = RunSerializer(many=True)


class ModelVersionListSerializer(serializers.Serializer):
    results = ModelVersionSerializer(many=True)
