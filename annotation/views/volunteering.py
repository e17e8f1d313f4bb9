"""A volunteer's pages: what there is, consent, labelling, and how they came in."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods

from annotation.errors import PlatformError, TakenOut
from annotation.kinds import kind_named
from annotation.kinds.labels import of_role
from annotation.kinds.text import MOST_CHARACTERS
from annotation.models import Assignment, Campaign, Membership, Volunteer
from annotation.services.guideline import render_guideline
from annotation.services.joining import join_campaign, redeem_invitation
from annotation.services.overview import campaign_cards
from annotation.services.refresher import solved_examples
from annotation.views.access import campaign_to_label


@login_required
@require_GET
def campaign_list(request: HttpRequest) -> HttpResponse:
    may_create = Membership.objects.may_create_campaigns(request.user)
    context = {"cards": campaign_cards(request.user), "may_create": may_create}
    return render(request, "annotation/campaign_list.html", context)


@login_required
@require_GET
def label(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    if _was_taken_out(request, campaign_id):
        return redirect("campaign_list")
    campaign = campaign_to_label(request, campaign_id)
    volunteer = Volunteer.objects.of(request.user, campaign).first()
    if volunteer is None:
        return redirect("campaign_consent", campaign.pk)
    if volunteer.is_to_train:
        return _refresher(request, campaign, volunteer)
    context = {
        "campaign": campaign,
        "kind": kind_named(campaign.kind),
        "labels": campaign.labels,
        "mark_labels": of_role(campaign.labels, "span"),
        "relation_labels": of_role(campaign.labels, "relation"),
        "guideline_html": render_guideline(campaign.guideline),
        "most_characters": MOST_CHARACTERS,
        "skip_reasons": Assignment.SkipReason.choices,
        "page": _script_data(request, campaign),
    }
    return render(request, f"annotation/kinds/{campaign.kind}.html", context)


def _was_taken_out(request: HttpRequest, campaign_id: UUID) -> bool:
    """If so, the next page says it in a sentence."""
    if not Volunteer.objects.of(request.user, campaign_id).taken_out().exists():
        return False
    messages.info(request, TakenOut.sentence)
    return True


def _refresher(request: HttpRequest, campaign: Campaign, volunteer: Volunteer) -> HttpResponse:
    """The guideline and some solved examples, in the place of the next text."""
    context = {
        "campaign": campaign,
        "guideline_html": render_guideline(campaign.guideline),
        "examples": solved_examples(campaign, volunteer),
    }
    return render(request, "annotation/refresher.html", context)


def _script_data(request: HttpRequest, campaign: Campaign) -> dict:
    """What label.js needs to know. `me` keeps apart what two people left on one computer."""
    return {
        "campaign": str(campaign.pk),
        "api": "/api/v1/",
        "me": str(request.user.pk),
        "surface": static(f"js/kinds/{campaign.kind}.js"),
        "labels": campaign.labels,
        "asksCertainty": campaign.asks_certainty,
        "urls": {
            "home": reverse("campaign_list"),
            "consent": reverse("campaign_consent", args=[campaign.pk]),
            "login": reverse("account_login") + "?" + urlencode({"next": request.path}),
        },
    }


@login_required
@require_http_methods(["GET", "POST"])
def consent(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    if _was_taken_out(request, campaign_id):
        return redirect("campaign_list")
    campaign = campaign_to_label(request, campaign_id)
    if request.method == "POST":
        join_campaign(request.user, campaign, now=timezone.now())
        return redirect("campaign_label", campaign.pk)
    return render(request, "annotation/consent.html", {"campaign": campaign})


@require_GET
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Where an invitation link leads: through sign-up if need be, and back here to be redeemed."""
    if not request.user.is_authenticated:
        request.session["invitation"] = token
        return redirect(reverse("account_signup") + "?" + urlencode({"next": request.path}))
    try:
        redeem_invitation(token, request.user, now=timezone.now())
    except PlatformError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, "Welcome. The campaign you were invited to is in the list.")
    request.session.pop("invitation", None)
    return redirect("campaign_list")
