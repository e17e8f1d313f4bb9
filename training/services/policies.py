"""Change when and how a campaign is trained, and what follows from the change."""

from datetime import datetime

from django.db import transaction

from annotation.models import Consensus, TrailEntry, User
from training.models import TrainingPolicy
from training.services.base_models import refuse_folder_without_model, refuse_model_not_offered
from training.services.runs import want_order
from training.services.stream_rounds import choose_again


def change_policy(policy: TrainingPolicy, *, by: User | None, now: datetime, **fields) -> TrainingPolicy:
    """Store the fields and have done anew what follows. `by` is None on the command line: the operator."""
    changed = {name for name, value in fields.items() if value != getattr(policy, name)}
    if "base_model" in changed and fields["base_model"]:
        refuse = refuse_folder_without_model if by is None else refuse_model_not_offered
        refuse(fields["base_model"])
    untouched = policy.judging_share
    for name, value in fields.items():
        setattr(policy, name, value)
    with transaction.atomic():
        policy.save(update_fields=list(fields))
        if "exploration_share" in changed:
            _keep_what_judges_fair(policy, untouched)
        if "acquisition" in changed:  # what the one before brought says nothing of it
            choose_again(policy, by=by, now=now)
        if "exploration_share" in changed:  # other records are of the random stream
            want_order(policy.campaign_id, now=now)
        TrailEntry.objects.create(
            user=by, campaign=policy.campaign, verb="change_policy", detail={"fields": sorted(fields)}
        )
    return policy


def _keep_what_judges_fair(policy: TrainingPolicy, untouched: float) -> None:
    """Of the records that join the stream late, those have been answered that were chosen: no fair sample."""
    if (
        policy.exploration_share > untouched
        and Consensus.objects.filter(campaign=policy.campaign_id).exists()
    ):
        policy.untouched_share = untouched
        policy.save(update_fields=["untouched_share"])
