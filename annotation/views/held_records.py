"""Held records on a page: read, and let out one by one or all at once."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from annotation.errors import PlatformError
from annotation.forms import HeldListForm
from annotation.models import Campaign
from annotation.services.held_records import read_held_records, release_record, release_records
from annotation.views.access import administered_campaign, reviewed_campaign


@login_required
@require_GET
def held(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = reviewed_campaign(request, campaign_id)
    wanted = HeldListForm(request.GET)
    if not wanted.is_valid():
        return redirect("campaign_held", campaign.pk)
    context = {
        "campaign": campaign,
        "held": read_held_records(campaign, **wanted.chosen(), by=request.user),
        "after": wanted.cleaned_data["after"],
        "may_manage": Campaign.objects.administered_by(request.user).filter(pk=campaign.pk).exists(),
    }
    return render(request, "annotation/held_records.html", context)


@login_required
@require_POST
def release(request: HttpRequest, campaign_id: UUID, record_id: UUID) -> HttpResponse:
    """Back to the same part of the list, in which the next record has moved up."""
    campaign = reviewed_campaign(request, campaign_id)
    try:
        release_record(campaign, record_id, by=request.user)
        messages.success(request, "Released: its texts go out to volunteers now.")
    except PlatformError as error:
        messages.error(request, error.sentence)
    wanted = HeldListForm(request.POST)
    page = reverse("campaign_held", args=[campaign.pk])
    return redirect(f"{page}?{wanted.query()}" if wanted.is_valid() else page)


@login_required
@require_POST
def release_all(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    """The admin confirms that the held records are free of identifying details."""
    campaign = administered_campaign(request, campaign_id)
    if request.POST.get("confirmed"):
        n = release_records(campaign, by=request.user)
        messages.success(request, f"{n:,} records are released. You confirmed that they are free of details.")
    else:
        messages.error(request, "Nothing was released: tick the box to confirm that you have looked.")
    return redirect("campaign_held", campaign.pk)
