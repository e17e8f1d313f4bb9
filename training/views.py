"""Training's pages: a run as it goes, start one now, which model is in charge, when and how."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation.errors import NotFound, PlatformError
from annotation.forms import SkipForm
from annotation.views.access import administered_campaign
from training.config import shown_settings
from training.forms import PolicyForm
from training.models import AdaptedEncoder, ModelVersion, Promotion, TrainingRun
from training.services import explanations, promotions, run_report, runs, stream_rounds
from training.services.base_models import base_model_choices
from training.services.policies import change_policy

STAGES = {
    "": "Beginning",
    "snapshot": "Collecting what volunteers agreed on",
    "training": "Learning from it",
    "collecting": "Collecting the texts",
    "reading": "Learning to find words that are hidden in them",
    "judging": "Comparing the models",
    "scoring": "Reading the open tasks and ordering the queue",
}


@login_required
@require_GET
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    mine = TrainingRun.objects.administered_by(request.user)
    run = get_object_or_404(mine.select_related("campaign").prefetch_related("versions"), pk=run_id)
    versions = run_report.models_of(run)
    asked = request.GET.get("model")
    version = next((one for one in versions if str(one.number) == asked), versions[0] if versions else None)
    context = {
        "run": run,
        "campaign": run.campaign,
        "versions": versions,
        "version": version,
        "stage_words": STAGES.get(run.stage, run.stage),
        "verdict": run_report.verdict_words(run),
        "family_words": run_report.best_family_words(run, versions),
        "curves": run_report.loss_curves(run.history),
        "settings": shown_settings(run.config),
    }
    if version:
        context |= run_report.figures_of(version, run.campaign)
        context["lineage"] = run_report.lineage_rows(version)
    if version and run.is_over:  # until then the page asks again every few seconds
        context["mistakes"] = run_report.read_mistakes(version, run.campaign, by=request.user)
    return render(request, "training/run.html", context)


@login_required
@require_POST
def start(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    return _open_run(request, campaign_id, TrainingRun.Kind.TRAIN)


@login_required
@require_POST
def read_texts(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    return _open_run(request, campaign_id, TrainingRun.Kind.PRETRAIN)


def _open_run(request: HttpRequest, campaign_id: UUID, kind: str) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    try:
        run = runs.open_run(campaign, kind=kind, now=timezone.now())
    except PlatformError as error:
        messages.error(request, error.sentence)
        return redirect("campaign_dashboard", campaign.pk)
    return redirect("training_run", run.pk)


@login_required
@require_POST
def put_in_charge(request: HttpRequest, campaign_id: UUID, version_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    version = get_object_or_404(ModelVersion, campaign=campaign, pk=version_id)
    now = timezone.now()
    try:
        promotions.put_in_charge(version, cause=Promotion.Cause.HAND, now=now, by=request.user)
    except PlatformError as error:
        messages.error(request, error.sentence)
    else:
        runs.open_wanted_orders(now=now)
        messages.success(request, f"v{version.number} is in charge. It reads the open tasks next.")
    return redirect("campaign_dashboard", campaign.pk)


@login_required
@require_POST
def choose_again(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign, now = administered_campaign(request, campaign_id), timezone.now()
    stream_rounds.choose_again(runs.policy_of(campaign), by=request.user, now=now)
    runs.open_wanted_orders(now=now)
    messages.success(request, "Tasks are chosen again, and it is measured anew what that brings.")
    return redirect("campaign_dashboard", campaign.pk)


@login_required
@require_http_methods(["GET", "POST"])
def policy(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    standing = runs.policy_of(campaign)
    choices = base_model_choices(standing.base_model)
    adapted = AdaptedEncoder.objects.filter(campaign=campaign, in_use=True).select_related("run").first()
    form = PolicyForm(
        request.POST or None, instance=standing, base_models=choices, has_adapted=adapted is not None
    )
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            change_policy(runs.policy_of(campaign), by=request.user, now=now, **form.policy_fields())
        except PlatformError as error:
            form.add_error(None, error.sentence)
        else:
            runs.open_wanted_orders(now=now)
            messages.success(request, "Saved.")
            return redirect("campaign_dashboard", campaign.pk)
    context = {"campaign": campaign, "form": form, "policy": standing, "adapted": adapted}
    return render(request, "training/policy.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def explanation(request: HttpRequest, campaign_id: UUID, task_id: UUID) -> HttpResponse:
    """What the model looked at; asked for here, and shown here and on the task's own page."""
    try:
        reader = explanations.reader_of(request.user, task_id, campaign_id=campaign_id)
    except NotFound as error:
        raise Http404 from error
    now = timezone.now()
    if request.method == "POST":
        explanations.ask_for_explanation(reader, now=now)
        return redirect(_page_with_card(request, campaign_id, task_id) + "#live")
    shown = explanations.show_explanation(reader, now=now)
    # Another page that waits for its card reads it from here.
    back, skip = request.GET.get("back", "explanation"), SkipForm(request.GET).number()
    context = {"shown": shown, "campaign": shown.campaign, "back": back, "skip": skip}
    return render(request, "training/explanation.html", context)


def _page_with_card(request: HttpRequest, campaign_id: UUID, task_id: UUID) -> str:
    """Where it was asked for: the reviewer's desk, the task's own page, or the explanation's."""
    back = request.POST.get("back")
    if back == "desk":
        shown = {"skip": SkipForm(request.POST).number(), "model": task_id}
        return reverse("campaign_review", args=[campaign_id], query=shown)
    return reverse("campaign_task" if back == "task" else "task_explanation", args=[campaign_id, task_id])
