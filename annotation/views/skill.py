"""How volunteers do: for the campaign's admins each of them, for a volunteer their own figures."""

from datetime import date
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from annotation.errors import NotFound
from annotation.forms import StandingForm
from annotation.kinds import kind_named
from annotation.models import AgreementReport, Campaign, Volunteer
from annotation.services.crowd import count_answers
from annotation.services.refresher import ask_to_train, finish_training
from annotation.services.skill import SkillReport, own_report, skill_lines, skill_report, volunteer_of
from annotation.services.standing import set_standing
from annotation.views.access import administered_campaign, campaign_to_label

# What each coefficient says, in a sentence; the order is the page's.
MEASURES = {
    "agreement": ("Same answer", "How often two people gave the same answer, chance included."),
    "alpha": (
        "Krippendorff's alpha",
        "Agreement beyond chance: 1 is full, 0 is what chance alone gives; above 0.8 is good, below 0.67 say "
        "“perhaps”. It copes with different numbers of answers.",
    ),
    "fleiss_kappa": ("Fleiss' kappa", "Agreement beyond chance, as if all volunteers guessed alike."),
    "gwet_ac": (
        "Gwet's AC",
        "Agreement beyond chance that stays sensible when nearly all answers are one label, where the others "
        "fall towards 0.",
    ),
    "cohen_kappa": (
        "Cohen's kappa",
        "Agreement beyond chance of two people at a time, the mean over pairs that share ten tasks or more.",
    ),
    "span_f1": (
        "F1 of marks",
        "What two people both marked in a text, with the same ends and label, of all that the two marked.",
    ),
    "relation_f1": (
        "F1 of relations",
        "What two people both stated of a text, with the same marks at both ends and the same label, of all "
        "that the two stated.",
    ),
    "similarity": ("Similarity", "How many of their words two texts on the same task share."),
}
# Of each week the figure, and the ends of its interval.
WEEKLY = (
    ("the figure", "value", {"tone": "brand"}),
    ("surely above", "low", {"tone": "ink-2", "dashed": True}),
    ("surely below", "high", {"tone": "ink-2", "dashed": True}),
)
PAIRED = {
    "kappa": "Cohen's kappa of the answers",
    "label_f1": "F1 of the labels",
    "span_f1": "F1 of the marks",
    "relation_f1": "F1 of the relations",
    "word_f1": "F1 of the words",
}


@login_required
@require_GET
def volunteers(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    rightness = kind_named(campaign.kind).rightness
    context = {"campaign": campaign, "lines": skill_lines(campaign), "rightness": rightness}
    return render(request, "annotation/volunteers.html", context)


@login_required
@require_GET
def volunteer(request: HttpRequest, campaign_id: UUID, volunteer_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    report = skill_report(campaign, _volunteer(campaign, volunteer_id))
    lock_steps = report.evidence.get("lock_step", [])
    found = [report.evidence[name] for name in ("habit", "speed", "drift") if name in report.evidence]
    context = _shown(campaign, report) | {"findings": [*lock_steps, *found]}
    return render(request, "annotation/volunteer.html", context)


@login_required
@require_POST
def change_standing(request: HttpRequest, campaign_id: UUID, volunteer_id: UUID) -> HttpResponse:
    """Trust or exclude. The answers given so far follow within a minute, by a worker."""
    campaign = administered_campaign(request, campaign_id)
    changed, form = _volunteer(campaign, volunteer_id), StandingForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say whether their answers count; a reason has at most 300 characters.")
    else:
        sent = form.cleaned_data
        set_standing(changed, sent["standing"], sent["reason"], by=request.user, now=timezone.now())
        counts = sent["standing"] == Volunteer.Standing.TRUSTED
        words = "count" if counts else "no longer count"
        messages.success(request, f"The answers of {changed} {words}. Their tasks follow within a minute.")
    return redirect("campaign_volunteer", campaign.pk, volunteer_id)


@login_required
@require_POST
def ask_back(request: HttpRequest, campaign_id: UUID, volunteer_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    asked = _volunteer(campaign, volunteer_id)
    if ask_to_train(asked, by=request.user, now=timezone.now()):
        messages.success(request, f"{asked} reads the guideline and some examples before the next text.")
    return redirect("campaign_volunteer", campaign.pk, volunteer_id)


def _volunteer(campaign: Campaign, volunteer_id: UUID) -> Volunteer:
    try:
        return volunteer_of(campaign, volunteer_id)
    except NotFound as error:
        raise Http404 from error


@login_required
@require_GET
def own(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    """A volunteer's own figures, and nobody else's."""
    campaign = campaign_to_label(request, campaign_id)
    try:
        report = own_report(campaign, request.user)
    except NotFound:
        return redirect("campaign_consent", campaign.pk)
    return render(request, "annotation/own_skill.html", _shown(campaign, report))


def _shown(campaign: Campaign, report: SkillReport) -> dict:
    return {"campaign": campaign, "kind": kind_named(campaign.kind), "report": report}


@login_required
@require_POST
def refreshed(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    """They have read the guideline once more, and go on."""
    campaign = campaign_to_label(request, campaign_id)
    reader = Volunteer.objects.of(request.user, campaign).first()
    if reader is not None:
        finish_training(reader, now=timezone.now())
    return redirect("campaign_label", campaign.pk)


@login_required
@require_GET
def agreement(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    report = AgreementReport.objects.filter(campaign=campaign).first()
    context = {"campaign": campaign, "report": report}
    if report is None:
        context |= {"has_answers": count_answers(campaign) > 0}
    else:
        figures = report.figures
        measures = [
            {"key": key, "name": name, "sentence": sentence, "measure": figures["measures"][key]}
            for key, (name, sentence) in MEASURES.items()
            if figures["measures"].get(key) is not None
        ]
        context |= {"agreement": figures, "measures": measures, "per_week": _per_week_chart(figures)}
        context |= {
            "paired": PAIRED.get(figures["paired"]),
            "has_f1": any(r["f1"] for r in figures["labels"]),
        }
    return render(request, "annotation/agreement.html", context)


def _per_week_chart(figures: dict) -> dict | None:
    known = [week for week in figures["weeks"] if week["value"] is not None]
    if len(known) < 2:
        return None
    name, _ = MEASURES[figures["weekly"]]
    mondays = [date.fromisoformat(week["week"]) for week in known]
    return {
        "title": f"{name} by week",
        "kind": "line",
        "x": "week from",
        "y": name,
        "range": (0.0, 1.0),
        "labels": [f"{monday.day} {monday:%b}" for monday in mondays],
        "series": [
            {"name": said, "values": [round(week[key], 3) for week in known]} | drawn
            for said, key, drawn in WEEKLY
        ],
    }
