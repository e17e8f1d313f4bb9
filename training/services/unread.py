"""Which campaigns have texts that no encoder has read: asked often, and without loading one."""

from uuid import UUID

from annotation.models import Campaign, MicroTask
from training.services.runs import policy_of


def campaigns_to_read() -> list[UUID]:
    """Open campaigns that train by themselves and have tasks without a vector."""
    return [
        campaign.pk
        for campaign in Campaign.objects.filter(state=Campaign.State.OPEN)
        if policy_of(campaign).enabled and _has_unread_texts(campaign)
    ]


def _has_unread_texts(campaign: Campaign) -> bool:
    return MicroTask.objects.filter(campaign=campaign, held=False, embedding__isnull=True).exists()
