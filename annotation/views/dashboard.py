"""The campaign's dashboard: the figures of people; those of models come from training's template tags."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from annotation.kinds import kind_named
from annotation.models import Campaign
from annotation.services.dashboard import Dashboard, QueuedTask, dashboard_of, queue_head
from annotation.services.engine import engine_of
from annotation.services.readings import read_tied_tasks
from annotation.views.access import administered_campaign
from annotation.views.preannotation import preannotation_card

HASTY_SECONDS = 0.4  # nobody reads a sentence in less


@login_required
@require_GET
def dashboard(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    figures = dashboard_of(campaign, now=timezone.now())
    context = {
        "campaign": campaign,
        "kind": kind_named(campaign.kind),
        "figures": figures,
        "alpha_words": _alpha_words(figures.alpha),
        "needs": _needs(campaign, figures),
        "engine": engine_of(campaign),
        "preannotation": preannotation_card(campaign),
        "per_day": _per_day_chart(figures),
        "queue": _queue_unless_shown(request, campaign),
    }
    return render(request, "annotation/dashboard.html", context)


def _queue_unless_shown(request: HttpRequest, campaign: Campaign) -> list[QueuedTask] | None:
    """None where the page keeps what it shows: an open dashboard must not read records all day long.

    live.js sends the epoch of the queue that it has; only another order is a reason to read again.
    """
    if request.headers.get("HC-Queue-Shown") == str(campaign.queue_epoch):
        return None
    return queue_head(campaign, by=request.user)


@login_required
@require_GET
def ties(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    tied = read_tied_tasks(campaign, by=request.user)
    names = campaign.label_names
    rows = [
        {"task": task, "votes": [(names.get(key, key), n) for key, n in task.votes.items()]} for task in tied
    ]
    return render(request, "annotation/ties.html", {"campaign": campaign, "rows": rows})


def _alpha_words(alpha: float | None) -> str:
    if alpha is None:
        return ""
    if alpha >= 0.8:
        return "volunteers agree well"
    return "volunteers agree fairly" if alpha >= 0.667 else "volunteers often disagree"


def _needs(campaign: Campaign, figures: Dashboard) -> list[dict]:
    records = reverse("campaign_upload", args=[campaign.pk])
    held = reverse("campaign_held", args=[campaign.pk])
    ties_page = reverse("campaign_ties", args=[campaign.pk])
    hasty = [
        v for v in figures.volunteers if v.median_seconds is not None and v.median_seconds < HASTY_SECONDS
    ]
    n_other_held = figures.n_held_records - figures.n_reported
    found = [
        (not figures.n_tasks, "There are no records yet", "Add some", records),
        (
            figures.n_tasks and not campaign.is_open,
            "The campaign is paused: nobody can answer (the button is above)",
            "",
            "",
        ),
        (
            figures.n_reported,
            f"{_count(figures.n_reported, 'record')} reported: “I see a name”",
            "Check",
            held + "?list=reported",
        ),
        (
            n_other_held,
            f"{_count(n_other_held, 'record')} held, not yet free of details",
            "Check",
            held + "?list=others",
        ),
        (
            figures.n_to_review,
            f"{_count(figures.n_to_review, 'task')} waiting for a reviewer",
            "Decide",
            reverse("campaign_review", args=[campaign.pk]),
        ),
        (
            figures.n_tied,
            f"{_count(figures.n_tied, 'settled task')} with a tied vote",
            "Read them",
            ties_page,
        ),
        (
            figures.n_flagged,
            f"{_count(figures.n_flagged, 'volunteer')} flagged: their answers wait for you",
            "Decide",
            reverse("campaign_volunteers", args=[campaign.pk]),
        ),
        (
            figures.n_unclear,
            f"The guideline seems unclear on {_count(figures.n_unclear, 'case')}",
            "Read them",
            reverse("campaign_unclear", args=[campaign.pk]),
        ),
        (
            figures.n_failed_imports,
            f"{_count(figures.n_failed_imports, 'import')} failed",
            "Read why",
            records,
        ),
        (hasty, f"{_count(len(hasty), 'volunteer')} answering in under 400 ms", "Look", "#volunteers"),
    ]
    return [{"words": words, "verb": verb, "href": href} for needed, words, verb, href in found if needed]


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _per_day_chart(figures: Dashboard) -> dict:
    return {
        "title": "Answers per day",
        "kind": "bar",
        "x": "day",
        "y": "answers",
        "labels": [f"{day.day} {day:%b}" for day, _ in figures.answers_per_day],
        "series": [{"name": "Answers", "values": [n for _, n in figures.answers_per_day], "tone": "brand"}],
    }
