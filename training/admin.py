"""For system admins: when campaigns are trained, and what became of it."""

from django.contrib import admin

from annotation.admin import ReadOnlyAdmin
from training.models import ModelVersion, TrainingPolicy, TrainingRun


@admin.register(TrainingPolicy)
class TrainingPolicyAdmin(admin.ModelAdmin):
    list_display = ["campaign", "enabled", "min_new_labels", "min_interval_seconds", "acquisition"]
    readonly_fields = ["base_model"]  # chosen among those offered, or on the command line


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "number", "state", "stage", "opened_at", "failure_code"]
    list_filter = ["state"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "number", "in_charge", "created_at"]
