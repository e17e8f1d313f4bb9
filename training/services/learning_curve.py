"""How good the models were by the labels, and by the volunteers' minutes, that they took."""

from dataclasses import dataclass

from annotation.models import Campaign
from training.algorithms.stream_comparison import gain_of_last
from training.models import ModelVersion

LAST_LABELS = 400  # whose gain is told


@dataclass(frozen=True, slots=True)
class CurvePoint:
    version: int
    n_labels: int
    minutes: float
    score: float


def learning_points(campaign: Campaign) -> list[CurvePoint]:
    """A point for each run's best model, oldest first. A page that asks every few seconds can afford it."""
    best = ModelVersion.objects.filter(campaign=campaign, run__minutes_spent__isnull=False).best_of_runs()
    columns = ("number", "run__n_examples", "run__minutes_spent", best.SCORE)
    return [
        CurvePoint(number, n_labels, round(minutes, 1), score)
        for number, n_labels, minutes, score in best.values_list(*columns)
    ]


def returns_sentence(points: list[CurvePoint]) -> str:
    """What the newest labels brought: "The last 400 labels gained 0.2 points."; empty while unknown."""
    found = gain_of_last([p.n_labels for p in points], [p.score for p in points], last=LAST_LABELS)
    if found is None:
        return ""
    n_labels, gain = found
    if gain <= 0:
        return f"The last {n_labels:,} labels gained nothing."
    return f"The last {n_labels:,} labels gained {100 * gain:.1f} points."
