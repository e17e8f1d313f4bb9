"""The learning curve of a strategy: simulated volunteers answer, a model is trained, again and again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from django.utils import timezone

from annotation import exchange
from annotation.errors import Conflict
from annotation.exchange import GoldExample
from annotation.models import Campaign
from training.algorithms.metrics import evaluate
from training.algorithms.splits import TEST, split_by_group
from training.algorithms.time_model import TimeModel
from training.models import ModelVersion, TrainingPolicy, TrainingRun
from training.services import runs
from training.services.execution import execute_run
from training.services.scoring import probabilities_of_texts

MEASURED_SHARE = 0.3  # of the gold, never asked, so that each strategy is measured on the same texts


@dataclass(frozen=True, slots=True)
class Point:
    """After a round: answers, volunteers' minutes, consensus labels so far; how good the model is on gold."""

    n_answers: int
    minutes: float
    n_labels: int
    n_measured: int
    accuracy: float
    macro_f1: float


def learning_curve(
    campaign: Campaign,
    *,
    budget: int,
    n_rounds: int,
    strategy: str,
    seed: int,
    n_volunteers: int,
    accuracy: float,
    time_model: TimeModel,
    watch: Callable[[int, str, float], None],
) -> Iterator[Point]:
    """Spend `budget` answers in n_rounds equal rounds; the queue after each is the strategy's alone.

    An answer takes what time_model gives for its text, so that the curve can be read by minutes too: texts
    that tell more may be those that take longer (Chen et al. 2017).

    `watch` gets (round, stage, share done). Beat is kept from training this campaign in between.
    """
    if TrainingRun.objects.filter(campaign=campaign).exists():
        raise Conflict("This campaign has been trained before; a simulation wants one of its own.")
    # What judges the curve is kept from the volunteers; the rest of the gold is what they answer.
    TrainingPolicy.objects.update_or_create(
        campaign=campaign,
        defaults={"enabled": False, "acquisition": strategy, "exploration_share": 0.0, "gold_share": 0.0},
    )
    measured = measured_gold(campaign, seed)
    n_given = 0
    for turn in range(1, n_rounds + 1):
        n_given += exchange.simulate_answers(
            campaign.pk,
            budget * turn // n_rounds - n_given,
            n_workers=n_volunteers,
            accuracy=accuracy,
            seed=seed,
            turn=turn,
            spared={example.task_id for example in measured},
            seconds_by_length=lambda length: float(time_model.expected_seconds(np.array([length]))[0]),
        )
        run = runs.open_run(campaign, now=timezone.now())
        if not execute_run(run.pk, watch=lambda stage, share, turn=turn: watch(turn, stage, share)):
            run.refresh_from_db()
            reason = run.failure or "another worker has taken its run up."
            raise Conflict(f"Round {turn} could not be trained: {reason}", code=run.failure_code)
        yield _measure(campaign, n_given, measured)


def measured_gold(campaign: Campaign, seed: int) -> list[GoldExample]:
    """The gold to measure on, the same for equal files and seeds; nobody answers its records or texts."""
    gold = exchange.gold_examples(campaign.pk)
    parts = split_by_group(
        [example.record_name for example in gold],
        [example.text for example in gold],
        validation_share=0.0,
        test_share=MEASURED_SHARE,
        seed=seed,
    )
    return [example for example, part in zip(gold, parts, strict=True) if part == TEST]


def _measure(campaign: Campaign, n_answers: int, measured: list[GoldExample]) -> Point:
    version = ModelVersion.objects.get(campaign=campaign, in_charge=True)
    seconds = [example.second or "" for example in measured] if measured[0].second is not None else None
    probabilities = probabilities_of_texts(version, [example.text for example in measured], seconds)
    keys = list(campaign.label_names)
    known = np.zeros((len(measured), len(keys)), dtype=np.float32)  # [N, K] over the campaign's labels
    known[:, [keys.index(key) for key in version.label_keys]] = probabilities
    figures = evaluate(np.array([keys.index(example.label) for example in measured]), known)
    return Point(
        n_answers=n_answers,
        minutes=round(exchange.minutes_spent(campaign.pk, until=timezone.now()), 2),
        n_labels=exchange.count_new_labels(campaign.pk, since=None),
        n_measured=len(measured),
        accuracy=figures["accuracy"],
        macro_f1=figures["macro_f1"],
    )
