"""The people of a campaign: invited, listed by pseudonym, taken out, let back in."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from annotation.errors import NotFound
from annotation.forms import InvitationForm, PseudonymForm
from annotation.services.joining import invite
from annotation.services.taking_part import let_in, participants, take_out
from annotation.views.access import administered_campaign


@login_required
@require_http_methods(["GET", "POST"])
def people(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    form, link = InvitationForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        token = invite(
            campaign,
            chosen["role"],
            by=request.user,
            max_uses=chosen["max_uses"],
            valid=timedelta(days=chosen["valid_days"]),
            now=timezone.now(),
        )
        link = request.build_absolute_uri(reverse("invitation", args=[token]))
    search = PseudonymForm(request.GET)
    sought = search.cleaned_data["pseudonym"] if search.is_valid() else ""
    context = {
        "campaign": campaign,
        "form": form,
        "link": link,
        "sought": sought,
        "n_volunteers": campaign.volunteers.count(),
        "taking_part": participants(campaign, pseudonym=sought, taken_out=False),
        "taken_out": participants(campaign, pseudonym=sought, taken_out=True),
    }
    return render(request, "annotation/campaign_people.html", context)


@login_required
@require_POST
def change_part(request: HttpRequest, campaign_id: UUID, volunteer_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    try:
        if request.POST.get("part") == "out":
            volunteer = take_out(campaign, volunteer_id, by=request.user, now=timezone.now())
            messages.success(request, f"{volunteer.pseudonym} gets no more texts. Their answers are kept.")
        else:
            volunteer = let_in(campaign, volunteer_id, by=request.user)
            messages.success(request, f"{volunteer.pseudonym} takes part again.")
    except NotFound as error:
        raise Http404 from error
    return redirect("campaign_people", campaign.pk)
