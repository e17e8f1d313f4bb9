"""What the rounds of the stream guard showed, in words, and how to begin again. Loads no learner."""

from datetime import datetime

from django.db import transaction

from annotation.exchange import head_of
from annotation.models import Campaign, TrailEntry, User
from annotation.shares import percent
from training.algorithms.examples import WHOLE_TEXT_HEADS
from training.models import StreamRound, TrainingPolicy
from training.services.runs import want_order


def is_measured(campaign: Campaign) -> bool:
    """Whether choosing can be held against the lot: a head on a text's vector learns labels, no marks."""
    return head_of(campaign) in WHOLE_TEXT_HEADS


MEASURED = (
    "After each run it is measured what chosen tasks teach beside as many drawn at random; where that is no "
    "more over four runs, tasks are asked at random from then on."
)
NOT_MEASURED = (
    "Whether chosen tasks teach more than tasks drawn at random is not measured where answers are marks or "
    "relations."
)


def measuring_words(campaign: Campaign) -> str:
    """Whether choosing is measured; empty where no model learns, and so none chooses."""
    if head_of(campaign) is None:
        return ""
    return MEASURED if is_measured(campaign) else NOT_MEASURED


@transaction.atomic
def choose_again(policy: TrainingPolicy, *, by: User | None, now: datetime) -> None:
    """Take up choosing where it was given up: measured from no rounds, and with the queue ordered anew."""
    StreamRound.objects.filter(campaign=policy.campaign_id).delete()
    TrainingPolicy.objects.filter(pk=policy.pk).update(at_random_since=None)
    policy.at_random_since = None
    TrailEntry.objects.create(user=by, campaign_id=policy.campaign_id, verb="choose_again")
    want_order(policy.campaign_id, now=now)


def shadow_curve(campaign: Campaign) -> list[StreamRound]:
    """The rounds by the labels that they learned from: what any number of chosen or drawn ones taught."""
    rounds = StreamRound.objects.filter(campaign=campaign).order_by("n_learned", "at")
    return list(rounds.only("n_learned", "acquired", "drawn"))


def any_number_of_labels(campaign: Campaign) -> bool:
    return head_of(campaign) == "multiple"


def sentence_of(policy: TrainingPolicy) -> str:
    """How choosing does, for the campaign's page; empty while nothing was measured."""
    if not is_measured(policy.campaign):
        return measuring_words(policy.campaign)
    newest = StreamRound.objects.filter(campaign=policy.campaign_id).first()
    if newest is None:
        return ""
    judged_on = f"of {newest.n_judged} labels found"
    if any_number_of_labels(policy.campaign):
        judged_on = f"in F1 of the labels of {newest.n_judged} texts"
    chosen, drawn = percent(newest.acquired, 1), percent(newest.drawn, 1)
    if policy.at_random_since:
        return (
            f"Chosen tasks taught no more than tasks drawn at random over four rounds (last {chosen} against "
            f"{drawn} {judged_on}), so tasks are asked at random since {policy.at_random_since:%-d %B %Y}."
        )
    verb = "more than" if newest.gain > 0 else "no more than"
    return (
        f"{newest.n_learned} chosen tasks teach {verb} as many drawn at random: {chosen} against {drawn} "
        f"{judged_on} (± {percent(newest.deviation, 1)})."
    )
