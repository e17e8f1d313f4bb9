"""What the rounds of the stream guard showed, in words, and how to begin again. Loads no learner."""

from datetime import datetime

from django.db import transaction

from annotation.models import TrailEntry, User
from annotation.shares import percent
from training.models import StreamRound, TrainingPolicy
from training.services.runs import want_order


@transaction.atomic
def choose_again(policy: TrainingPolicy, *, by: User | None, now: datetime) -> None:
    """Take up choosing where it was given up: measured from no rounds, and with the queue ordered anew."""
    StreamRound.objects.filter(campaign=policy.campaign_id).delete()
    TrainingPolicy.objects.filter(pk=policy.pk).update(at_random_since=None)
    policy.at_random_since = None
    TrailEntry.objects.create(user=by, campaign_id=policy.campaign_id, verb="choose_again")
    want_order(policy.campaign_id, now=now)


def sentence_of(policy: TrainingPolicy) -> str:
    """How choosing does, for the campaign's page; empty while nothing was measured."""
    newest = StreamRound.objects.filter(campaign=policy.campaign_id).first()
    if newest is None:
        return ""
    chosen, drawn = percent(newest.acquired, 1), percent(newest.drawn, 1)
    if policy.at_random_since:
        return (
            f"Chosen tasks taught no more than tasks drawn at random over four rounds (last {chosen} against "
            f"{drawn} of {newest.n_judged} labels found), so tasks are asked at random since "
            f"{policy.at_random_since:%-d %B %Y}."
        )
    verb = "more than" if newest.gain > 0 else "no more than"
    return (
        f"{newest.n_learned} chosen tasks teach {verb} as many drawn at random: {chosen} against {drawn} of "
        f"{newest.n_judged} labels found (± {percent(newest.deviation, 1)})."
    )
