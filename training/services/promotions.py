"""Which model is in charge: one column of one row; a change of it remembers what was before."""

from datetime import datetime
from pathlib import Path

from django.db import transaction

from annotation.models import Campaign, TrailEntry, User
from training.errors import ChargeChanged, NothingToReturnTo
from training.models import ModelVersion, Promotion


def in_charge(campaign_id) -> ModelVersion | None:
    return ModelVersion.objects.filter(campaign=campaign_id, in_charge=True).select_related("run").first()


@transaction.atomic
def promote(
    version: ModelVersion,
    *,
    instead_of: ModelVersion | None,
    cause: str,
    now: datetime,
    by: User | None = None,
) -> Promotion:
    """Put a model in charge instead of the one that it was compared with; ChargeChanged if another is."""
    # The lock is on the campaign's row: where no model is in charge there is no row of one to lock.
    Campaign.objects.select_for_update(no_key=True).get(pk=version.campaign_id)
    versions = ModelVersion.objects.filter(campaign=version.campaign_id)
    current = versions.filter(in_charge=True).first()
    if (current and current.pk) != (instead_of and instead_of.pk):
        raise ChargeChanged()
    versions.filter(in_charge=True).update(in_charge=False)
    versions.filter(pk=version.pk).update(in_charge=True)
    version.in_charge = True
    return Promotion.objects.create(
        campaign_id=version.campaign_id, version=version, previous=current, cause=cause, by=by, at=now
    )


def returnable(campaign_id) -> ModelVersion | None:
    """The model that was in charge before the one that is, if its files are still kept."""
    current = in_charge(campaign_id)
    last = current and Promotion.objects.filter(campaign=campaign_id, version=current).first()
    previous = last and last.previous
    return previous if previous and previous.path and Path(previous.path).is_dir() else None


def go_back(campaign: Campaign, *, cause: str, now: datetime, by: User | None = None) -> ModelVersion:
    """Put the model before in charge again; what it thinks of the queue is for the next run to ask."""
    current, previous = in_charge(campaign.pk), returnable(campaign.pk)
    if previous is None:
        raise NothingToReturnTo()
    with transaction.atomic():
        try:
            promote(previous, instead_of=current, cause=cause, now=now, by=by)
        except ChargeChanged as changed:
            raise NothingToReturnTo(
                "Another model has just taken charge. Look again before you go back.", code="charge_changed"
            ) from changed
        TrailEntry.objects.create(
            user=by,
            campaign=campaign,
            verb="return_model",
            detail={"from": current.number, "to": previous.number, "cause": cause},
        )
    return previous
