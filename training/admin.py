"""For system admins: when campaigns are trained, and what became of it."""

from django.contrib import admin
from django.utils import timezone

from annotation.admin import ReadOnlyAdmin
from training.models import ModelVersion, TrainingPolicy, TrainingRun
from training.services.policies import change_policy
from training.services.runs import policy_of


@admin.register(TrainingPolicy)
class TrainingPolicyAdmin(admin.ModelAdmin):
    list_display = ["campaign", "enabled", "min_new_labels", "min_interval_seconds", "acquisition"]
    readonly_fields = [
        "campaign",
        "base_model",
    ]  # which is chosen among those offered, or on the command line

    def has_add_permission(self, request) -> bool:
        return False

    def save_model(self, request, obj, form, change) -> None:
        """As by the campaign's own page: noted in the trail, and with what follows from it."""
        fields = {name: form.cleaned_data[name] for name in form.changed_data}
        change_policy(policy_of(obj.campaign), by=request.user, now=timezone.now(), **fields)


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "number", "state", "stage", "opened_at", "failure_code"]
    list_filter = ["state"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "number", "in_charge", "created_at"]
