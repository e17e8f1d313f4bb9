"""What training has to say on a campaign's dashboard: the template composes the two apps' figures."""

from datetime import datetime, timedelta

from django import template
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from annotation.models import Campaign
from training.models import ModelVersion, Prediction, TrainingRun, TrainingRunQuerySet
from training.services.runs import policy_of

register = template.Library()
RUNS_SHOWN = 6


def _versions(campaign: Campaign) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(campaign=campaign)


def _runs(campaign: Campaign) -> TrainingRunQuerySet:
    return TrainingRun.objects.filter(campaign=campaign)


@register.inclusion_tag("training/model_card.html")
def model_card(campaign: Campaign) -> dict:
    latest = list(_versions(campaign)[:2])
    version = next((one for one in latest if one.in_charge), None)
    change = latest[0].score - latest[1].score if version and len(latest) == 2 else None
    return {
        "version": version,
        "macro_f1": version and version.score,
        "change": change,
        "change_words": f"{change:+.2f}".replace("-", "\N{MINUS SIGN}") if change is not None else "",
        "n_tested": version and version.metrics["test"]["n_examples"],
        "ordered_words": _ago(version.ordered_at) if version and version.ordered_at else "",
        "run": _runs(campaign).open().first(),
        "policy": policy_of(campaign),
    }


def _ago(at: datetime) -> str:
    now = timezone.now()
    return "just now" if now - at < timedelta(minutes=1) else f"{timesince(at, now)} ago"


@register.inclusion_tag("training/gain_panel.html")
def gain_panel(campaign: Campaign) -> dict:
    """Test macro-F1 over the labels it was trained on; one model makes a point, not a curve."""
    versions = list(_versions(campaign).select_related("run").order_by("number"))
    if len(versions) < 2:
        return {"gain": None}
    return {
        "n_tested": versions[-1].metrics["test"]["n_examples"],
        "n_tested_before": versions[-2].metrics["test"]["n_examples"],
        "gain": {
            "title": "What the model gained",
            "kind": "line",
            "x": "settled tasks it learned from",
            "y": "macro-F1 on unseen texts",
            "labels": [f"{version.run.n_examples:,}" for version in versions],
            "series": [
                {"name": "macro-F1", "values": [round(v.score, 3) for v in versions], "tone": "brand"}
            ],
        },
    }


@register.inclusion_tag("training/runs_panel.html")
def runs_panel(campaign: Campaign) -> dict:
    runs = _runs(campaign).prefetch_related("versions")[:RUNS_SHOWN]
    return {"campaign": campaign, "runs": [{"run": run, "macro_f1": _macro_f1_of(run)} for run in runs]}


def _macro_f1_of(run: TrainingRun) -> float | None:
    return run.model_version and run.model_version.score


@register.inclusion_tag("training/queue_panel.html")
def queue_panel(campaign: Campaign, queue: list | None) -> dict:
    """`queue`: the head of the queue, each with task_id and text; None leaves what the page shows."""
    if queue is None:
        return {"campaign": campaign, "is_kept": True}
    predictions = Prediction.objects.filter(task__in=[task.task_id for task in queue])
    by_task = {prediction.task_id: prediction for prediction in predictions.select_related("model_version")}
    rows = [
        {"task_id": task.task_id, "text": task.text, "words": _words(by_task.get(task.task_id), campaign)}
        for task in queue
    ]
    # The order is signed by the number of the run that gave it; a run that failed made no version.
    ordered_by = _versions(campaign).filter(run__number=campaign.ordered_by_version).first()
    return {"campaign": campaign, "rows": rows, "policy": policy_of(campaign), "ordered_by": ordered_by}


def _words(prediction: Prediction | None, campaign: Campaign) -> str:
    """The two likeliest labels, or why there are none."""
    if prediction is None:
        return "not read yet"
    if prediction.explored:
        return "random"
    names = campaign.label_names
    pairs = zip(prediction.probabilities, prediction.model_version.label_keys, strict=True)
    best = sorted(pairs, reverse=True)[:2]
    return " / ".join(f"{names.get(key, key)} {probability:.2f}" for probability, key in best)


@register.simple_tag
def training_needs(campaign: Campaign) -> list[dict]:
    """A run that failed last is somebody's business; one that was followed by a good one is not."""
    last = _runs(campaign).first()
    if last is None or last.state != TrainingRun.State.FAILED:
        return []
    href = reverse("training_run", args=[last.pk])
    return [{"words": f"Training run {last.number} failed", "verb": "Read why", "href": href}]


@register.simple_tag
def is_training(campaign: Campaign) -> bool:
    return _runs(campaign).open().exists()
