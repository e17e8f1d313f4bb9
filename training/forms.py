"""The form of the training policy."""

from django import forms

from annotation.shares import percent
from training.models import TOO_FEW_TO_JUDGE, TrainingPolicy
from training.services.stream_rounds import measuring_words


class PolicyForm(forms.ModelForm):
    min_interval_minutes = forms.IntegerField(
        label="Minutes at least between two runs", min_value=0, max_value=30 * 24 * 60
    )
    exploration_percent = forms.IntegerField(
        label="Percent of the records asked at random",
        min_value=round(100 * TrainingPolicy.LEAST_EXPLORED),
        max_value=100,
        error_messages={"min_value": TOO_FEW_TO_JUDGE},
        help_text="A fair sample: it judges the models, and finds what a model does not know it lacks.",
    )
    gold_percent = forms.IntegerField(
        label="Percent of the gold that judges models",
        min_value=0,
        max_value=100,
        help_text="Of the records whose right answers a file gave. What judges never teaches; the others are "
        "like any record.",
    )
    base_model = forms.ChoiceField(
        required=False,
        label="Learns from this model",
        help_text="It has learned a language, not yet your question; it must be the language of your texts.",
    )

    class Meta:
        model = TrainingPolicy
        fields = ["enabled", "min_new_labels", "refit_labels", "acquisition", "adapts_encoder"]
        labels = {
            "enabled": "Train by itself",
            "min_new_labels": "Newly settled tasks before a run",
            "refit_labels": "Newly settled tasks before the quick models learn again",
            "acquisition": "Chosen by",
            "adapts_encoder": "Start from the encoder that has read this campaign's texts",
        }
        help_texts = {
            "min_new_labels": "A task is settled when it has the answers that it needs.",
            "refit_labels": "They take seconds, and stand beside the large one that a run trains.",
            "acquisition": "An answer teaches most where the model can't tell two labels apart.",
            "adapts_encoder": "It knows their words before fine-tuning shows it labels.",
        }

    def __init__(self, *args, base_models: list[tuple[str, str]], has_adapted: bool, **kwargs):
        super().__init__(*args, **kwargs)
        if not has_adapted:
            del self.fields["adapts_encoder"]
        self.fields["base_model"].choices = base_models
        self.fields["base_model"].initial = self.instance.base_model
        self.fields["min_interval_minutes"].initial = self.instance.min_interval_seconds // 60
        self.fields["exploration_percent"].initial = round(100 * self.instance.exploration_share)
        self.fields["gold_percent"].initial = round(100 * self.instance.gold_share)
        self.fields["acquisition"].help_text += f" {measuring_words(self.instance.campaign)}"
        if self.instance.judging_share < self.instance.exploration_share:
            self.fields["exploration_percent"].help_text += (
                f" {percent(self.instance.judging_share)} of the records judge: those asked at random from "
                "the start. Of the others some were answered because they had been chosen."
            )

    def policy_fields(self) -> dict:
        chosen = self.cleaned_data
        return {name: chosen[name] for name in self.Meta.fields if name in self.fields} | {
            "base_model": chosen["base_model"],
            "min_interval_seconds": 60 * chosen["min_interval_minutes"],
            "exploration_share": chosen["exploration_percent"] / 100,
            "gold_share": chosen["gold_percent"] / 100,
        }
