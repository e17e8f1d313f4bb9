"""A campaign admin's pages: create, change, open, pause."""

import json
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from annotation.errors import PlatformError
from annotation.forms import EMPTY_LABELS, CampaignForm, LabelFormSet
from annotation.models import Campaign, Membership
from annotation.services.campaigns import create_campaign, set_state, update_campaign
from annotation.services.guideline import render_guideline
from annotation.views.access import administered_campaign

MAX_GUIDELINE_LENGTH = Campaign._meta.get_field("guideline").max_length


@login_required
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    if not Membership.objects.may_create_campaigns(request.user):
        raise PermissionDenied
    form = CampaignForm(request.POST or None)
    labels = LabelFormSet(request.POST or None, initial=EMPTY_LABELS, prefix="labels")
    if request.method == "POST" and form.is_valid() and labels.is_valid():
        try:
            fields = form.campaign_fields()
            campaign = create_campaign(by=request.user, labels=labels.label_list(fields["kind"]), **fields)
        except PlatformError as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, "The campaign is made. Next: its records.")
            return redirect("campaign_upload", campaign.pk)
    return render(request, "annotation/campaign_form.html", {"form": form, "labels": labels})


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    # The form writes what was typed into its instance; the page's heading shows what is stored.
    form = CampaignForm(request.POST or None, instance=Campaign.objects.get(pk=campaign.pk))
    labels = LabelFormSet(request.POST or None, initial=[*campaign.labels, {}], prefix="labels")
    if request.method == "POST" and form.is_valid() and labels.is_valid():
        try:
            fields = form.campaign_fields()
            update_campaign(campaign, by=request.user, labels=labels.label_list(fields["kind"]), **fields)
        except PlatformError as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, "Saved.")
            return redirect("campaign_dashboard", campaign.pk)
    context = {"campaign": campaign, "form": form, "labels": labels}
    return render(request, "annotation/campaign_form.html", context)


@login_required
@require_POST
def change_state(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    if request.POST.get("state") not in Campaign.State.values:
        messages.error(request, "A campaign is open or paused, nothing else.")
    else:
        set_state(campaign, request.POST["state"], by=request.user)
    return redirect("campaign_dashboard", campaign.pk)


@login_required
@require_POST
def guideline_preview(request: HttpRequest) -> JsonResponse:
    """Markdown in, sanitised HTML out; nothing is stored."""
    try:
        guideline = json.loads(request.body)["guideline"]
    except (ValueError, KeyError, TypeError):
        guideline = None
    if not isinstance(guideline, str) or len(guideline) > MAX_GUIDELINE_LENGTH:
        sentence = f"A guideline is a text of at most {MAX_GUIDELINE_LENGTH:,} characters."
        return JsonResponse({"code": "invalid", "detail": sentence}, status=422)
    return JsonResponse({"html": render_guideline(guideline)})
