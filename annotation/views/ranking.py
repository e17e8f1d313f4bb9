"""What compared items are worth."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation.errors import PlatformError
from annotation.services.ranking import rank_items
from annotation.views.access import administered_campaign

ITEMS_SHOWN = 200


@login_required
@require_GET
def ranking(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    items, why_not = [], ""
    try:
        items = rank_items(campaign)
    except PlatformError as error:
        why_not = error.sentence
    lowest = min((item.score for item in items), default=0.0)
    span = max((item.score for item in items), default=0.0) - lowest or 1.0
    shown = [(item, (item.score - lowest) / span) for item in items[:ITEMS_SHOWN]]
    context = {"campaign": campaign, "items": shown, "n_items": len(items), "why_not": why_not}
    return render(request, "annotation/ranking.html", context)
