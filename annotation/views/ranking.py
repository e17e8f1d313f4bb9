"""What compared items are worth."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation.errors import PlatformError
from annotation.services.ranking import read_ranking
from annotation.views.access import administered_campaign


@login_required
@require_GET
def ranking(request: HttpRequest, campaign_id: UUID) -> HttpResponse:
    campaign = administered_campaign(request, campaign_id)
    context = {"campaign": campaign}
    try:
        stored = read_ranking(campaign)
    except PlatformError as error:
        context |= {"why_not": error.sentence}
    else:
        span = stored.items[0][1] - stored.lowest or 1.0
        rows = [(*item, (item[1] - stored.lowest) / span) for item in stored.items]
        context |= {"ranking": stored, "rows": rows}
    return render(request, "annotation/ranking.html", context)
