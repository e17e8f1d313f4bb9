"""What training has to say on a campaign's dashboard: the template composes the two apps' figures."""

from datetime import datetime, timedelta

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from annotation.models import Campaign
from training.models import (
    ModelVersion,
    ModelVersionQuerySet,
    Prediction,
    TrainingRun,
    TrainingRunQuerySet,
)
from training.services.learning_curve import CurvePoint, learning_points, returns_sentence
from training.services.promotions import in_charge, refusal_of, replaced, took_charge
from training.services.run_report import change_words
from training.services.runs import policy_of
from training.services.stream_rounds import any_number_of_labels, sentence_of, shadow_curve

register = template.Library()
RUNS_SHOWN = 6
POINTS_SHOWN = 40


def _versions(campaign: Campaign) -> ModelVersionQuerySet:
    return ModelVersion.objects.filter(campaign=campaign)


def _runs(campaign: Campaign) -> TrainingRunQuerySet:
    return TrainingRun.objects.filter(campaign=campaign)


@register.inclusion_tag("training/model_card.html", takes_context=True)
def model_card(context: dict, campaign: Campaign) -> dict:
    version = in_charge(campaign.pk)
    promotion = took_charge(version) if version else None
    previous = replaced(promotion)
    return {
        "csrf_token": context.get("csrf_token"),
        "campaign": campaign,
        "version": version,
        "macro_f1": version and version.score,
        "n_tested": version and version.metrics["test"]["n_examples"],
        "gain_words": _gain_words(version),
        "change_words": change_words(promotion),
        "ordered_words": _ago(version.ordered_at) if version and version.ordered_at else "",
        "previous": previous,
        "refusal": previous and refusal_of(previous),
        "run": _runs(campaign).open().first(),
        "policy": policy_of(campaign),
    }


def _gain_words(version: ModelVersion | None) -> str:
    """How much better than the model before, on the same texts, which its own gate knows."""
    said = version and version.run.verdict
    if not said or said["version"] != version.number or not said["instead_of"]:
        return ""
    drop = next((check["value"] for check in said["checks"] if check["code"] == "f1"), None)
    if drop is None:
        return ""
    return f"{-drop:+.2f} over v{said['instead_of']}".replace("-", "\N{MINUS SIGN}")


def _ago(at: datetime) -> str:
    now = timezone.now()
    return "just now" if now - at < timedelta(minutes=1) else f"{timesince(at, now)} ago"


@register.inclusion_tag("training/gain_panel.html")
def gain_panel(campaign: Campaign) -> dict:
    """Macro-F1 by the labels and by the minutes that it took; one model makes a point, not a curve."""
    points = learning_points(campaign)
    shown = points[-POINTS_SHOWN:]
    choosing = {"choosing": sentence_of(policy_of(campaign)), "by_lot": _choosing_curve(campaign)}
    if len(shown) < 2:
        return {"by_labels": None} | choosing
    by_labels = [point.n_labels for point in shown]
    by_minutes = [round(point.minutes) for point in shown]
    return {
        "by_labels": _curve("Model and labels", "settled tasks it learned from", by_labels, shown),
        "by_minutes": _curve("Model and time", "minutes that volunteers gave", by_minutes, shown),
        "returns": returns_sentence(points),
    } | choosing


def _curve(title: str, x: str, at: list[int], points: list[CurvePoint]) -> dict:
    values = [round(point.score, 3) for point in points]
    return {
        "title": title,
        "kind": "line",
        "x": x,
        "y": "macro-F1",
        "labels": [f"{place:,}" for place in at],
        "at": at,
        "series": [{"name": "macro-F1", "values": values, "tone": "brand"}],
    }


def _choosing_curve(campaign: Campaign) -> dict | None:
    """What chosen tasks taught, and as many drawn by lot; one round makes no curve."""
    rounds = shadow_curve(campaign)[-POINTS_SHOWN:]
    if len(rounds) < 2:
        return None
    at = [one.n_learned for one in rounds]
    return {
        "title": "Chosen tasks and tasks drawn at random",
        "kind": "line",
        "x": "settled tasks that each of the two learned from",
        "y": "F1 of labels" if any_number_of_labels(campaign) else "labels found",
        "labels": [f"{n_learned:,}" for n_learned in at],
        "at": at,
        "series": [
            {"name": "chosen", "values": [round(one.acquired, 3) for one in rounds], "tone": "brand"},
            {"name": "drawn at random", "values": [round(one.drawn, 3) for one in rounds], "tone": "ink-2",
             "dashed": True},
        ],
    }  # fmt: skip


@register.inclusion_tag("training/runs_panel.html")
def runs_panel(campaign: Campaign) -> dict:
    runs = list(_runs(campaign).defer("history", "config")[:RUNS_SHOWN])
    best = _versions(campaign).filter(run__in=runs).best_of_runs()
    found = {run_id: of_best for run_id, *of_best in best.values_list("run", "number", best.SCORE)}
    rows = []
    for run in runs:
        number, macro_f1 = found.get(run.pk, (None, None))
        rows.append({"run": run, "version_number": number, "macro_f1": macro_f1})
    return {"campaign": campaign, "runs": rows}


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
    # The order is signed by the number of the run that gave it, which need not have made the model.
    ordered_by = _versions(campaign).exclude(ordered_at=None).order_by("-ordered_at").first()
    ordered_by = ordered_by if campaign.ordered_by_run else None
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
