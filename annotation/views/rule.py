"""When a task is done: the campaign's rule in words, another one tried on the answers there are."""

from math import floor
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods

from annotation.algorithms.stopping import Rule
from annotation.errors import PlatformError
from annotation.forms import RuleForm
from annotation.kinds import kind_named
from annotation.models import Campaign
from annotation.services.campaigns import update_campaign
from annotation.services.rule_trials import RuleTrial, expect, n_tasks_on_page, try_rule
from annotation.views.access import administered_campaign


@login_required
@require_http_methods(["GET", "POST"])
def rule(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    """GET tries the rule in the address, POST makes it the campaign's."""
    campaign = administered_campaign(request, campaign_id)
    kind = kind_named(campaign.kind)
    form = RuleForm(
        request.POST or request.GET or None,
        initial=RuleForm.of(campaign),
        n_choices=kind.n_choices(campaign.labels),
    )
    is_tried = form.is_bound and form.is_valid()
    if request.method == "POST" and is_tried:
        try:
            update_campaign(campaign, by=request.user, **form.campaign_fields(campaign))
        except PlatformError as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, "Saved. The rule holds from now on; tasks that it changes follow soon.")
            return redirect("campaign_rule", campaign.pk)
    tried = form.cleaned_data if is_tried else RuleForm.of(campaign)
    wanted = RuleForm.rule(tried, audit_share=campaign.audit_share)
    trial, why_not = _try(campaign, wanted)
    expectation = expect(wanted, tried["guessed_accuracy"], kind, campaign.labels)
    context = {
        "campaign": campaign,
        "form": form,
        "is_tried": is_tried,
        "rule": wanted,
        "trial": trial,
        "why_not": why_not,
        "curve": trial and _curve(trial),
        "expectation": expectation,
        "planning": kind.planning,
        "majority": _majority(expectation.by_answers),
    }
    return render(request, "annotation/rule.html", context)


def _try(campaign: Campaign, wanted: Rule) -> tuple[RuleTrial | None, str]:
    try:
        return try_rule(campaign, wanted, n_tasks=n_tasks_on_page(campaign)), ""
    except PlatformError as error:
        return None, error.sentence


def _curve(trial: RuleTrial) -> dict:
    """From cheap to dear: how right, by what a task costs."""
    points = sorted(trial.curve, key=lambda point: point.answers_per_task)
    return {
        "title": f"{capfirst(trial.measure)}, by answers for each task",
        "kind": "line",
        "x": "answers for each task (stopping at this certainty)",
        "y": trial.measure,
        "range": _range([*(point.accuracy for point in points), trial.accuracy_now]),
        "labels": [f"{point.answers_per_task:.2f} ({point.certainty:.2f})" for point in points],
        "series": [
            {"name": "By rule", "values": [_rounded(point.accuracy) for point in points], "tone": "brand"},
            {
                "name": "With all answers there are",
                "values": [_rounded(trial.accuracy_now)] * len(points),
                "tone": "ink-2",
                "dashed": True,
            },
        ],
    }


def _majority(by_answers: list[float]) -> dict:
    return {
        "title": "Right by majority, by answers for each task",
        "kind": "line",
        "x": "answers for each task",
        "y": "share right",
        "range": _range(by_answers),
        "labels": [str(n) for n in range(1, len(by_answers) + 1)],
        "series": [{"name": "Right", "values": [_rounded(a) for a in by_answers], "tone": "brand"}],
    }


def _range(shares: list[float | None]) -> tuple[float, float]:
    """At least a tenth up to all right, so that a task or two more do not look like a cliff."""
    lowest = min((share for share in shares if share is not None), default=0.9)
    return min(0.9, floor(10 * lowest + 1e-9) / 10), 1.0


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
