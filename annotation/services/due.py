"""When figures that a worker keeps for a page are due again: there are more answers, or other ones count."""

from django.db.models import Max, QuerySet, Sum

from annotation.models import AgreementReport, Campaign, ItemRanking
from annotation.services.crowd import has_grown


def with_news(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Each with its answers, `n_given`, and when a standing last changed, `standing_at`, for `is_due`."""
    return campaigns.annotate(
        n_given=Sum("volunteers__days__n_answers", default=0), standing_at=Max("volunteers__standing_at")
    )


def is_due(campaign: Campaign, last: AgreementReport | ItemRanking | None) -> bool:
    """A tenth more answers have come since, or somebody's count or don't any more."""
    if last is None:
        return campaign.n_given > 0
    follows_standing = campaign.standing_at is None or campaign.standing_at <= last.computed_at
    return has_grown(campaign.n_given, last.n_given) or not follows_standing
