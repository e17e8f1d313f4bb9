"""The list of campaigns as one person sees it."""

from dataclasses import dataclass

from django.db.models import Q, Sum

from annotation.models import Campaign, User, VolunteerDay


@dataclass(frozen=True, slots=True)
class CampaignCard:
    campaign: Campaign
    n_mine: int
    share_done: float
    may_label: bool
    may_manage: bool

    @property
    def percent_done(self) -> int:
        return int(100 * self.share_done)


def campaign_cards(user: User) -> list[CampaignCard]:
    """What this person may label or manage, newest first; three queries, however many there are."""
    managed = set(Campaign.objects.administered_by(user).values_list("pk", flat=True))
    labelled = set(Campaign.objects.to_label(user).values_list("pk", flat=True))
    campaigns = list(Campaign.objects.filter(pk__in=managed | labelled))
    days = VolunteerDay.objects.filter(volunteer__campaign__in=campaigns).values_list("volunteer__campaign")
    sums = days.annotate(n=Sum("n_answers"), mine=Sum("n_answers", filter=Q(volunteer__user=user), default=0))
    answers = {pk: (n, mine) for pk, n, mine in sums}
    return [
        _card(campaign, *answers.get(campaign.pk, (0, 0)), campaign.pk in labelled, campaign.pk in managed)
        for campaign in campaigns
    ]


def _card(campaign: Campaign, n: int, n_mine: int, may_label: bool, may_manage: bool) -> CampaignCard:
    return CampaignCard(campaign, n_mine, campaign.share_answered(n), may_label, may_manage)
