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
    named = sorted(fields)
    if "exploration_share" in changed:
        fields |= {"untouched_share": _untouched_share(policy), "explored_since": now}
    for name, value in fields.items():
        setattr(policy, name, value)
    with transaction.atomic():
        policy.save(update_fields=list(fields))
        if "acquisition" in changed:  # what the one before brought says nothing of it
            choose_again(policy, by=by, now=now)
        if "exploration_share" in changed:  # other records are of the random stream
            want_order(policy.campaign_id, now=now)
        TrailEntry.objects.create(
            user=by, campaign=policy.campaign, verb="change_policy", detail={"fields": named}
        )
    return policy


def _untouched_share(policy: TrainingPolicy) -> float | None:
    """The smallest share under which chosen tasks were settled, the present one's time included.

    Records that join the stream later are no fair sample: the chosen ones have their labels already.
    """
    settled = Consensus.objects.settled().filter(campaign=policy.campaign_id)
    if policy.explored_since:
        settled = settled.filter(settled_at__gte=policy.explored_since)
    chooses = policy.acquisition != TrainingPolicy.Acquisition.RANDOM and not policy.at_random_since
    return policy.judging_share if chooses and settled.exists() else policy.untouched_share
