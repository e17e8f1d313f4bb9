"""Which texts no encoder has read: asked often, and without loading one."""

from contextlib import suppress
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from annotation.errors import Invalid
from annotation.models import Campaign, MicroTask
from training.models import Embedding
from training.services.base_models import encoder_of
from training.services.runs import policy_of

N_DIGITS = 16  # of the SHA-256 of the encoder's weights, by which vectors of two encoders are told apart


def campaigns_to_read() -> list[UUID]:
    """Open campaigns that train by themselves and have tasks without a vector of the encoder in use."""
    return [
        campaign.pk
        for campaign in Campaign.objects.filter(state=Campaign.State.OPEN)
        if policy_of(campaign).enabled and _has_unread_texts(campaign)
    ]


def tasks_without_vector(campaign: Campaign, sha256: str) -> QuerySet[MicroTask]:
    """What may be shown and has no vector of this encoder yet."""
    # NOT EXISTS becomes a join; NOT IN would look through a million rows for each of a million tasks.
    known = Embedding.objects.filter(task=OuterRef("pk"), encoder=sha256[:N_DIGITS])
    return MicroTask.objects.filter(~Exists(known), campaign=campaign, held=False)


def _has_unread_texts(campaign: Campaign) -> bool:
    sha256 = ""  # where there is no encoder, whoever reads says so
    with suppress(Invalid):
        _, sha256 = encoder_of(campaign)
    return tasks_without_vector(campaign, sha256).exists()
