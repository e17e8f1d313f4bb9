"""How good the models were by the labels, and by the volunteers' minutes, that they took."""

from dataclasses import dataclass

from annotation import exchange
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
    """A point for each run's best model, oldest first, in two queries."""
    versions = ModelVersion.objects.filter(campaign=campaign, run__snapshot_at__isnull=False)
    best: dict[int, ModelVersion] = {}
    for version in versions.select_related("run").order_by("number"):
        known = best.get(version.run.number)
        if known is None or version.standing() > known.standing():
            best[version.run.number] = version
    ordered = [best[number] for number in sorted(best)]
    minutes = exchange.minutes_spent(campaign.pk, until=[version.run.snapshot_at for version in ordered])
    return [
        CurvePoint(version.number, version.run.n_examples, round(spent, 1), version.score)
        for version, spent in zip(ordered, minutes, strict=True)
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
