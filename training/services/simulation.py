"""The learning curve of a strategy: simulated volunteers answer, a model is trained, again and again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from django.utils import timezone

from annotation import exchange
from annotation.errors import Conflict
from annotation.models import Campaign
from training import encoder
from training.models import ModelVersion, TrainingPolicy, TrainingRun
from training.services import runs
from training.services.execution import execute_run


@dataclass(frozen=True, slots=True)
class Point:
    """After a round: answers given so far, consensus labels so far, accuracy on gold the crowd hasn't settled."""

    n_answers: int
    n_labels: int
    accuracy: float | None
    n_measured: int


def learning_curve(
    campaign: Campaign,
    *,
    budget: int,
    n_rounds: int,
    strategy: str,
    seed: int,
    n_volunteers: int,
    accuracy: float,
    watch: Callable[[int, str, float], None],
) -> Iterator[Point]:
    """Spend `budget` answers in n_rounds equal rounds; the queue after each is the strategy's alone.

    `watch` gets (round, stage, share done). Beat is kept from training this campaign in between.
    """
    if TrainingRun.objects.filter(campaign=campaign).exists():
        raise Conflict("This campaign has been trained before; a simulation wants one of its own.")
    TrainingPolicy.objects.update_or_create(
        campaign=campaign, defaults={"enabled": False, "acquisition": strategy, "exploration_share": 0.0}
    )
    n_given = 0
    for turn in range(1, n_rounds + 1):
        n_given += exchange.simulate_answers(
            campaign.pk,
            budget * turn // n_rounds - n_given,
            n_workers=n_volunteers,
            accuracy=accuracy,
            seed=seed,
            turn=turn,
        )
        run = runs.open_run(campaign, now=timezone.now())
        if not execute_run(run.pk, watch=lambda stage, share, turn=turn: watch(turn, stage, share)):
            run.refresh_from_db()
            raise Conflict(f"Round {turn} could not be trained: {run.failure}", code=run.failure_code)
        yield _measure(campaign, n_given)


def _measure(campaign: Campaign, n_answers: int) -> Point:
    version = ModelVersion.objects.get(campaign=campaign, in_charge=True)
    unseen = exchange.unsettled_gold(campaign.pk)
    n_labels = exchange.count_new_labels(campaign.pk, since=None)
    if not unseen:
        return Point(n_answers, n_labels, None, 0)
    probabilities = encoder.predict_proba(version.path, [text for text, _ in unseen])
    predicted = np.array(version.label_keys)[probabilities.argmax(axis=1)]
    right = predicted == np.array([label for _, label in unseen])
    return Point(n_answers, n_labels, float(right.mean()), len(unseen))
