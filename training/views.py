"""Training's pages: a run as it goes, start one now, when and how."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation.errors import PlatformError
from annotation.views.access import administered_campaign
from training.forms import PolicyForm
from training.models import TrainingRun
from training.services import runs
from training.services.base_models import base_model_choices

STAGES = {
    "": "Beginning",
    "snapshot": "Collecting what volunteers agreed on",
    "training": "Learning from it",
    "scoring": "Reading the open tasks and ordering the queue",
}
FIGURES = [
    ("accuracy", "accuracy", "The share of texts for which it found the volunteers' label."),
    (
        "macro_f1",
        "macro-F1",
        "How well each label is found, averaged over labels, so a rare one counts as much.",
    ),
    (
        "negative_log_likelihood",
        "log loss",
        "The price of being surely wrong; 0 is perfect, lower is better.",
    ),
    (
        "expected_calibration_error",
        "calibration error",
        "How far “80 % sure” is from being right 80 % of the time.",
    ),
]
STRONGEST_SHADE = 5


@login_required
@require_GET
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    mine = TrainingRun.objects.administered_by(request.user)
    run = get_object_or_404(mine.select_related("campaign").prefetch_related("versions"), pk=run_id)
    version = run.model_version
    context = {"run": run, "campaign": run.campaign, "version": version}
    context |= {"stage_words": STAGES.get(run.stage, run.stage), "curve": _loss_curve(run.history)}
    if version:
        context |= _test_figures(version.metrics["test"], version.label_keys, run.campaign.label_names)
    return render(request, "training/run.html", context)


def _loss_curve(history: list[dict]) -> dict | None:
    if not history:
        return None
    series = [
        ("on texts it learns from", "train_loss", "ink-2", True),
        ("on others", "validation_loss", "brand", False),
    ]
    return {
        "title": "Loss",
        "kind": "line",
        "x": "passes over the texts",
        "y": "loss",
        "labels": [point["epoch"] for point in history],
        "series": [
            {
                "name": name,
                "values": [_rounded(point[key]) for point in history],
                "tone": tone,
                "dashed": dashed,
            }
            for name, key, tone, dashed in series
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _test_figures(metrics: dict, label_keys: list[str], label_names: dict[str, str]) -> dict:
    names = [label_names.get(key, key) for key in label_keys]
    columns = metrics["per_class"]
    per_label = [
        {"name": name} | {figure: columns[figure][i] for figure in columns} for i, name in enumerate(names)
    ]
    return {
        "metrics": metrics,
        "figures": [
            {"name": name, "value": metrics[key], "sentence": sentence} for key, name, sentence in FIGURES
        ],
        "label_names": names,
        "confusion": [_confusion_row(*row) for row in zip(names, metrics["confusion_matrix"], strict=True)],
        "per_label": per_label,
    }


def _confusion_row(name: str, counts: list[int]) -> dict:
    """Each count with its share of the row, and a shade from 0 (none) to 5 (all)."""
    n = sum(counts)
    shares = [count / n if n else 0.0 for count in counts]
    cells = [
        {"n": count, "share": share, "shade": min(STRONGEST_SHADE, int(share * STRONGEST_SHADE + 0.999))}
        for count, share in zip(counts, shares, strict=True)
    ]
    return {"name": name, "n": n, "cells": cells}


@login_required
@require_POST
def start(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    try:
        run = runs.open_run(campaign, now=timezone.now())
    except PlatformError as error:
        messages.error(request, error.sentence)
        return redirect("campaign_dashboard", campaign.pk)
    return redirect("training_run", run.pk)


@login_required
@require_http_methods(["GET", "POST"])
def policy(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    standing = runs.policy_of(campaign)
    choices = base_model_choices(standing.base_model)
    form = PolicyForm(request.POST or None, instance=standing, base_models=choices)
    if request.method == "POST" and form.is_valid():
        try:
            runs.change_policy(runs.policy_of(campaign), by=request.user, **form.policy_fields())
        except PlatformError as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, "Saved.")
            return redirect("campaign_dashboard", campaign.pk)
    return render(request, "training/policy.html", {"campaign": campaign, "form": form})
