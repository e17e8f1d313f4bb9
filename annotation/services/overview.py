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
    may_review: bool
    was_taken_out: bool

    @property
    def percent_done(self) -> int:
        return int(100 * self.share_done)


def campaign_cards(user: User) -> list[CampaignCard]:
    """What this person may label, review or manage, and what they were taken out of; newest first.

    As many queries for one as for many.
    """
    managed = set(Campaign.objects.administered_by(user).values_list("pk", flat=True))
    labelled = set(Campaign.objects.to_label(user).values_list("pk", flat=True))
    reviewed = set(Campaign.objects.reviewed_by(user).values_list("pk", flat=True))
    ended = set(user.volunteers.taken_out().values_list("campaign", flat=True))
    campaigns = list(Campaign.objects.filter(pk__in=managed | labelled | reviewed | ended))
    days = VolunteerDay.objects.filter(volunteer__campaign__in=campaigns).values_list("volunteer__campaign")
    sums = days.annotate(n=Sum("n_answers"), mine=Sum("n_answers", filter=Q(volunteer__user=user), default=0))
    answers = {pk: (n, mine) for pk, n, mine in sums}
    return [
        CampaignCard(
            campaign,
            n_mine=mine,
            share_done=campaign.share_answered(n),
            may_label=campaign.pk in labelled,
            may_manage=campaign.pk in managed,
            may_review=campaign.pk in reviewed,
            was_taken_out=campaign.pk in ended,
        )
        for campaign in campaigns
        for n, mine in [answers.get(campaign.pk, (0, 0))]
    ]
