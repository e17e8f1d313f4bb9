"""The reviewer's desk, why a consensus is what it is, and the cases that the guideline does not decide."""

from uuid import UUID

import orjson
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_POST

from annotation.errors import InvalidAnswer, NotFound, PlatformError
from annotation.forms import DoubtForm, SkipForm
from annotation.kinds import kind_named
from annotation.kinds.labels import of_role
from annotation.models import Campaign
from annotation.services.doubts import doubt_guideline, read_cases, resolve_doubts
from annotation.services.export import FORMATS
from annotation.services.guideline import render_guideline
from annotation.services.readings import export_cases
from annotation.services.review import decide_task, tasks_to_review
from annotation.services.why import Explanation, explain_task, find_task
from annotation.views.access import administered_campaign, reviewed_campaign

SHORT = 40  # characters of a choice on its button
NAMES = 3  # of those who gave it


@login_required
@require_GET
def desk(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    """One doubtful task at a time; `skip` passes over those that are left for later.

    What a model looked at is shown where `model` is the task's id: nobody is led before they ask.
    """
    campaign = reviewed_campaign(request, campaign_id)
    waiting = tasks_to_review(campaign)
    skip = SkipForm(request.GET).number()
    context = _frame(request, campaign) | {"n_waiting": len(waiting), "skip": skip, "back": "desk"}
    if skip < len(waiting):
        why = explain_task(campaign, waiting[skip], by=request.user, with_names=False)
        context |= _of_task(campaign, why)
        context["wants_model"] = request.GET.get("model") == str(why.task_id)
    return render(request, "annotation/review.html", context)


@login_required
@require_GET
def task(request: HttpRequest, campaign_id: UUID, task_id: UUID) -> HttpResponse:
    """Why this task's consensus is what it is. Pseudonyms are for the campaign's admins alone."""
    campaign = reviewed_campaign(request, campaign_id)
    context = _frame(request, campaign)
    try:
        why = explain_task(campaign, task_id, by=request.user, with_names=context["may_manage"])
    except NotFound as error:
        raise Http404 from error
    return render(
        request, "annotation/why.html", context | _of_task(campaign, why) | {"back": "task", "skip": 0}
    )


@login_required
@require_GET
def mark(request: HttpRequest, campaign_id: UUID, task_id: UUID) -> HttpResponse:
    """A reviewer's own marks and relations, begun with what was decided or what the answers add up to."""
    campaign = reviewed_campaign(request, campaign_id)
    if not kind_named(campaign.kind).marks_text:
        raise Http404
    try:
        why = explain_task(campaign, task_id, by=request.user, with_names=False)
    except NotFound as error:
        raise Http404 from error
    found = why.known or why.verdict
    data = {
        "surface": static(f"js/kinds/{campaign.kind}.js"),
        "labels": campaign.labels,
        "task": {"text": why.text, "before": why.before, "after": why.after, "section": why.section},
        "given": (found and found.value) or {"spans": []},
    }
    back, skip = "task" if request.GET.get("back") == "task" else "desk", SkipForm(request.GET).number()
    back_url = _back_url(campaign, task_id, back, skip)
    context = {
        "campaign": campaign,
        "why": why,
        "page": data,
        "back": back,
        "skip": skip,
        "back_url": back_url,
        "mark_labels": of_role(campaign.labels, "span"),
        "relation_labels": of_role(campaign.labels, "relation"),
    }
    return render(request, "annotation/mark.html", context)


@login_required
@require_GET
def find(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = reviewed_campaign(request, campaign_id)
    try:
        return redirect("campaign_task", campaign.pk, find_task(campaign, request.GET.get("name", "")))
    except NotFound as error:
        messages.error(request, error.sentence)
    return redirect("campaign_review", campaign.pk)


@login_required
@require_POST
def decide(request: HttpRequest, campaign_id: UUID, task_id: UUID) -> HttpResponse:
    campaign = reviewed_campaign(request, campaign_id)
    try:
        decided = decide_task(
            campaign,
            task_id,
            _sent_value(request),
            by=request.user,
            now=timezone.now(),
            changes=bool(request.POST.get("changes")),
        )
    except PlatformError as error:
        messages.error(request, error.sentence)
    else:
        kind = kind_named(campaign.kind)
        words = "; ".join(kind.lines(decided.value, campaign.label_names, ""))
        said = f"“{words}”" if kind.one_label else "Your decision"
        messages.success(request, f"{said} stands. Nobody else is asked about this one.")
    return _back(request, campaign, task_id)


@login_required
@require_POST
def doubt(request: HttpRequest, campaign_id: UUID, task_id: UUID) -> HttpResponse:
    campaign = reviewed_campaign(request, campaign_id)
    form = DoubtForm(request.POST)
    if not form.is_valid():
        messages.error(request, "A note has at most 500 characters. Nothing was marked.")
        return _back(request, campaign, task_id)
    try:
        doubt_guideline(campaign, task_id, form.cleaned_data["note"], by=request.user, now=timezone.now())
    except NotFound as error:
        raise Http404 from error
    messages.success(request, "Marked. The campaign's admins find it among the cases to write down.")
    return _back(request, campaign, task_id)


@login_required
@require_GET
def unclear(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    cases = read_cases(campaign, by=request.user)
    return render(request, "annotation/unclear.html", {"campaign": campaign, "cases": cases})


@login_required
@require_POST
def resolve(request: HttpRequest, campaign_id: UUID, task_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    if resolve_doubts(campaign, task_id, by=request.user, now=timezone.now()):
        messages.success(request, "Taken off the list: the guideline decides it now.")
    return redirect("campaign_unclear", campaign.pk)


@login_required
@require_GET
def unclear_file(request: HttpRequest, campaign_id: UUID, file_format: str) -> StreamingHttpResponse:
    campaign = administered_campaign(request, campaign_id)
    if file_format not in FORMATS:
        raise Http404
    lines = export_cases(campaign, file_format, by=request.user)
    response = StreamingHttpResponse(lines, content_type="application/octet-stream")
    name = f"{slugify(campaign.name) or 'campaign'}-unclear.{file_format}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _frame(request: HttpRequest, campaign: Campaign) -> dict:
    return {
        "campaign": campaign,
        "guideline_html": render_guideline(campaign.guideline),
        "may_manage": Campaign.objects.administered_by(request.user).filter(pk=campaign.pk).exists(),
    }


def _of_task(campaign: Campaign, why: Explanation) -> dict:
    verdict, kind = why.verdict, kind_named(campaign.kind)
    return {
        "why": why,
        "kind": kind,
        "options": _options(campaign, why) if verdict else [],
        "method_name": verdict and dict(Campaign.Aggregation.choices).get(verdict.method, verdict.method),
        "method_sentence": verdict and kind.methods.get(verdict.method, ""),
        "shown_marks": _shown_marks(campaign, why),
    }


def _shown_marks(campaign: Campaign, why: Explanation) -> dict | None:
    """What was decided, or what the answers add up to, for the text to be drawn with; None without marks."""
    found = why.known or why.verdict
    if not found or not found.value or "spans" not in found.value:
        return None
    return {
        "text": why.text,
        "labels": of_role(campaign.labels, "span"),
        "spans": found.value["spans"],
        "relation_labels": of_role(campaign.labels, "relation"),
        "relations": found.value.get("relations", []),
    }


def _options(campaign: Campaign, why: Explanation) -> list[dict]:
    """What can be decided with one key: the labels, or else the consensus and each different answer."""
    if kind_named(campaign.kind).one_label:
        found = [({"label": label["key"]}, label["name"]) for label in campaign.labels]
    else:
        found = [(why.verdict.value, "All together")] if why.verdict.value is not None else []
        found += [(answer.value, answer.who) for answer in why.answers if answer.counts]
    options: list[dict] = []
    for value, words in found:
        same = next((option for option in options if option["value"] == value), None)
        if same:
            same["words"].append(words)
        else:
            options.append({"value": value, "words": [words]})
    for option in options:
        option["json"] = orjson.dumps(option["value"]).decode()
        option["n_more"] = len(option["words"][NAMES:])
        option["words"] = [words[:SHORT] for words in option["words"][:NAMES]]
    return options


def _sent_value(request: HttpRequest) -> object:
    try:
        return orjson.loads(request.POST.get("value", ""))
    except orjson.JSONDecodeError as error:
        raise InvalidAnswer("There was no decision in what was sent.") from error


def _back(request: HttpRequest, campaign: Campaign, task_id: UUID) -> HttpResponse:
    """To the task that is decided next, or to the task's own page if it was decided there."""
    skip = SkipForm(request.POST).number()
    return redirect(_back_url(campaign, task_id, request.POST.get("back", ""), skip))


def _back_url(campaign: Campaign, task_id: UUID, back: str, skip: int) -> str:
    if back == "task":
        return reverse("campaign_task", args=[campaign.pk, task_id])
    desk_page = reverse("campaign_review", args=[campaign.pk])
    return f"{desk_page}?skip={skip}" if skip else desk_page
