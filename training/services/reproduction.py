"""A model made again from its snapshot, and held against the one that is kept."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings

from training import encoder
from training.config import FineTuneConfig
from training.models import ModelVersion
from training.services.judging import bench_of, metrics_of, opinion_of
from training.services.learning import checked_examples, learn, snapshot_vectors
from training.services.lineage import lineage_of
from training.services.snapshot import kept_snapshot

COMPARED = ("accuracy", "macro_f1", "expected_calibration_error")
SAME_COURSE = ("base_model_sha256", "config", "derived", "seed", "versions", "code_sha256", "machine")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """`figures` are (name, then, now); `changed` names what is not as it was when the model was made."""

    same_weights: bool
    figures: list[tuple[str, float, float]]
    changed: list[str]


def reproduce(
    version: ModelVersion, *, on_progress: Callable[["encoder.Progress"], None] | None = None
) -> Reproduction:
    """Train again what a run trained, in a folder that is removed; a PlatformError where that can't be done.

    Weights are equal only on a machine that counts alike: processor, cores and libraries.
    """
    run = version.run
    snapshot = kept_snapshot(run)
    examples, config = checked_examples(snapshot), FineTuneConfig.from_dict(run.config)
    bench = bench_of(snapshot, examples)
    settings.MODEL_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.MODEL_DIR) as folder:
        target = Path(folder) / "model"
        learned = learn(
            version.family,
            partial(snapshot_vectors, version.campaign, snapshot),
            examples,
            config,
            output_dir=target,
            on_progress=on_progress,
        )
        again = ModelVersion(
            campaign=version.campaign,
            run=run,
            family=version.family,
            path=str(learned.path),
            label_keys=list(snapshot.class_names),
            lineage=lineage_of(learned.manifest, snapshot),
        )
        metrics = metrics_of(again, bench, opinion_of(again, bench))
    before = version.metrics["test"]
    return Reproduction(
        same_weights=learned.sha256 == version.sha256,
        figures=[(name, before[name], metrics["test"][name]) for name in COMPARED],
        changed=[name for name in SAME_COURSE if again.lineage[name] != version.lineage.get(name)],
    )
