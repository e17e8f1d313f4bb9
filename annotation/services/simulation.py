"""A simulated crowd at work: it claims and answers through the same services as people do.

For the demo and for `simulate`. It knows the truth from gold and gets it wrong as its workers' skill has it.
"""

import math
from collections.abc import Callable, Collection
from datetime import timedelta
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from annotation.algorithms.simulated_crowd import Worker, answer, answer_seconds, make_crowd
from annotation.errors import PlatformError
from annotation.models import Assignment, Campaign, Gold, User, Volunteer, VolunteerDay, uuid7
from annotation.services import answers, handout
from annotation.services.joining import join_campaign


def simulate_answers(
    campaign_id: UUID,
    n_answers: int,
    *,
    n_workers: int,
    seed: int,
    turn: int,
    accuracy: float | None = None,
    spared: Collection[UUID] = (),
    seconds_by_length: Callable[[int], float] | None = None,
) -> int:
    """Let the crowd of this seed give up to n_answers; returns how many it gave before nothing was left.

    The workers' skill depends on the seed alone, what they say on seed and turn, so that a crowd can
    come back later. `accuracy` makes them all equally good; without it they differ. Nobody answers the
    `spared` tasks. With seconds_by_length an answer takes the median that it gives for the text's code
    points, with each worker's own spread around it; without, every text takes as long as any other.
    """
    campaign = Campaign.objects.get(pk=campaign_id)
    keys = list(campaign.label_names)
    accuracies = [accuracy] * n_workers if accuracy is not None else None
    crowd = make_crowd(n_workers, n_classes=len(keys), rng=np.random.default_rng(seed), accuracies=accuracies)
    users = [_seat(campaign, worker) for worker in crowd]
    rng = np.random.default_rng([seed, turn])
    at_work, n_given = list(range(n_workers)), 0
    while n_given < n_answers and at_work:
        w = at_work[rng.integers(len(at_work))]
        if _answer_next(campaign, users[w], crowd[w], keys, rng, spared, seconds_by_length):
            n_given += 1
        else:
            at_work.remove(w)
    return n_given


def continue_crowd(campaign_id: UUID, n_answers: int, *, n_workers: int, seed: int, limit: int) -> int:
    """Let the crowd give n_answers more, and no more than `limit` in all; returns how many it gave.

    A paused campaign, or the same crowd at work in another process, ends the turn early: a later one goes on.
    """
    days = VolunteerDay.objects.filter(
        volunteer__campaign=campaign_id, volunteer__origin=Volunteer.Origin.SIMULATED
    )
    n_before = days.aggregate(n=Sum("n_answers", default=0))["n"]
    n_wanted = min(n_answers, limit - n_before)
    if n_wanted <= 0:
        return 0
    try:
        return simulate_answers(campaign_id, n_wanted, n_workers=n_workers, seed=seed, turn=n_before)
    except PlatformError:
        return days.aggregate(n=Sum("n_answers", default=0))["n"] - n_before


@transaction.atomic
def _seat(campaign: Campaign, worker: Worker) -> User:
    user, created = User.objects.get_or_create(username=f"{worker.name}-{campaign.pk.hex[:8]}")
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        join_campaign(user, campaign, now=timezone.now(), origin=Volunteer.Origin.SIMULATED)
    return user


def _answer_next(
    campaign: Campaign,
    user: User,
    worker: Worker,
    keys: list[str],
    rng: np.random.Generator,
    spared: Collection[UUID],
    seconds_by_length: Callable[[int], float] | None,
) -> bool:
    """One answer; tasks without gold are skipped, for the crowd can't know what is right."""
    now = timezone.now()
    while (place := handout.claim_task(campaign.pk, user, now=now)) is not None:
        gold = Gold.objects.filter(task=place.task_id).select_related("task").first()
        if gold is None or place.task_id in spared:
            handout.skip_task(place.assignment_id, user, Assignment.SkipReason.OTHER, now=now)
            continue
        label = keys[answer(worker, keys.index(gold.label), rng)]
        seconds = answer_seconds(worker, rng)
        if seconds_by_length is not None:
            median = seconds_by_length(gold.task.end - gold.task.start)
            seconds *= median / math.exp(worker.seconds_log_mean)
        took = timedelta(seconds=seconds)
        # The clock is the crowd's own: nobody waits for it, but the seconds it took are kept.
        Assignment.objects.filter(pk=place.assignment_id).update(claimed_at=now - took)
        answers.submit_answer(place.assignment_id, user, {"label": label}, key=uuid7(), now=now)
        return True
    return False
