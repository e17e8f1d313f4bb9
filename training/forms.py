"""The form of the training policy."""

from django import forms

from training.models import TrainingPolicy


class PolicyForm(forms.ModelForm):
    min_interval_minutes = forms.IntegerField(
        label="Least minutes between two runs", min_value=0, max_value=30 * 24 * 60
    )
    exploration_percent = forms.IntegerField(
        label="Per cent asked at random",
        min_value=0,
        max_value=100,
        help_text="Keeps a fair sample among what is asked, and finds what the model does not know it lacks.",
    )

    gold_percent = forms.IntegerField(
        label="Per cent of gold that judges models",
        min_value=0,
        max_value=100,
        help_text="Of the records whose right answers a file gave. What judges never teaches; the others are "
        "like any record.",
    )
    base_model = forms.ChoiceField(
        required=False,
        label="Trains from",
        help_text="A model that has learned a language, not yet your question. It must know their language.",
    )

    class Meta:
        model = TrainingPolicy
        fields = ["enabled", "min_new_labels", "refit_labels", "acquisition", "adapts_encoder"]
        labels = {
            "enabled": "Train by itself",
            "min_new_labels": "Newly settled tasks before a run",
            "refit_labels": "Newly settled tasks before the fast models are fitted again",
            "acquisition": "Ask first what is",
            "adapts_encoder": "Start from the encoder that has read this campaign's texts",
        }
        help_texts = {"adapts_encoder": "It knows their words before fine-tuning shows it labels."}

    field_order = [
        "enabled", "min_new_labels", "min_interval_minutes", "refit_labels", "acquisition",
        "exploration_percent", "gold_percent", "base_model", "adapts_encoder",
    ]  # fmt: skip

    def __init__(self, *args, base_models: list[tuple[str, str]], has_adapted: bool, **kwargs):
        super().__init__(*args, **kwargs)
        if not has_adapted:
            del self.fields["adapts_encoder"]
        self.fields["base_model"].choices = base_models
        self.fields["base_model"].initial = self.instance.base_model
        self.fields["min_interval_minutes"].initial = self.instance.min_interval_seconds // 60
        self.fields["exploration_percent"].initial = round(100 * self.instance.exploration_share)
        self.fields["gold_percent"].initial = round(100 * self.instance.gold_share)

    def policy_fields(self) -> dict:
        chosen = self.cleaned_data
        return {name: chosen[name] for name in self.Meta.fields if name in self.fields} | {
            "base_model": chosen["base_model"],
            "min_interval_seconds": 60 * chosen["min_interval_minutes"],
            "exploration_share": chosen["exploration_percent"] / 100,
            "gold_share": chosen["gold_percent"] / 100,
        }
