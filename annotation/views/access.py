"""What every page asks first: whose is it?"""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from annotation.models import Campaign


def administered_campaign(request: HttpRequest, campaign_id: UUID) -> Campaign:
    """The campaign, for the people who administer it; for all others there is no such page."""
    return get_object_or_404(Campaign.objects.administered_by(request.user), pk=campaign_id)


def reviewed_campaign(request: HttpRequest, campaign_id: UUID) -> Campaign:
    return get_object_or_404(Campaign.objects.reviewed_by(request.user), pk=campaign_id)


def campaign_to_label(request: HttpRequest, campaign_id: UUID) -> Campaign:
    return get_object_or_404(Campaign.objects.to_label(request.user), pk=campaign_id)
