"""Which model is in charge: one column of one row; a change of it remembers what was before."""

from datetime import datetime
from pathlib import Path

from django.db import transaction

from annotation.errors import Conflict
from annotation.models import Campaign, TrailEntry, User
from training.errors import ChargeChanged
from training.models import ModelVersion, Promotion
from training.services.base_models import ENCODER_GONE, folder_of_encoder
from training.services.runs import want_order


def in_charge(campaign_id) -> ModelVersion | None:
    return ModelVersion.objects.filter(campaign=campaign_id, in_charge=True).select_related("run").first()


def hold_charge(campaign_id) -> None:
    """Until the transaction ends nobody else puts a model in charge, nor lets the files of models go."""
    # The lock is on the campaign's row: where no model is in charge there is no row of one to lock.
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign_id)


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
    hold_charge(version.campaign_id)
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
    """The model that was in charge before the one that is, if it can be again."""
    current = in_charge(campaign_id)
    previous = replaced(took_charge(current)) if current else None
    return previous if previous and refusal_of(previous) is None else None


def replaced(promotion: Promotion | None) -> ModelVersion | None:
    """The model in whose place the promoted one came, if its files are still kept."""
    previous = promotion and promotion.previous
    return previous if previous and has_files(previous) else None


def took_charge(version: ModelVersion) -> Promotion | None:
    """Return the newest promotion of a model, with what it replaced."""
    promotions = Promotion.objects.filter(campaign=version.campaign_id, version=version)
    return promotions.select_related("previous").first()


def has_files(version: ModelVersion) -> bool:
    return bool(version.path) and Path(version.path).is_dir()


def refusal_of(version: ModelVersion) -> Conflict | None:
    """Why this model can't be put in charge; None where it can, and would read the texts."""
    if not has_files(version):
        return _files_gone()
    if version.takes_vectors and folder_of_encoder(version) is None:
        return Conflict(ENCODER_GONE, code="encoder_gone")
    return None


def _files_gone() -> Conflict:
    return Conflict("The files of this model are no longer kept.", code="model_gone")


def put_in_charge(version: ModelVersion, *, cause: str, now: datetime, by: User | None = None) -> Promotion:
    """By somebody's word and not by the gate. The queue waits from then on to be ordered by it."""
    current = in_charge(version.campaign_id)
    if current == version:
        raise Conflict("This model is in charge already.", code="in_charge_already")
    if refused := refusal_of(version):  # which may read an encoder's weights, and so is asked without a lock
        raise refused
    with transaction.atomic():
        hold_charge(version.campaign_id)
        version.refresh_from_db(fields=["path"])
        if not has_files(version):  # by now: nobody lets them go any more
            raise _files_gone()
        try:
            promotion = promote(version, instead_of=current, cause=cause, now=now, by=by)
        except ChargeChanged as changed:
            raise Conflict(
                "Another model has just taken charge. Look again before you change it.", code="charge_changed"
            ) from changed
        TrailEntry.objects.create(
            user=by,
            campaign_id=version.campaign_id,
            verb="put_in_charge",
            detail={"version": version.number, "instead_of": current and current.number, "cause": cause},
        )
        want_order(version.campaign_id, now=now)
    return promotion
